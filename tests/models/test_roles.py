"""The reading role: another database, or this one, and in both no way to write."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, select

from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models._connection._ambient import current_session
from lineside.models._exceptions import ReadOnlyError

pytestmark = pytest.mark.anyio


class Base(SQLModel, registry=registry()):
    """The tables of this module."""


class Book(Base, table=True):
    __tablename__ = "roles_book"

    id: int | None = Field(default=None, primary_key=True)
    title: str


WRITES = [
    "INSERT INTO roles_book (title) VALUES ('x')",
    "UPDATE roles_book SET title = 'x'",
    "DELETE FROM roles_book",
    "CREATE TABLE roles_other (id INTEGER)",
    "DROP TABLE roles_book",
]


@pytest.fixture
async def books(database: Database) -> Database:
    """Give a database with one book."""
    async with database.session() as session:
        session.add(Book(title="Emma"))
    return database


@pytest.fixture
async def replicated(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database, and a copy of it that knows one book less."""
    first, second = tmp_path / "first.sqlite3", tmp_path / "second.sqlite3"
    original = Database(f"sqlite:///{first}")
    async with original.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await original.dispose()
    shutil.copy(first, second)
    database = Database(f"sqlite:///{first}", replica_url=f"sqlite:///{second}")
    async with database.session() as session:
        session.add(Book(title="Emma"))
    yield database
    await database.dispose()


async def titles(database: Database) -> list[str]:
    """Read from the database itself."""
    async with database.session() as session:
        return list((await session.exec(select(Book.title))).all())


async def test_it_reads(books: Database) -> None:
    """As any session, and it is the ambient one."""
    async with books.session(role="reading") as session:
        assert current_session() is session
        assert (await session.exec(select(Book.title))).all() == ["Emma"]


@pytest.mark.parametrize("sql", WRITES)
async def test_sql_cannot_write(books: Database, sql: str) -> None:
    """The database itself refuses, whatever the statement is."""
    async with books.session(role="reading") as session:
        connection = await session.connection()
        with pytest.raises(ReadOnlyError, match='role="writing"'):
            await connection.execute(text(sql))
        await session.rollback()
    assert await titles(books) == ["Emma"]


async def test_an_object_cannot_be_written(books: Database) -> None:
    """Neither a new one nor a changed one, with the session's own commit."""
    with pytest.raises(ReadOnlyError):
        async with books.session(role="reading") as session:
            session.add(Book(title="Persuasion"))
    with pytest.raises(ReadOnlyError):
        async with books.session(role="reading") as session:
            (await session.exec(select(Book))).one().title = "x"
    assert await titles(books) == ["Emma"]


async def test_the_connection_can_write_again(books: Database) -> None:
    """The role is that of the session, and the pool is one."""
    for number in range(3):
        async with books.session(role="reading") as session:
            await session.exec(select(Book))
        async with books.session() as session:
            session.add(Book(title=str(number)))
    assert await titles(books) == ["Emma", "0", "1", "2"]


async def test_a_sync_session_has_roles_too(books: Database) -> None:
    """The same rule without ``await``."""
    with books.sync_session(role="reading") as session:
        assert session.exec(select(Book.title)).all() == ["Emma"]
        with pytest.raises(ReadOnlyError):
            session.connection().execute(text(WRITES[0]))
        session.rollback()


async def test_reading_goes_to_the_replica(replicated: Database) -> None:
    """Which is another database; here it lags behind for ever."""
    assert await titles(replicated) == ["Emma"]
    async with replicated.session(role="reading") as session:
        assert (await session.exec(select(Book.title))).all() == []
        assert replicated.owns(session)
        assert await replicated.raw("SELECT title FROM roles_book") == []
    with replicated.sync_session(role="reading") as sync_session:
        assert sync_session.exec(select(Book.title)).all() == []


async def test_the_replica_is_not_written(replicated: Database) -> None:
    """Nor is it by a transaction inside."""
    with pytest.raises(ReadOnlyError):
        async with replicated.session(role="reading"), replicated.transaction() as level:
            level.session.add(Book(title="x"))


async def test_unknown_words_are_refused(database: Database) -> None:
    """The message lists the known ones."""
    with pytest.raises(ConfigurationError, match="known roles: reading, writing"):
        async with database.session(role="admin"):  # type: ignore[arg-type]
            pass
    with pytest.raises(ConfigurationError, match="known levels: READ COMMITTED"):
        async with database.session(isolation_level="SNAPSHOT"):  # type: ignore[arg-type]
            pass
