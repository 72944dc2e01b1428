"""ResourceController: seven actions over a model, nothing granted that no rule grants."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession as SQLAlchemySession
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models.fastapi import install_database
from lineside.routing import resources


class Table(SQLModel, registry=registry()):
    """Keeps these tables apart from those of other tests."""


class Article(Table, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(max_length=20, unique=True)
    body: str = ""
    notes: str = "internal"
    author_id: int = 0
    published: bool = False
    api_token: str = "never-shown"


async def current_user(x_user: Annotated[int | None, Header()] = None) -> int | None:
    return x_user


def define_abilities(user: int | None, rules: Rules) -> None:
    rules.can("read", Article, published=True, attributes=["id", "title", "body", "author_id", "published"])
    if user is not None:
        rules.can(["create", "read", "update", "destroy"], Article, author_id=user)
    if user == 9:
        rules.can("update", Article, published=True, attributes=["title"])


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities, user=current_user))]


class ArticlesController(ResourceController[Article]):
    permit = ("title", "body", "published")
    ability: CurrentAbility
    user: Annotated[int | None, Depends(current_user)]

    def build(self, values: dict[str, Any]) -> Article:
        return Article(**values, author_id=self.user or 0)


AUTHOR = {"x-user": "1"}
OTHER = {"x-user": "2"}


def make_app(url: str, controller: type[Any] = ArticlesController) -> FastAPI:
    app = FastAPI()
    database = install_database(app, url)
    resources(app, "articles", controller)

    async def create_tables() -> None:
        async with database.engine.begin() as connection:
            await connection.run_sync(Table.metadata.create_all)

    app.router.on_startup.append(create_tables)
    return app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(make_app(f"sqlite:///{tmp_path / 'articles.sqlite3'}")) as client:
        yield client


def created(client: TestClient, **values: Any) -> dict[str, Any]:
    response = client.post("/articles", json={"title": "First", **values}, headers=AUTHOR)
    assert response.status_code == 201, response.text
    article: dict[str, Any] = response.json()
    return article


def test_a_created_record_is_written_and_answered_without_secrets(client: TestClient) -> None:
    """The answer has the exposed fields; a field that looks secret never leaves."""
    article = created(client, body="Text")
    assert article == {
        "id": 1,
        "title": "First",
        "body": "Text",
        "notes": "internal",
        "author_id": 1,
        "published": False,
    }
    assert client.get("/articles/1", headers=AUTHOR).json() == article


def test_index_lists_what_may_be_read_and_nothing_else(client: TestClient) -> None:
    """The same rules filter the query."""
    created(client)
    created(client, title="Second", published=True)
    assert [a["title"] for a in client.get("/articles").json()] == ["Second"]
    assert [a["title"] for a in client.get("/articles", headers=AUTHOR).json()] == ["First", "Second"]


def test_index_gives_a_page_in_the_order_of_the_key(client: TestClient) -> None:
    """Limit and offset cut the list; limits out of bounds are refused."""
    for number in range(5):
        created(client, title=f"Number {number}")
    page = client.get("/articles?limit=2&offset=1", headers=AUTHOR).json()
    assert [a["title"] for a in page] == ["Number 1", "Number 2"]
    assert client.get("/articles?limit=101").status_code == 422
    assert client.get("/articles?offset=-1").status_code == 422


def test_a_member_that_may_not_be_read_is_like_one_that_is_missing(client: TestClient) -> None:
    """404 for both, so that nobody learns which ids exist."""
    created(client)
    hidden, missing = client.get("/articles/1", headers=OTHER), client.get("/articles/77", headers=OTHER)
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"].replace("1", "77") == missing.json()["detail"]


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_a_member_that_may_be_read_but_not_changed_is_forbidden(client: TestClient, method: str) -> None:
    """403 where the record is no secret."""
    created(client, published=True)
    response = client.request(method, "/articles/1", json={"title": "Mine"}, headers=OTHER)
    assert response.status_code == 403
    assert client.get("/articles/1", headers=AUTHOR).json()["title"] == "First"


def test_a_guest_may_not_create(client: TestClient) -> None:
    """Nothing is granted by default."""
    assert client.post("/articles", json={"title": "Nobody's"}).status_code == 403
    assert client.get("/articles/new").status_code == 403


@pytest.mark.parametrize("field", ["author_id", "id", "api_token", "notes", "made_up"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_field_that_is_not_permitted_is_refused_by_name(
    client: TestClient, method: str, field: str
) -> None:
    """Mass assignment ends at the schema, with the field in the answer."""
    created(client)
    path = "/articles" if method == "POST" else "/articles/1"
    response = client.request(method, path, json={"title": "Other", field: 5}, headers=AUTHOR)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", field]


def test_an_attribute_that_the_ability_does_not_permit_is_refused(client: TestClient) -> None:
    """A permitted field may still be closed to this user: 403 naming it."""
    created(client, published=True)
    editor = {"x-user": "9"}
    assert client.patch("/articles/1", json={"title": "Better"}, headers=editor).status_code == 200
    response = client.patch("/articles/1", json={"body": "Worse"}, headers=editor)
    assert response.status_code == 403
    assert "body" in response.json()["detail"]


def test_an_attribute_that_the_ability_hides_is_absent(client: TestClient) -> None:
    """Output is cut to what may be read: absent, not null."""
    created(client, published=True)
    assert "notes" not in client.get("/articles/1").json()
    assert "notes" not in client.get("/articles").json()[0]
    assert "notes" in client.get("/articles/1", headers=AUTHOR).json()


def test_update_changes_only_what_is_sent(client: TestClient) -> None:
    """PATCH and PUT both reach update; an explicit null is no way to empty a required field."""
    created(client, body="Text")
    assert client.patch("/articles/1", json={"title": "New"}, headers=AUTHOR).json()["body"] == "Text"
    assert client.put("/articles/1", json={"body": ""}, headers=AUTHOR).json()["title"] == "New"
    assert client.patch("/articles/1", json={"title": None}, headers=AUTHOR).status_code == 422


def test_the_models_own_constraints_hold(client: TestClient) -> None:
    """SQLModel does not validate table classes; the derived schema does."""
    response = client.post("/articles", json={"title": "x" * 21}, headers=AUTHOR)
    assert response.json()["detail"][0]["type"] == "string_too_long"


def test_a_conflict_is_409_and_tells_nothing_of_the_database(client: TestClient) -> None:
    """A unique column that is taken is the client's to solve; the driver's text stays inside."""
    created(client)
    response = client.post("/articles", json={"title": "First"}, headers=AUTHOR)
    assert response.status_code == 409
    assert "UNIQUE" not in response.text
    assert len(client.get("/articles", headers=AUTHOR).json()) == 1


def test_a_deleted_record_is_gone(client: TestClient) -> None:
    """204 without a body, then 404."""
    created(client)
    response = client.delete("/articles/1", headers=AUTHOR)
    assert (response.status_code, response.content) == (204, b"")
    assert client.get("/articles/1", headers=AUTHOR).status_code == 404


def test_new_and_edit_give_the_values_of_a_form(client: TestClient) -> None:
    """The permitted fields only: defaults for a new record, the present values of another."""
    created(client, body="Text")
    assert client.get("/articles/new", headers=AUTHOR).json() == {
        "title": None,
        "body": "",
        "published": False,
    }
    assert client.get("/articles/1/edit", headers=AUTHOR).json() == {
        "title": "First",
        "body": "Text",
        "published": False,
    }


@pytest.mark.parametrize("key", ["9223372036854775808", "1" * 400, "x", "1.5"])
def test_a_key_that_no_database_has_is_refused(client: TestClient, key: str) -> None:
    """A number past 64 bits is a 422, not an error of the driver."""
    assert client.get(f"/articles/{key}", headers=AUTHOR).status_code == 422


def test_one_action_can_be_overridden_alone(tmp_path: Path) -> None:
    """The others stay, and OpenAPI follows the override."""

    class Shouting(ArticlesController):
        async def index(self) -> list[str]:
            return ["ARTICLES"]

    app = make_app(f"sqlite:///{tmp_path / 'a.sqlite3'}", Shouting)
    with TestClient(app) as client:
        assert client.get("/articles").json() == ["ARTICLES"]
        assert created(client)["id"] == 1
    schema = app.openapi()["paths"]["/articles"]["get"]["responses"]["200"]["content"]["application/json"]
    assert schema["schema"]["items"] == {"type": "string"}


def test_openapi_names_the_derived_schemas(client: TestClient) -> None:
    """Generics end in concrete models."""
    document = client.get("/openapi.json").json()
    patch = document["paths"]["/articles/{id}"]["patch"]
    assert patch["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/ArticlePatch")
    assert set(patch["responses"]) == {"200", "403", "404", "409", "422"}
    assert document["components"]["schemas"]["ArticleIn"]["required"] == ["title"]
    assert "api_token" not in document["components"]["schemas"]["ArticleOut"]["properties"]


def test_schemas_of_ones_own_replace_the_derived_ones(tmp_path: Path) -> None:
    """Given as type arguments; nothing needs `permit` then."""

    class ArticleIn(BaseModel):
        title: str

    class ArticleOut(BaseModel):
        title: str

    class Own(ResourceController[Article, ArticleIn, ArticleIn, ArticleOut]):
        ability: CurrentAbility

    with TestClient(make_app(f"sqlite:///{tmp_path / 'a.sqlite3'}", Own)) as client:
        document = client.get("/openapi.json").json()
    assert set(document["components"]["schemas"]["ArticleOut"]["properties"]) == {"title"}


def test_a_subclass_without_an_ability_does_not_come_to_be() -> None:
    """Authorisation cannot be forgotten; the error types the line to add."""
    with pytest.raises(ConfigurationError, match="ability: CurrentAbility"):

        class Open(ResourceController[Article]):
            permit = ("title",)


def test_a_subclass_without_permitted_fields_does_not_come_to_be() -> None:
    """Rails' strong parameters: nothing may be set unless it is named."""
    with pytest.raises(ConfigurationError, match="permit"):

        class Closed(ResourceController[Article]):
            ability: CurrentAbility


