"""Effects of one's own: what waits for a COMMIT or a ROLLBACK without a record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession as PlainAsyncSession
from sqlalchemy.orm import registry

from lineside.exceptions import CallbackError
from lineside.models import (
    Database,
    Model,
    NoSessionError,
    after_all_transactions_commit,
    after_commit,
    after_rollback,
    transaction,
)
from tests.models.reading import read

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Letter(Base, table=True):
    __tablename__ = "deferred_letter"

    text: str

    @after_commit
    def tell(self) -> None:
        happened.append(f"committed {self.text}")

    @after_rollback
    def tell_undone(self) -> None:
        happened.append(f"undid {self.text}")


happened: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    happened.clear()


def later(what: str) -> Callable[[], None]:
    """Give an effect that says that it ran."""
    return lambda: happened.append(what)


async def letters(database: Database) -> list[str]:
    """Read what is committed, with eyes of its own."""
    return [text for (text,) in await read(database, "SELECT text FROM deferred_letter ORDER BY text")]


@contextmanager
def undone() -> Iterator[None]:
    """Let the error end that rolls a level back."""
    with suppress(ZeroDivisionError):
        yield


class TestAfterAllTransactionsCommit:
    async def test_it_waits_for_the_commit(self, database: Database) -> None:
        """Whoever looks during the effect finds the row."""
        seen: list[list[str]] = []

        async def look() -> None:
            seen.append(await letters(database))

        async with database.session():
            await Letter.create(text="a")
            after_all_transactions_commit(look)
            assert seen == []
        assert seen == [["a"]]

    async def test_it_never_runs_after_a_rollback(self, database: Database) -> None:
        """Neither then nor with the next transaction of the same session."""
        async with database.session() as session:
            await Letter.create(text="gone")
            after_all_transactions_commit(later("never"))
            await session.rollback()
            await Letter.create(text="kept")
        assert happened == ["undid gone", "committed kept"]
        assert await letters(database) == ["kept"]

    async def test_it_never_runs_when_the_block_raises(self, database: Database) -> None:
        """An error that leaves the session's block is a rollback."""
        with undone():
            async with database.session():
                await Letter.create(text="a")
                after_all_transactions_commit(later("never"))
                raise ZeroDivisionError
        assert happened == ["undid a"]
        assert await letters(database) == []

    async def test_it_never_runs_when_a_session_closes_without_a_commit(self, database: Database) -> None:
        """Closing is a rollback."""
        async with PlainAsyncSession(database.engine) as session:
            session.add(Letter(text="a"))
            await session.flush()
            after_all_transactions_commit(later("never"), session=session)
        assert happened == ["undid a"]

    async def test_in_a_savepoint_it_waits_for_the_whole(self, database: Database) -> None:
        """The release of a savepoint is no commit."""
        async with database.session():
            async with transaction():
                async with transaction():
                    after_all_transactions_commit(later("inner"))
                after_all_transactions_commit(later("outer"))
            assert happened == []
        assert happened == ["inner", "outer"]

    async def test_a_savepoint_that_is_undone_takes_it_along(self, database: Database) -> None:
        """Also when it was registered in a level inside that had ended well."""
        async with database.session():
            after_all_transactions_commit(later("around"))
            with undone():
                async with transaction():
                    async with transaction():
                        after_all_transactions_commit(later("never"))
                    raise ZeroDivisionError
        assert happened == ["around"]

    async def test_it_runs_once(self, database: Database) -> None:
        """A second commit of the same session repeats nothing."""
        async with database.session() as session:
            after_all_transactions_commit(later("once"))
            await session.commit()
            await Letter.create(text="a")
        assert happened == ["once", "committed a"]

    async def test_before_the_first_query_of_a_session(self, database: Database) -> None:
        """It waits for the end of the block, though nothing was written."""
        async with database.session():
            after_all_transactions_commit(later("ran"))
            assert happened == []
        assert happened == ["ran"]

    async def test_those_of_records_come_first(self, database: Database) -> None:
        """Then the others, in the order in which they came."""
        async with database.session():
            after_all_transactions_commit(later("first"))
            await Letter.create(text="a")
            after_all_transactions_commit(later("second"))
            await Letter.create(text="b")
        assert happened == ["committed a", "committed b", "first", "second"]

    async def test_in_a_sync_session(self, database: Database) -> None:
        """The same without ``await``."""
        with database.sync_session() as session:
            Letter.sync.create(text="a")
            after_all_transactions_commit(later("ambient"))
            after_all_transactions_commit(later("named"), session=session)
            with undone(), transaction():
                after_all_transactions_commit(later("never"))
                raise ZeroDivisionError
            assert happened == []
        assert happened == ["committed a", "ambient", "named"]
        assert await letters(database) == ["a"]

    async def test_a_named_session_is_the_one_that_counts(self, database: Database) -> None:
        """Not the ambient one, whose commit comes earlier or never."""
        async with PlainAsyncSession(database.engine) as session:
            with undone():
                async with database.session(sqlite_begin="DEFERRED"):
                    after_all_transactions_commit(later("named"), session=session)
                    raise ZeroDivisionError
            assert happened == []
            await session.commit()
        assert happened == ["named"]

    async def test_without_a_session_it_says_so(self) -> None:
        """It does not run at once in silence."""
        with pytest.raises(NoSessionError, match=r"after_all_transactions_commit\(\) needs a session"):
            after_all_transactions_commit(later("never"))
        assert happened == []

    async def test_an_async_effect_needs_an_async_session(self, database: Database) -> None:
        """In a sync one it is an error that says so; the row is committed."""

        async def effect() -> None:
            happened.append("never")

        with database.sync_session() as session:
            Letter.sync.create(text="a")
            after_all_transactions_commit(effect)
            with pytest.raises(CallbackError, match="effect of the transaction"):
                session.commit()
        assert happened == ["committed a"]
        assert await letters(database) == ["a"]

    async def test_one_that_raises_does_not_stop_the_others(self, database: Database) -> None:
        """Whoever commits gets the error, and the row is there."""

        def fail() -> None:
            raise ZeroDivisionError

        async with database.session() as session:
            await Letter.create(text="a")
            after_all_transactions_commit(fail)
            after_all_transactions_commit(later("second"))
            with pytest.raises(ZeroDivisionError):
                await session.commit()
        assert happened == ["committed a", "second"]
        assert await letters(database) == ["a"]

    async def test_one_may_ask_for_another(self, database: Database) -> None:
        """Which waits for the transaction that the first one begins, and runs."""

        async def write() -> None:
            await Letter.create(text="second")
            after_all_transactions_commit(later("after the second"))

        async with database.session():
            await Letter.create(text="first")
            after_all_transactions_commit(write)
        assert happened == ["committed first", "committed second", "after the second"]
        assert await letters(database) == ["first", "second"]


