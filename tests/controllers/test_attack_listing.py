"""Injection through filters and orders of a ResourceController: nothing but values reaches the database."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import event
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.models import Database, Model
from lineside.models.fastapi import install_database
from lineside.routing import resources

SHARED = registry()


class Base(Model, registry=SHARED):
    """Keeps these tables apart from those of other tests."""


class Plain(SQLModel, registry=SHARED):
    """Tables that are no records."""


class Listed(Base, table=True):
    permit = ("title", "size")
    title: str = ""
    size: int = 0
    hashed_password: str = "planted"


class Bare(Plain, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str = ""
    size: int = 0
    hashed_password: str = "planted"


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("manage", "all")


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class ListedController(ResourceController[Listed]):
    filter = ("title", "size")
    sort = ("title", "size")
    ability: CurrentAbility


class BareController(ResourceController[Bare]):
    permit = ("title",)
    filter = ("title", "size")
    sort = ("title", "size")
    ability: CurrentAbility


BEGINNINGS = ("", "title", "1", "title'", 'title"', "1)", "size`", "%", "title\\")
ENDINGS = (
    "' OR '1'='1",
    '" OR "1"="1',
    "; DROP TABLE listed",
    "; DELETE FROM listed;--",
    " UNION SELECT hashed_password FROM listed",
    ") UNION ALL SELECT NULL, NULL, hashed_password, 1 FROM listed--",
    " DESC, (SELECT hashed_password FROM listed LIMIT 1)",
    ", (CASE WHEN (SELECT 1)=1 THEN title ELSE size END)",
    "/**/OR/**/1=1#",
    " AND pg_sleep(5)--",
    "||(SELECT hashed_password FROM listed LIMIT 1)||'",
    " COLLATE nocase",
    "\n--",
    "\t;SELECT 1",
    "%00",
    "::text",
    " NULLS FIRST",
    "__class__",
    ".hashed_password",
    "->>'$.secret'",
    " LIKE '%",
    "0x27204f52",
    "\uff07 OR 1=1",
    "{{7*7}}",
)
PAYLOADS = [begin + end for begin, end in product(BEGINNINGS, ENDINGS)]


class Watched:
    """A client, and the statements that the database gets."""

    def __init__(self, client: TestClient, app: FastAPI) -> None:
        self.client = client
        self.statements: list[str] = []
        engine = app.state.lineside_database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", self._note)

    def get(self, path: str, **query: str) -> tuple[int, Any, list[str]]:
        """Ask; return the status, the answer, and the statements."""
        self.statements.clear()
        response = self.client.get(path, params=query)
        return response.status_code, response.json(), [*self.statements]

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self.statements.append(statement)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}" if sqlite else request.getfixturevalue("postgres_url")
    other = Database(url)
    Base.metadata.create_all(other.sync_engine)
    with other.sync_session() as session:
        session.add_all([Listed(title="One"), Bare(title="One")])
    app = FastAPI()
    install_database(app, url)
    resources(app, "listed", ListedController)
    resources(app, "bare", BareController)
    with TestClient(app) as client:
        yield Watched(client, app)
    Base.metadata.drop_all(other.sync_engine)
    other.sync_engine.dispose()


def test_a_hostile_text_in_a_filter_is_a_value(watched: Watched) -> None:
    """The statement is the one of an ordinary value, and finds nothing."""
    assert len(PAYLOADS) >= 200
    status, found, ordinary = watched.get("/listed", title="nothing")
    assert (status, found) == (200, [])
    for payload in PAYLOADS:
        assert watched.get("/listed", title=payload) == (200, [], ordinary), payload
    assert len(watched.get("/listed")[1]) == 1


def test_a_hostile_text_anywhere_else_never_reaches_the_database(watched: Watched) -> None:
    """As an order, as a number, as the name of a filter, as a part of the list: 422 each."""
    for payload in PAYLOADS:
        for query in ({"sort": payload}, {"size": payload}, {payload: "1"}, {"limit": payload}):
            status, _answer, statements = watched.get("/listed", **query)
            assert (status, statements) == (422, []), query


@pytest.mark.parametrize("path", ["/listed", "/bare"])
@pytest.mark.parametrize("name", ["hashed_password", "-hashed_password", "id", "created_at"])
def test_a_column_that_is_not_named_cannot_be_sorted_or_filtered_by(
    watched: Watched, path: str, name: str
) -> None:
    """Its order would tell its values, one comparison after the other."""
    assert watched.get(path, sort=name)[0] == 422
    assert watched.get(path, **{name: "x"})[0] == 422


def test_a_nul_in_a_text_is_no_error_of_the_server(watched: Watched) -> None:
    """PostgreSQL has no such text: no row can have it."""
    status, _answer, _statements = watched.get("/listed", title="One\x00")
    assert status in (200, 422)
