"""Records in routes of FastAPI: schemas as annotations, pages and orders as parameters, errors as answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Query
from sqlalchemy.orm import registry
from sqlmodel import Field
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.exceptions import ConfigurationError
from lineside.models import (
    ConnectionNotEstablished,
    Database,
    KeysetPage,
    KeysetParams,
    Model,
    Page,
    PageParams,
    SortBy,
    StatementTimeout,
    validates,
)
from lineside.models.fastapi import SessionDep, install_database
from lineside.problems import install_error_handlers


class Base(Model, registry=registry()):
    """Keeps these tables apart from those of other tests."""


@validates("title", presence=True, length=(1, 20))
class Book(Base, table=True):
    permit = ("title", "year")
    title: str
    year: int = 0
    owner: str = "nobody"
    secret_key: str = Field(default="planted")


class BookParams(PageParams):
    """The page and the order of a list of books."""

    sort: Annotated[list[str], SortBy("title", "year")] = []


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("read", Book)
    rules.can(["create", "update"], Book, attributes=["title"])


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


def add_books(app: FastAPI) -> None:
    @app.post("/books", status_code=201, response_model=Book.Out)
    async def create(data: Book.In, session: SessionDep) -> Book:
        return await Book.create(data, owner="ada")

    @app.post("/my-books", status_code=201, response_model=Book.Out)
    async def create_mine(data: Book.In, ability: CurrentAbility, session: SessionDep) -> Book:
        return await Book.create(ability.permit(data, "create", Book))

    @app.patch("/books/{id}", response_model=Book.Out)
    async def update(id: int, data: Book.Patch, session: SessionDep) -> Book:
        return await (await Book.find(id)).update(data)

    @app.get("/books/{id}", response_model=Book.Out)
    async def show(id: int, session: SessionDep) -> Book:
        return await Book.find(id)


def add_lists(app: FastAPI) -> None:
    @app.get("/books", response_model=Page[Book.Out])
    async def index(params: Annotated[BookParams, Query()], session: SessionDep) -> Page[Book]:
        return await Book.query().order(*params.sort).page(params.page, params.per_page)

    @app.get("/newest", response_model=KeysetPage[Book.Out])
    async def newest(params: Annotated[KeysetParams, Query()], session: SessionDep) -> KeysetPage[Book]:
        return await Book.order("-year").keyset(params.after, params.limit)

    @app.get("/sorted", response_model=list[Book.Out])
    async def in_order(
        session: SessionDep,
        sort: Annotated[list[str], SortBy("year"), Query()] = [],  # noqa: B006 - FastAPI copies it
    ) -> list[Book]:
        return await Book.order(*sort).all()


def add_failures(app: FastAPI) -> None:
    @app.get("/slow")
    async def slow(session: SessionDep) -> None:
        raise StatementTimeout(30)

    @app.get("/down")
    async def down(session: SessionDep) -> None:
        raise ConnectionNotEstablished("postgresql://ada:hunter2@db/app does not answer")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'a.sqlite3'}"
    else:
        url = request.getfixturevalue("postgres_url")
    other = Database(url)
    Base.metadata.create_all(other.sync_engine)
    yield url
    Base.metadata.drop_all(other.sync_engine)
    other.sync_engine.dispose()


def make_app(url: str) -> FastAPI:
    app = FastAPI()
    install_database(app, url)
    add_books(app)
    add_lists(app)
    add_failures(app)
    return app


@pytest.fixture
def client(url: str) -> Iterator[TestClient]:
    """Give an app that has nothing of ours but its database."""
    with TestClient(make_app(url), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(params=["its database alone", "our error handlers"])
def either(request: pytest.FixtureRequest, url: str) -> Iterator[TestClient]:
    """Give the app as it is, and with our handlers."""
    app = make_app(url)
    if request.param == "our error handlers":
        install_error_handlers(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def created(client: TestClient, title: str, year: int = 0) -> dict[str, Any]:
    response = client.post("/books", json={"title": title, "year": year})
    assert response.status_code == 201, response.text
    book: dict[str, Any] = response.json()
    return book


def test_schemas_are_annotations_also_when_annotations_are_texts(client: TestClient) -> None:
    """This module has them as texts; what code adds is not the client's."""
    book = created(client, "Dune", 1965)
    assert set(book) == {"id", "title", "year", "owner", "created_at", "updated_at"}
    assert (book["title"], book["year"], book["owner"]) == ("Dune", 1965, "ada")
    changed = client.patch(f"/books/{book['id']}", json={"year": 1966}).json()
    assert (changed["title"], changed["year"]) == ("Dune", 1966)
    assert client.get(f"/books/{book['id']}").json() == changed
    assert datetime.fromisoformat(book["created_at"]).tzinfo == UTC