def test_a_permitted_field_that_the_model_has_not_is_named() -> None:
    """With the fields that it has."""
    with pytest.raises(ConfigurationError, match=r"permit names \['titel'\].*'title'"):

        class Misspelt(ResourceController[Article]):
            permit = ("titel",)
            ability: CurrentAbility


def test_permitted_fields_that_are_a_text_are_answered_with_a_tuple() -> None:
    """``("title")`` is no tuple; its letters are no fields."""
    with pytest.raises(ConfigurationError, match=r'permit is text; write permit = \("title",\)'):

        class Permitted(ResourceController[Article]):
            permit = "title"
            ability: CurrentAbility


def test_exposed_fields_that_are_a_text_are_answered_with_a_tuple() -> None:
    """The same mistake on the way out."""
    with pytest.raises(ConfigurationError, match=r'expose is text; write expose = \("title",\)'):

        class Exposed(ResourceController[Article]):
            permit = ("title",)
            expose = "title"
            ability: CurrentAbility


def test_a_model_without_a_table_is_named() -> None:
    """The error says what its class line lacks."""

    class Draft(SQLModel):
        id: int | None = Field(default=None, primary_key=True)
        title: str

    with pytest.raises(ConfigurationError, match="Draft is no table; add table=True"):

        class Drafts(ResourceController[Draft]):
            permit = ("title",)
            ability: CurrentAbility


