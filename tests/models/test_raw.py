"""raw() and exec(): SQL as text, its values always apart from it."""

import pytest
from sqlalchemy import event
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.models import Database
from lineside.models._connection._raw import PreparedStatementInvalid

pytestmark = pytest.mark.anyio

HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE raw_city; --",
    ":name",
    "\\",
    '"',
    "Robert'); --",
    "%s",
    "\u2019",
    "1; SELECT 1",
]


class Base(SQLModel, registry=registry()):
    """The tables of this module."""


class City(Base, table=True):
    __tablename__ = "raw_city"

    id: int | None = Field(default=None, primary_key=True)
    name: str


async def fill(database: Database, *names: str) -> None:
    """Store cities with the ids 1, 2, 3."""
    async with database.session() as session:
        session.add_all([City(id=number, name=name) for number, name in enumerate(names, start=1)])


async def names(database: Database) -> list[str]:
    """Read all names in a session of its own."""
    return [row.name for row in await database.raw("SELECT name FROM raw_city ORDER BY id")]


async def test_rows_have_their_columns_as_attributes(database: Database) -> None:
    """And are tuples, too."""
    await fill(database, "Rome", "Oslo")
    (row,) = await database.raw("SELECT id, name FROM raw_city WHERE id = :id", id=2)
    assert (row.id, row.name) == (2, "Oslo") == tuple(row)


async def test_exec_counts_and_commits(database: Database) -> None:
    """In a session of its own, so that the next one sees it."""
    await fill(database, "Rome", "Oslo", "Bonn")
    assert await database.exec("UPDATE raw_city SET name = :new WHERE id > :id", new="?", id=1) == 2
    assert await names(database) == ["Rome", "?", "?"]


async def test_raw_may_change_rows_and_return_them(database: Database) -> None:
    """It commits as well: RETURNING is no reading."""
    await fill(database, "Rome")
    (row,) = await database.raw("UPDATE raw_city SET name = 'Paris' RETURNING name")
    assert row.name == "Paris"
    assert await names(database) == ["Paris"]


async def test_they_are_part_of_the_ambient_session(database: Database) -> None:
    """They see what it has added, and are rolled back with it."""
    async with database.session() as session:
        session.add(City(id=1, name="Rome"))
        assert await database.exec("UPDATE raw_city SET name = 'Oslo'") == 1
        assert await names(database) == ["Oslo"]
        await session.rollback()
    assert await names(database) == []


async def test_a_session_without_autoflush_is_respected(database: Database) -> None:
    """What its author has not sent is not sent for him."""
    async with database.session() as session:
        session.add(City(id=1, name="Rome"))
        with session.no_autoflush:
            assert await names(database) == []


async def test_the_session_of_another_database_is_not_used(database: Database) -> None:
    """It has other tables."""
    other = Database("sqlite://")
    await fill(database, "Rome")
    async with other.session():
        assert await names(database) == ["Rome"]
    await other.dispose()


@pytest.mark.parametrize("ids", [[1, 3], (1, 3), {1, 3}, frozenset({1, 3})])
async def test_a_list_is_for_in(database: Database, ids: object) -> None:
    """As many parameters as it has items."""
    await fill(database, "Rome", "Oslo", "Bonn")
    found = await database.raw("SELECT name FROM raw_city WHERE id IN :ids ORDER BY id", ids=ids)
    assert [row.name for row in found] == ["Rome", "Bonn"]


async def test_an_empty_list_matches_nothing(database: Database) -> None:
    """And is no error of syntax."""
    await fill(database, "Rome")
    assert await database.raw("SELECT name FROM raw_city WHERE id IN :ids", ids=[]) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "no value for :id, :name;"),
        ({"id": 1}, "no value for :name;"),
        ({"id": 1, "name": "x", "nmae": "y"}, "no parameter for nmae=;"),
        ({"id": 1, "nmae": "y"}, "no value for :name and no parameter for nmae=;"),
    ],
)
async def test_values_and_names_must_match(database: Database, values: dict[str, object], said: str) -> None:
    """The error names both, before anything is sent."""
    sent: list[str] = []
    event.listen(
        database.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: sent.append(statement),
    )
    for call in (database.raw, database.exec):
        with pytest.raises(PreparedStatementInvalid, match=said):
            await call("SELECT 1 FROM raw_city WHERE id = :id AND name = :name", **values)
    assert sent == []


async def test_a_value_may_have_any_name(database: Database) -> None:
    """Also those that Python functions use for themselves."""
    (row,) = await database.raw("SELECT :self AS a, :sql AS b", self="x", sql="y")
    assert tuple(row) == ("x", "y")


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_value_is_never_sql(database: Database, hostile: str) -> None:
    """It arrives as it was sent, and the table is still there."""
    await fill(database, "Rome")
    assert await database.exec("UPDATE raw_city SET name = :name WHERE id = 1", name=hostile) == 1
    assert await names(database) == [hostile]
    assert await database.raw("SELECT 1 FROM raw_city WHERE name IN :names", names=[hostile + "x"]) == []
