"""transaction(): each level is kept or undone alone, read back through another session."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import LiteralString

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.models import Database
from lineside.models._connection._ambient import current_session, use_session
from lineside.models._connection._transactions import transaction
from lineside.models._exceptions import NoSessionError

pytestmark = pytest.mark.anyio


# Ends by itself, for a driver that cannot cancel it.
SLOW: dict[str, LiteralString] = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": (
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 500000) SELECT max(i) FROM n"
    ),
}


class Base(SQLModel, registry=registry()):
    """The tables of this module."""


class Entry(Base, table=True):
    __tablename__ = "transactions_entry"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


class OutOfOrderError(Exception):
    """Whatever an app may raise."""


@contextmanager
def out_of_order() -> Generator[None]:
    """Expect that the block's error reaches whoever is outside of it."""
    with pytest.raises(OutOfOrderError):
        yield


async def stored(database: Database) -> list[str]:
    """Read what is committed, through a connection of its own."""
    async with database.session(role="reading") as session:
        return list((await session.exec(select(Entry.name).order_by(Entry.name))).all())


def add(name: str) -> None:
    """Add an entry to the ambient session."""
    current_session().add(Entry(name=name))


class TestInASession:
    """A level is a savepoint of the ambient session."""

    async def test_it_is_committed_with_the_session(self, database: Database) -> None:
        """Nobody else sees it before."""
        async with database.session():
            async with transaction():
                add("inner")
            assert await stored(database) == []
        assert await stored(database) == ["inner"]

    async def test_an_exception_undoes_exactly_its_level(self, database: Database) -> None:
        """It goes on to the caller, who may catch it and go on."""
        async with database.session():
            add("before")
            with out_of_order():
                async with transaction():
                    add("undone")
                    raise OutOfOrderError
            add("after")
        assert await stored(database) == ["after", "before"]

    async def test_levels_nest(self, database: Database) -> None:
        """The middle one takes its inner one with it, which had ended well."""
        async with database.session(), transaction():
            add("first")
            with out_of_order():
                async with transaction():
                    async with transaction():
                        add("second")
                    raise OutOfOrderError
            async with transaction():
                add("third")
        assert await stored(database) == ["first", "third"]

    async def test_an_exception_that_nobody_catches_undoes_all(self, database: Database) -> None:
        """The session's own rule is unchanged."""
        with out_of_order():
            async with database.session(), transaction():
                add("undone")
                raise OutOfOrderError
        assert await stored(database) == []

    async def test_a_refused_row_costs_its_level_alone(self, database: Database) -> None:
        """On PostgreSQL, too, where an error otherwise spoils the whole transaction."""
        async with database.session() as session:
            session.add(Entry(name="taken"))
            await session.flush()
            with pytest.raises(IntegrityError):
                async with transaction():
                    add("taken")
            add("other")
        assert await stored(database) == ["other", "taken"]

    async def test_a_row_is_refused_at_the_end_of_its_level(self, database: Database) -> None:
        """The level sends what it has to the database before it ends, so the error is its own."""
        async with database.session() as session:
            level = transaction(session)
            await level.__aenter__()
            session.add(Entry(name=None))  # type: ignore[arg-type]
            with pytest.raises(IntegrityError):
                await level.__aexit__(None, None, None)
            add("other")
        assert await stored(database) == ["other"]

    async def test_a_cancelled_level_is_undone(self, database: Database) -> None:
        """What is cancelled inside of it is an exception like any other."""
        async with database.session() as session:
            session.add(Entry(name="kept"))
            with pytest.raises(asyncio.CancelledError):
                await self.cancelled(session)
        assert await stored(database) == ["kept"]

    @staticmethod
    async def cancelled(session: AsyncSession) -> None:
        """Write in a level, and be cancelled there."""
        async with transaction(session):
            session.add(Entry(name="undone"))
            await session.flush()
            raise asyncio.CancelledError

    async def test_a_statement_that_is_cancelled_stays_a_cancellation(self, database: Database) -> None:
        """It is no error of the database, and the pool has its connection back."""
        started = asyncio.Event()
        event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *_: started.set())
        task = asyncio.create_task(database.raw(SLOW[database.engine.dialect.name]))
        async with asyncio.timeout(10):
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert database.engine.pool.checkedout() == 0
        assert await stored(database) == []

    async def test_it_tells_its_session(self, database: Database) -> None:
        """The ambient one, or the one that was given, which is ambient inside."""
        async with database.session() as session, transaction() as one:
            assert one.session is session
            assert one.sync_session is session.sync_session
        async with AsyncSession(database.engine) as own:
            async with transaction(own) as two:
                assert two.session is own
                assert current_session() is own
            await own.commit()

    async def test_without_a_session_it_says_so(self) -> None:
        """The error names the remedy."""
        with pytest.raises(NoSessionError, match=r"transaction\(\) needs a session"):
            async with transaction():
                pass
        with pytest.raises(NoSessionError, match="outside of its block"):
            _ = transaction().sync_session


class TestOfADatabase:
    """Without a session of this database there is one for the block."""

    async def test_it_opens_a_session_and_commits(self, database: Database) -> None:
        """The session is the ambient one inside the block."""
        async with database.transaction() as opened:
            opened.session.add(Entry(name="Ada"))
            assert current_session() is opened.session
        assert await stored(database) == ["Ada"]

    async def test_it_rolls_back(self, database: Database) -> None:
        """The exception goes on."""
        with out_of_order():
            async with database.transaction():
                add("undone")
                raise OutOfOrderError
        assert await stored(database) == []

    async def test_inside_its_own_it_is_a_savepoint(self, database: Database) -> None:
        """The first commits, and the second is a part of it."""
        async with database.transaction() as outer:
            add("kept")
            with out_of_order():
                async with database.transaction() as inner:
                    assert inner.session is outer.session
                    add("undone")
                    raise OutOfOrderError
        assert await stored(database) == ["kept"]

    async def test_a_session_of_another_database_is_not_used(self, database: Database) -> None:
        """A savepoint there would guard nothing here."""
        other = Database("sqlite://")
        async with other.session() as foreign, database.transaction() as own:
            assert own.session is not foreign
            own.session.add(Entry(name="Ada"))
        assert await stored(database) == ["Ada"]
        await other.dispose()

    async def test_a_session_that_was_opened_by_hand_is_used(self, database: Database) -> None:
        """It need not come from `Database.session`."""
        async with AsyncSession(database.engine) as session:
            with use_session(session):
                async with database.transaction() as level:
                    assert level.session is session
            await session.rollback()
        async with database.engine.connect() as connection, AsyncSession(connection) as session:
            assert database.owns(session)
        async with AsyncSession() as unbound:
            assert not database.owns(unbound)

    async def test_savepoints_are_real(self, database: Database) -> None:
        """What was undone was in the database before."""
        async with database.transaction() as outer:
            with out_of_order():
                async with database.transaction():
                    add("undone")
                    count = text("SELECT count(*) FROM transactions_entry")
                    assert await outer.session.scalar(count) == 1
                    raise OutOfOrderError
            assert await outer.session.scalar(count) == 0
