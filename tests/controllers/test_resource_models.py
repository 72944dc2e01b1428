"""ResourceController over a record: its own schemas, its validations, its callbacks, its errors."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import new_class
from typing import Annotated, Any, ClassVar

import pytest
from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel
from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.exceptions import ConfigurationError
from lineside.models import (
    Database,
    DeleteRestrictionError,
    Model,
    Query,
    after_commit,
    before_destroy,
    before_save,
    default_scope,
    normalizes,
    validates,
)
from lineside.models.fastapi import install_database
from lineside.routing import resources


class Base(Model, registry=registry()):
    """Keeps these tables apart from those of other tests."""


class Writer(Base, table=True):
    name: str = ""
    posts: list["Post"] = Relationship(back_populates="writer")


@normalizes("slug", with_=lambda value: value.strip().lower())
@validates("title", presence=True, exclusion=["Untitled"])
@validates("slug", uniqueness=True, allow_blank=True)
class Post(Base, table=True):
    permit = ("title", "slug", "rating", "seen_at", "writer_id")
    expose = ("id", "title", "slug", "shout", "rating", "seen_at")

    title: str = Field(max_length=20)
    slug: str | None = Field(default=None, unique=True)
    rating: int = 0
    seen_at: datetime | None = None
    is_hidden: bool = False
    secret_note: str = ""
    writer_id: int | None = Field(default=None, foreign_key="writer.id")
    writer: Writer | None = Relationship(back_populates="posts")
    happened: ClassVar[list[str]] = []

    @property
    def shout(self) -> str:
        return self.title.upper()

    @default_scope
    def visible(query: Query["Post"]) -> Query["Post"]:  # type: ignore[misc]
        return query.where(is_hidden=False)

    @before_save
    def note_save(self) -> None:
        self.happened.append(f"save {self.title}")

    @before_destroy
    async def note_destroy(self) -> None:
        if self.title == "Kept":
            raise DeleteRestrictionError("Post", "readers")
        self.happened.append(f"destroy {self.title}")

    @after_commit
    def note_commit(self) -> None:
        self.happened.append(f"commit {self.title}")


async def current_user(x_user: Annotated[str, Header()] = "admin") -> str:
    return x_user


def define_abilities(user: str, rules: Rules) -> None:
    if user == "admin":
        rules.can("manage", Post)
    elif user == "reader":
        rules.can("read", Post, attributes=["id", "title"])
    else:
        rules.can(["read", "create", "update"], Post, Post.slug != "admin")
        rules.cannot(["create", "update"], Post, attributes=["rating"])


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities, user=current_user))]


class PostsController(ResourceController[Post]):
    filter = ("rating", "slug", "seen_at")
    sort = ("title", "rating")
    ability: CurrentAbility


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a connection of its own to the database of the app."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}" if sqlite else request.getfixturevalue("postgres_url")
    database = Database(url)
    database.app_url = url  # type: ignore[attr-defined]
    Base.metadata.create_all(database.sync_engine)
    Post.happened.clear()
    yield database
    Base.metadata.drop_all(database.sync_engine)
    database.sync_engine.dispose()


@pytest.fixture
def app(database: Database) -> FastAPI:
    app = FastAPI()
    install_database(app, database.app_url)  # type: ignore[attr-defined]
    resources(app, "posts", PostsController)
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def created(client: TestClient, **values: Any) -> dict[str, Any]:
    response = client.post("/posts", json={"title": "First", **values})
    assert response.status_code == 201, response.text
    post: dict[str, Any] = response.json()
    return post


def rows(database: Database) -> list[Any]:
    with database.sync_engine.connect() as connection:
        return list(connection.execute(text("SELECT title, slug, rating FROM post ORDER BY id")))


def test_the_schemas_are_the_records_own(client: TestClient) -> None:
    """In the actions and in OpenAPI; a property is shown when the record exposes it."""
    assert (PostsController.output, PostsController.__lineside_types__.keys() != {}) == (Post.Out, True)
    document = client.get("/openapi.json").json()
    create = document["paths"]["/posts"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    update = document["paths"]["/posts/{id}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]
    assert (create["$ref"].rsplit("/")[-1], update["$ref"].rsplit("/")[-1]) == ("PostIn", "PostPatch")
    assert document["components"]["schemas"]["PostIn"]["properties"]["title"]["minLength"] == 1
    assert created(client, slug=" One ") == {
        "id": 1,
        "title": "First",
        "slug": "one",
        "shout": "FIRST",
        "rating": 0,
        "seen_at": None,
    }


def test_the_controller_may_name_fewer_than_the_record() -> None:
    """What it says wins over what the record says."""

    class Narrow(ResourceController[Post]):
        permit = ("title",)
        expose = ("id",)
        ability: CurrentAbility

    assert set(Narrow.__lineside_types__[ResourceController.__parameters__[1]].model_fields) == {"title"}  # type: ignore[attr-defined]
    assert set(Narrow.output.model_fields) == {"id"}


def test_a_record_that_permits_nothing_needs_a_controller_that_does() -> None:
    """The error types the line to add."""
    with pytest.raises(ConfigurationError, match=r'Writers: .*permit = \("title", \.\.\.\)'):

        class Writers(ResourceController[Writer]):
            ability: CurrentAbility


def test_validations_answer_in_fastapis_shape(client: TestClient, database: Database) -> None:
    """On the field, with the words of the model; nothing is written."""
    response = client.post("/posts", json={"title": "Untitled"})
    assert response.status_code == 422
    assert response.json()["detail"] == [
        {"type": "exclusion", "loc": ["body", "title"], "msg": "is reserved", "input": "Untitled"}
    ]
    created(client)
    response = client.patch("/posts/1", json={"title": " "})
    assert [(error["type"], error["loc"]) for error in response.json()["detail"]] == [
        ("blank", ["body", "title"])
    ]
    assert [row.title for row in rows(database)] == ["First"]


def test_validations_answer_as_a_problem_document_to_who_asks_for_one(app: FastAPI) -> None:
    """With our error handlers in the app."""
    from lineside.problems import install_error_handlers

    install_error_handlers(app)
    with TestClient(app) as client:
        response = client.post(
            "/posts", json={"title": "Untitled"}, headers={"accept": "application/problem+json"}
        )
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["loc"] == ["body", "title"]


def test_callbacks_run_and_effects_wait_for_the_commit(client: TestClient) -> None:
    """For creating, changing and destroying."""
    created(client)
    client.patch("/posts/1", json={"title": "Second"})
    assert client.delete("/posts/1").status_code == 204
    assert Post.happened == [
        "save First",
        "commit First",
        "save Second",
        "commit Second",
        "destroy Second",
        "commit Second",
    ]


def test_a_restricted_record_is_a_conflict(client: TestClient, database: Database) -> None:
    """409, and the row stays."""
    created(client, title="Kept")
    response = client.delete("/posts/1")
    assert (response.status_code, response.json()["detail"]) == (
        409,
        "Post still has readers; destroy or move them first",
    )
    assert [row.title for row in rows(database)] == ["Kept"]


def test_a_value_that_is_taken_is_an_error_on_its_field(client: TestClient) -> None:
    """In its normal form."""
    created(client, slug="one")
    response = client.post("/posts", json={"title": "Second", "slug": " ONE"})
    assert response.status_code == 422
    assert response.json()["detail"][0] | {"input": ""} == {
        "type": "taken",
        "loc": ["body", "slug"],
        "msg": "has already been taken",
        "input": "",
    }


def test_a_value_that_is_taken_in_between_is_the_same_error(client: TestClient, database: Database) -> None:
    """The index refuses what the question let through: another writer was faster."""
    created(client, slug="one")
    # The row is there, but hidden from the question: as if it were written a moment later.
    validator = "lineside.models._validation._unique_validator.Uniqueness._is_taken"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validator, lambda *_call: False)
        response = client.post("/posts", json={"title": "Second", "slug": "one"})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "slug"]
    assert len(rows(database)) == 1


def test_an_ability_decides_about_the_normal_form(client: TestClient, database: Database) -> None:
    """What is refused as "admin" is refused as " ADMIN " too."""
    other = {"x-user": "other"}
    for slug in ("admin", " ADMIN "):
        assert client.post("/posts", json={"title": "A", "slug": slug}, headers=other).status_code == 403
    assert client.post("/posts", json={"title": "A", "slug": "b"}, headers=other).status_code == 201
    assert client.patch("/posts/1", json={"slug": " ADMIN "}, headers=other).status_code == 403
    assert client.post("/posts", json={"title": "A", "rating": 5}, headers=other).status_code == 403
    assert [row.slug for row in rows(database)] == ["b"]


def test_an_ability_decides_about_the_normal_form_of_any_schema(database: Database) -> None:
    """Also of one that knows nothing of it."""

    class SlugIn(BaseModel):
        title: str = "A"
        slug: str

    class Own(ResourceController[Post, SlugIn]):
        ability: CurrentAbility

    app = FastAPI()
    install_database(app, database.app_url)  # type: ignore[attr-defined]
    resources(app, "posts", Own)
    other = {"x-user": "other"}
    with TestClient(app) as client:
        assert client.post("/posts", json={"slug": " ADMIN "}, headers=other).status_code == 403
        assert client.post("/posts", json={"slug": "b"}, headers=other).status_code == 201
        assert client.patch("/posts/1", json={"slug": " ADMIN "}, headers=other).status_code == 403
    assert [row.slug for row in rows(database)] == ["b"]


def test_a_reader_sees_the_attributes_of_a_reader(client: TestClient) -> None:
    """Also of what the record exposes."""
    created(client)
    assert client.get("/posts/1", headers={"x-user": "reader"}).json() == {"id": 1, "title": "First"}
    assert client.get("/posts", headers={"x-user": "reader"}).json() == [{"id": 1, "title": "First"}]


def test_what_the_default_scope_hides_is_missing(client: TestClient, database: Database) -> None:
    """In the list and as a member, for reading, changing and destroying."""
    created(client)
    with database.sync_engine.begin() as connection:
        connection.execute(text("UPDATE post SET is_hidden = true"))
    assert client.get("/posts").json() == []
    for method in ("GET", "PATCH", "DELETE"):
        assert client.request(method, "/posts/1", json={}).status_code == 404
    assert len(rows(database)) == 1


def test_a_list_is_filtered_and_sorted_by_what_is_allowed(client: TestClient) -> None:
    """Together, with the part that is asked for; equal rows stand by their key."""
    for title, rating in (("B", 1), ("A", 1), ("C", 2), ("D", 1)):
        created(client, title=title, rating=rating)

    def titles(query: str) -> list[str]:
        response = client.get(f"/posts?{query}")
        assert response.status_code == 200, response.text
        return [post["title"] for post in response.json()]

    assert titles("rating=1&sort=title") == ["A", "B", "D"]
    assert titles("sort=-rating&sort=-title") == ["C", "D", "B", "A"]
    assert titles("sort=rating&limit=2&offset=1") == ["A", "D"]
    assert titles("rating=7") == []
    assert titles(f"rating={2**40}") == []


def test_a_filter_has_the_type_and_the_form_of_its_column(client: TestClient) -> None:
    """A time needs its zone, a number is one that a database has."""
    created(client, slug="one", seen_at="2026-01-01T00:00:00Z")
    assert len(client.get("/posts", params={"slug": " ONE "}).json()) == 1
    assert len(client.get("/posts", params={"seen_at": "2026-01-01T01:00:00+01:00"}).json()) == 1
    for query in ({"seen_at": "2026-01-01T00:00:00"}, {"rating": "x"}, {"rating": str(10**30)}):
        response = client.get("/posts", params=query)
        assert (response.status_code, response.json()["detail"][0]["loc"]) == (422, ["query", *query])


HOSTILE = [
    "secret_note",
    "-secret_note",
    "writer.name",
    "title;DROP TABLE post",
    "title DESC",
    "title,rating",
    "--title",
    "",
    "1",
    "title)) UNION SELECT secret_note FROM post--",
    "post.title",
    "TITLE",
    "title\x00",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_an_order_that_is_not_allowed_is_refused_before_the_database_is_asked(
    client: TestClient, app: FastAPI, value: str
) -> None:
    """422, with the orders that are."""
    statements: list[str] = []

    def note(_connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = app.state.lineside_database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    response = client.get("/posts", params={"sort": value})
    assert response.status_code == 422
    assert response.json()["detail"][0]["ctx"]["expected"] == "'title', '-title', 'rating' or '-rating'"
    assert statements == []


@pytest.mark.parametrize(
    "name", ["secret_note", "is_hidden", "writer", "titel", "id", "rating__gt", "rating[]"]
)
def test_a_filter_that_is_not_allowed_is_refused(client: TestClient, name: str) -> None:
    """Left out in silence it would show everything."""
    response = client.get("/posts", params={name: "1"})
    assert (response.status_code, response.json()["detail"][0]["type"]) == (422, "extra_forbidden")


def test_openapi_has_the_filters_and_orders_with_their_types(client: TestClient) -> None:
    """A generated client knows them."""
    parameters = client.get("/openapi.json").json()["paths"]["/posts"]["get"]["parameters"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters}
    assert {"limit", "offset", "rating", "slug", "seen_at", "sort"} <= schemas.keys()
    assert schemas["sort"]["items"]["enum"] == ["title", "-title", "rating", "-rating"]
    assert schemas["rating"]["anyOf"][0]["type"] == "integer"


@pytest.mark.parametrize("option", ["filter", "sort"])
def test_a_filter_or_an_order_must_be_a_column(option: str) -> None:
    """A relationship or a property is none."""
    declared = {option: ("shout", "writer"), "__annotations__": {"ability": CurrentAbility}}
    with pytest.raises(ConfigurationError, match=rf"Broken: {option} names \['shout', 'writer'\].*'rating'"):
        new_class("Broken", (ResourceController[Post],), exec_body=lambda body: body.update(declared))


def test_a_filter_cannot_have_the_name_of_another_parameter() -> None:
    """A column called `limit` would be taken for the length of the page."""

    class Quota(Base, table=True):
        permit = ("limit",)
        limit: int = 0

    with pytest.raises(ConfigurationError, match=r"filter cannot name \['limit'\]"):

        class Quotas(ResourceController[Quota]):
            filter = ("limit",)
            ability: CurrentAbility