def test_an_ability_cuts_what_the_schema_lets_through(client: TestClient) -> None:
    """In one line of the route: 403 naming the attribute."""
    assert client.post("/my-books", json={"title": "Dune"}).status_code == 201
    refused = client.post("/my-books", json={"title": "Dune", "year": 1965})
    assert (refused.status_code, "year" in refused.json()["detail"]) == (403, True)


def test_a_record_that_breaks_its_validations_is_fastapis_422(either: TestClient) -> None:
    """The same shape as that of a body which breaks its schema."""
    assert either.post("/books", json={"title": ""}).json() == {
        "detail": [
            {"type": "blank", "loc": ["body", "title"], "msg": "can't be blank", "input": ""},
            {
                "type": "too_short",
                "loc": ["body", "title"],
                "msg": "is too short (minimum is 1 character)",
                "input": "",
            },
        ]
    }
    assert either.post("/books", json={"title": ""}).status_code == 422
    assert either.post("/books", json={"title": 5}).json()["detail"][0]["type"] == "string_type"


def test_a_missing_record_is_a_404_without_a_word_of_its_table(either: TestClient) -> None:
    """A key of another type is a 422, for the route says what a key is."""
    response = either.get("/books/77")
    assert (response.status_code, response.json()) == (404, {"detail": "no Book with key 77"})
    assert either.get(f"/books/{10**30}").status_code == 404
    response = either.get("/books/abc")
    assert (response.status_code, response.json()["detail"][0]["loc"]) == (422, ["path", "id"])


def test_a_database_that_does_not_answer_is_a_503_that_says_when_to_come_back(either: TestClient) -> None:
    """Without a word of the database."""
    for path in ("/slow", "/down"):
        response = either.get(path)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert "hunter2" not in response.text


def test_a_page_has_the_records_as_they_are_shown_and_their_number(client: TestClient) -> None:
    """In the order that the client may choose."""
    for title, year in (("B", 2), ("A", 1), ("C", 2)):
        created(client, title, year)
    page = client.get("/books?per_page=2&sort=-year&sort=title").json()
    assert [book["title"] for book in page.pop("items")] == ["B", "C"]
    assert page == {"total": 3, "page": 1, "per_page": 2, "pages": 2}
    second = client.get("/books?per_page=2&page=2&sort=-year&sort=title").json()
    assert [book["title"] for book in second["items"]] == ["A"]
    assert "planted" not in client.get("/books").text


def test_a_cursor_goes_through_all_records_once(client: TestClient) -> None:
    """Also when a record is added on the way."""
    for number in range(5):
        created(client, f"Book {number}", number)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = client.get("/newest", params={"limit": 2, **({"after": cursor} if cursor else {})}).json()
        seen += [book["title"] for book in page["items"]]
        cursor = page["next_cursor"]
        created(client, "Newer", 9)
    assert seen == [f"Book {number}" for number in (4, 3, 2, 1, 0)]
    assert cursor is None


@pytest.mark.parametrize(
    "path",
    [
        "/books?page=0",
        "/books?per_page=101",
        "/books?page=99999999999999999999",
        "/books?page=x",
        "/books?sort=secret_key",
        "/books?sort=-owner",
        "/books?sort=title%20DESC",
        "/sorted?sort=title",
        "/sorted?sort=year&sort=year",
        "/newest?limit=0",
        "/newest?after=",
        "/newest?after=forged",
        "/newest?after=" + "A" * 5000,
    ],
)
def test_a_part_that_is_not_allowed_is_the_clients_fault(either: TestClient, path: str) -> None:
    """4xx, never an error of the database."""
    assert either.get(path).status_code in (400, 422)


def test_openapi_has_pages_and_parameters_with_their_types(client: TestClient) -> None:
    """A page of shown records, and an order with its allowed values."""
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    answer = document["paths"]["/books"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    page = schemas[answer["$ref"].rsplit("/")[-1]]
    assert page["properties"]["items"]["items"]["$ref"].endswith("/BookOut")
    assert "secret_key" not in schemas["BookOut"]["properties"]
    parameters = {p["name"]: p["schema"] for p in document["paths"]["/books"]["get"]["parameters"]}
    assert set(parameters) == {"page", "per_page", "sort"}
    assert parameters["sort"]["items"]["enum"] == ["title", "-title", "year", "-year"]
    assert parameters["per_page"]["maximum"] == 100


@pytest.mark.parametrize("columns", [(), ("-title",), ("",)])
def test_an_order_without_columns_is_an_error(columns: tuple[str, ...]) -> None:
    """The direction is the client's."""
    with pytest.raises(ConfigurationError, match=r'as in SortBy\("title", "created_at"\)'):
        SortBy(*columns)
