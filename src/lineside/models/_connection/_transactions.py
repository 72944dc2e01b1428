"""Transactions that nest: a savepoint in the session that is there, else a session of their own."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction
from sqlmodel import Session as SQLModelSession
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelAsyncSession

from lineside.models._connection._ambient import AnySession, current_session, run, sync_side, use_session
from lineside.models._exceptions import NoSessionError, SerializationFailure
from lineside.models._lifecycle._run_effects import Effect
from lineside.models._lifecycle._unit import Unit

if TYPE_CHECKING:
    from lineside.models._connection._database import Database
    from lineside.models._connection._drivers import IsolationLevel

_Result = TypeVar("_Result")

_WHAT: Final = "transaction()"
_FIRST_PAUSE_SECONDS: Final = 0.02


class Transaction:
    """One level of a transaction, for ``async with`` and, with a sync session, for ``with``.

    In a session it is a savepoint, also inside another one. An exception that leaves the block rolls back
    exactly this level and goes on; whoever catches it outside may go on with the levels around it (Rails'
    ``transaction(requires_new: true)``).

    Make it with `transaction` or `Database.transaction`, and enter it once.
    """

    def __init__(self, session: AnySession | None = None, *, database: "Database | None" = None) -> None:
        self._given = session
        self._database = database
        self._entered: AnySession | None = None
        self._stack = ExitStack()
        self._async_stack = AsyncExitStack()

    @property
    def session(self) -> AsyncSession:
        """The session of this level.

        Raises:
            NoSessionError: The block has not been entered, or its session is a sync one.
        """
        if not isinstance(self._entered, AsyncSession):
            raise NoSessionError("transaction.session, which is None or sync here,")
        return self._entered

    @property
    def sync_session(self) -> Session:
        """The session of this level as SQLAlchemy's ORM sees it: `AsyncSession` stands on one, too.

        Raises:
            NoSessionError: The block has not been entered.
        """
        if self._entered is None:
            raise NoSessionError("transaction.sync_session outside of its block")
        return sync_side(self._entered)

    def after_commit(self, effect: Effect) -> None:
        """Run something when this level and all around it are committed (as Rails' ``after_commit``).

        Args:
            effect: A function without arguments, sync or async; see `after_all_transactions_commit`.
        """
        session = self.sync_session
        Unit.of(session).effects.after_commit(session, effect)

    def after_rollback(self, effect: Effect) -> None:
        """Run something if this level, or one around it, is rolled back.

        Args:
            effect: A function without arguments, sync or async.
        """
        session = self.sync_session
        Unit.of(session).effects.after_rollback(session, effect)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            session = self._existing()
            if session is None:
                session = await stack.enter_async_context(self._opener().session())
            else:
                stack.enter_context(use_session(session))
                await stack.enter_async_context(_async_savepoint(session))
            self._entered = session
            self._async_stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._async_stack.__aexit__(kind, error, trace)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            session = self._existing()
            if session is None:
                session = stack.enter_context(self._opener().sync_session())
            elif isinstance(session, AsyncSession):
                raise NoSessionError(
                    "`with transaction()`, which finds an AsyncSession (write `async with`),"
                )
            else:
                stack.enter_context(use_session(session))
                stack.enter_context(_savepoint(session))
            self._entered = session
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _existing(self) -> AnySession | None:
        if self._given is not None:
            return self._given
        return current_session(_WHAT) if self._database is None else ambient_session_of(self._database)

    def _opener(self) -> "Database":
        if self._database is None:
            raise NoSessionError(_WHAT)
        return self._database


def transaction(session: AnySession | None = None) -> Transaction:
    """Open a savepoint in the ambient session, or in the one that is given.

    Args:
        session: The session to use, ambient inside the block; None means the ambient one.

    Returns:
        For ``async with`` (any session) or ``with`` (a sync session).

    Raises:
        NoSessionError: When it is entered, and there is no session.
    """
    return Transaction(session)


def ambient_session_of(database: "Database") -> AnySession | None:
    """Return the ambient session if it works on this database, else None."""
    try:
        session = current_session()
    except NoSessionError:
        return None
    return session if database.owns(session) else None


def _begin(session: Session) -> SessionTransaction:
    return session.begin_nested().__enter__()


@contextmanager
def _savepoint(session: Session) -> Generator[None]:
    with session.begin_nested():
        yield


@asynccontextmanager
async def _async_savepoint(session: AnySession) -> AsyncGenerator[None]:
    level = await run(_begin, session, _WHAT)
    try:
        yield
    except BaseException:
        failure = sys.exc_info()
        await run(lambda _: level.__exit__(*failure), session, _WHAT)
        raise
    await run(lambda _: level.__exit__(None, None, None), session, _WHAT)


async def run_transaction(
    database: "Database",
    work: Callable[[SQLModelAsyncSession], Awaitable[_Result]],
    *,
    retries: int,
    isolation_level: "IsolationLevel | None",
) -> _Result:
    """See `Database.run_transaction`."""
    for attempt in range(retries):
        try:
            return await _once(database, work, isolation_level)
        except SerializationFailure:
            await asyncio.sleep(_pause_seconds(attempt))
    return await _once(database, work, isolation_level)


async def _once(
    database: "Database",
    work: Callable[[SQLModelAsyncSession], Awaitable[_Result]],
    isolation_level: "IsolationLevel | None",
) -> _Result:
    async with database.session(isolation_level=isolation_level) as session:
        return await work(session)


def run_sync_transaction(
    database: "Database",
    work: Callable[[SQLModelSession], _Result],
    *,
    retries: int,
    isolation_level: "IsolationLevel | None",
) -> _Result:
    """See `Database.run_sync_transaction`."""
    for attempt in range(retries):
        try:
            with database.sync_session(isolation_level=isolation_level) as session:
                return work(session)
        except SerializationFailure:
            time.sleep(_pause_seconds(attempt))
    with database.sync_session(isolation_level=isolation_level) as session:
        return work(session)


def _pause_seconds(attempt: int) -> float:
    # Without the chance in it, those who collided once would collide again.
    return random.uniform(0, _FIRST_PAUSE_SECONDS * 2**attempt)  # noqa: S311 - spreads load, guards nothing