def test_a_session_that_is_not_async_is_refused() -> None:
    """There is nothing to await; the error says so before the first request."""
    with pytest.raises(ConfigurationError, match=r"Sync\.session is sqlmodel's Session; .*AsyncSession"):

        class Sync(ResourceController[Article]):
            permit = ("title",)
            ability: CurrentAbility
            session: Annotated[Session, Depends(current_user)]  # type: ignore[assignment]


def test_a_session_of_sqlalchemy_is_refused() -> None:
    """It is async, and has no `exec`."""
    with pytest.raises(ConfigurationError, match=r"Plain\.session is sqlalchemy's AsyncSession"):

        class Plain(ResourceController[Article]):
            permit = ("title",)
            ability: CurrentAbility
            session: Annotated[SQLAlchemySession, Depends(current_user)]  # type: ignore[assignment]


def test_a_database_without_tables_is_an_error_of_ours(tmp_path: Path) -> None:
    """Not a 404 and not a text of the driver: 500, and the session is closed."""
    app = FastAPI()
    install_database(app, Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}"))
    resources(app, "articles", ArticlesController)
    with TestClient(app, raise_server_exceptions=False) as client:
        response = client.get("/articles", headers=AUTHOR)
    assert response.status_code == 500
    assert "no such table" not in response.text


def test_fields_whose_names_look_secret_are_not_exposed_by_default() -> None:
    """Whoever wants to send one names it in `expose`."""

    class Vault(Table, table=True):
        id: int | None = Field(default=None, primary_key=True)
        name: str = ""
        password_digest: str = ""
        passphrase: str = ""
        access_key: str = ""
        credentials: str = ""
        recovery_hash: str = ""
        sentry_dsn: str = ""
        user_pwd: str = ""
        private_note: str = ""

    def grant(user: int | None, rules: Rules) -> None:
        rules.can("manage", Vault)

    class Vaults(ResourceController[Vault]):
        permit = ("name",)
        ability: Annotated[Ability, Depends(ability_for(grant))]

    class Shown(Vaults):
        expose = ("name", "access_key")

    assert set(Vaults.output.model_fields) == {"id", "name"}
    assert set(Shown.output.model_fields) == {"name", "access_key"}
