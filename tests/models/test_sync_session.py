"""sync_session(): the same database, the same rules, without ``await``."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, select

from lineside.models import Database
from lineside.models._connection._ambient import current_session, current_sync_session
from lineside.models._connection._transactions import transaction
from lineside.models._exceptions import NoSessionError

pytestmark = pytest.mark.anyio


class Base(SQLModel, registry=registry()):
    """The tables of this module."""


class Task(Base, table=True):
    __tablename__ = "sync_task"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    parent_id: int | None = Field(default=None, foreign_key="sync_task.id")


class OutOfOrderError(Exception):
    """Whatever an app may raise."""


@contextmanager
def out_of_order() -> Generator[None]:
    """Expect that the block's error reaches whoever is outside of it."""
    with pytest.raises(OutOfOrderError):
        yield


async def stored(database: Database) -> list[str]:
    """Read what is committed, through the other driver."""
    async with database.session(role="reading") as session:
        return list((await session.exec(select(Task.name).order_by(Task.name))).all())


async def test_it_commits_and_can_be_read_after(database: Database) -> None:
    """It is SQLModel's session, and ambient in its block."""
    with database.sync_session() as session:
        assert isinstance(session, Session)
        assert current_session() is session is current_sync_session()
        task = Task(name="paint")
        session.add(task)
    assert task.id == 1
    assert await stored(database) == ["paint"]


async def test_it_rolls_back(database: Database) -> None:
    """When its block raises, and when its commit fails; the next one works."""
    with out_of_order(), database.sync_session() as session:
        session.add(Task(name="undone"))
        session.flush()
        raise OutOfOrderError
    with pytest.raises(IntegrityError), database.sync_session() as session:
        session.add_all([Task(name="twice"), Task(name="twice")])
    with database.sync_session() as session:
        session.add(Task(name="kept"))
    assert await stored(database) == ["kept"]


async def test_it_is_closed_after_its_block(database: Database) -> None:
    """Nobody would give its connection back."""
    with database.sync_session() as session:
        session.connection()
    with pytest.raises(InvalidRequestError, match="closed"):
        session.connection()


async def test_transactions_nest(database: Database) -> None:
    """With the same word, and a plain ``with``."""
    with database.sync_session() as session:
        with transaction() as level:
            assert level.sync_session is session
            session.add(Task(name="kept"))
            with out_of_order(), database.transaction():
                session.add(Task(name="undone"))
                raise OutOfOrderError
        with pytest.raises(NoSessionError):
            _ = level.session
    assert await stored(database) == ["kept"]


async def test_a_transaction_of_its_own(database: Database) -> None:
    """The database opens a session for it."""
    with database.transaction() as level:
        level.sync_session.add(Task(name="kept"))
    with out_of_order(), database.transaction() as level:
        level.sync_session.add(Task(name="undone"))
        raise OutOfOrderError
    assert await stored(database) == ["kept"]


async def test_an_async_block_takes_a_sync_session(database: Database) -> None:
    """As all else here; it is the other way round that cannot be."""
    with database.sync_session() as session:
        async with transaction(session):
            session.add(Task(name="kept"))
        assert await database.raw("SELECT name FROM sync_task") == [("kept",)]
    async with database.session():
        with pytest.raises(NoSessionError, match="async with"), transaction():
            pass
        with pytest.raises(NoSessionError, match="without `await`"):
            database.sync_raw("SELECT 1")


async def test_a_sync_transaction_needs_a_session() -> None:
    """The error names the remedy."""
    with pytest.raises(NoSessionError, match=r"transaction\(\) needs a session"), transaction():
        pass


async def test_raw_and_exec(database: Database) -> None:
    """In the ambient session, or one of their own."""
    assert database.sync_exec("INSERT INTO sync_task (name) VALUES (:name)", name="paint") == 1
    with database.sync_session() as session:
        session.add(Task(name="sand"))
        found = database.sync_raw("SELECT name FROM sync_task WHERE name IN :names", names=["sand", "x"])
        assert [row.name for row in found] == ["sand"]
        session.rollback()
    assert await stored(database) == ["paint"]


async def test_threads_have_their_own(database: Database) -> None:
    """FastAPI runs sync endpoints in threads; the pool serves them all."""

    def add(number: int) -> None:
        with database.sync_session() as session:
            session.add(Task(name=f"{number:02}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert await stored(database) == [f"{number:02}" for number in range(20)]


async def test_sqlite_is_told_the_same(tmp_path: Path) -> None:
    """WAL, NORMAL, five seconds of patience, and foreign keys."""
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    expected = {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000, "foreign_keys": 1}
    with database.sync_session() as session:
        found = {name: session.scalar(text(f"PRAGMA {name}")) for name in expected}
    assert found == expected
    await database.dispose()


def test_a_missing_driver_names_the_extra() -> None:
    """PostgreSQL by asyncpg needs psycopg for this, and says so when it is asked for."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from lineside.models import Database\n"
        "try:\n    Database('postgresql://h/d').sync_engine\nexcept ImportError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "'psycopg' is not installed. Run: pip install 'lineside[psycopg]'\n"


@pytest.mark.services
@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize("parameter", ["ssl", "sslmode"])
async def test_tls_has_one_spelling_for_all_drivers(postgres_url: str, driver: str, parameter: str) -> None:
    """``ssl`` is asyncpg's word and ``sslmode`` libpq's; a URL may have either."""
    database = Database(f"{postgres_url.replace('postgresql', driver, 1)}?{parameter}=disable")
    assert await database.raw("SELECT 1") == [(1,)]
    assert database.sync_raw("SELECT 1") == [(1,)]
    await database.dispose()


@pytest.mark.services
async def test_psycopg_is_async_too(postgres_url: str) -> None:
    """The other driver of PostgreSQL, by its URL."""
    database = Database(postgres_url.replace("postgresql", "postgresql+psycopg", 1))
    assert database.engine.dialect.driver == "psycopg"
    async with database.transaction() as level:
        await database.exec("CREATE TEMPORARY TABLE sync_other (id INTEGER)")
        assert await level.session.scalar(text("SELECT count(*) FROM sync_other")) == 0
    await database.dispose()