class TestOfATransaction:
    async def test_a_level_that_ends_well_waits_for_those_around_it(self, database: Database) -> None:
        """Its after_commit runs, its after_rollback does not."""
        async with database.session():
            async with transaction() as level:
                level.after_commit(later("committed"))
                level.after_rollback(later("never"))
            assert happened == []
        assert happened == ["committed"]

    async def test_a_level_that_is_undone_says_so_at_once(self, database: Database) -> None:
        """The session around it is still open."""
        async with database.session():
            with undone():
                async with transaction() as level:
                    level.after_commit(later("never"))
                    level.after_rollback(later("undone"))
                    raise ZeroDivisionError
            assert happened == ["undone"]
        assert happened == ["undone"]

    async def test_a_level_inside_is_undone_with_the_one_around_it(self, database: Database) -> None:
        """Though it had ended well itself."""
        async with database.session():
            with undone():
                async with transaction():
                    async with transaction() as inner:
                        inner.after_commit(later("never"))
                        inner.after_rollback(later("undone"))
                    assert happened == []
                    raise ZeroDivisionError
        assert happened == ["undone"]

    async def test_a_level_is_undone_with_its_session(self, database: Database) -> None:
        """The outermost rollback is one of its own, too."""
        async with database.session() as session:
            async with transaction() as level:
                level.after_rollback(later("undone"))
            await session.rollback()
        assert happened == ["undone"]

    async def test_the_outermost_of_a_database(self, database: Database) -> None:
        """Where there is no session, the level is a transaction."""
        async with database.transaction() as level:
            level.after_commit(later("committed"))
            level.after_rollback(later("never"))
        with undone():
            async with database.transaction() as level:
                level.after_commit(later("never"))
                level.after_rollback(later("undone"))
                raise ZeroDivisionError
        assert happened == ["committed", "undone"]

    async def test_of_a_sync_session(self, database: Database) -> None:
        """The same without ``await``."""
        with database.sync_session():
            with transaction() as level:
                level.after_commit(later("committed"))
            with undone(), transaction() as level:
                level.after_rollback(later("undone"))
                raise ZeroDivisionError
        assert happened == ["undone", "committed"]

    async def test_an_async_effect(self, database: Database) -> None:
        """Is waited for, in the session that was committed."""

        async def write() -> None:
            await Letter.create(text="by an effect")

        async with database.transaction() as level:
            level.after_commit(write)
        assert await letters(database) == ["by an effect"]

    async def test_those_of_records_come_first(self, database: Database) -> None:
        """At the commit and at the rollback."""
        async with database.transaction() as level:
            level.after_commit(later("own"))
            await Letter.create(text="a")
        with undone():
            async with database.transaction() as level:
                level.after_rollback(later("own undone"))
                await Letter.create(text="b")
                raise ZeroDivisionError
        assert happened == ["committed a", "own", "undid b", "own undone"]

    async def test_outside_of_its_block_it_says_so(self, database: Database) -> None:
        """Before the block there is no session."""
        level: Any = database.transaction()
        for register in (level.after_commit, level.after_rollback):
            with pytest.raises(NoSessionError, match="outside of its block"):
                register(later("never"))
