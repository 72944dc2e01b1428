"""Transactional tests: what a test writes is undone at its end, commits included."""

from collections.abc import AsyncGenerator, Generator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import TYPE_CHECKING, Any, Final

from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from lineside.models import Database

__all__ = ["TransactionalTests", "transactional_tests"]

_OPTIONS: Final[dict[str, Any]] = {
    "expire_on_commit": False,
    "close_resets_only": False,
    "join_transaction_mode": "create_savepoint",
}


class TransactionalTests:
    """A block in which a database has one connection, with a transaction that is rolled back at its end.

    Make it with `transactional_tests`.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._async_block: AbstractAsyncContextManager[None] | None = None
        self._block: AbstractContextManager[None] | None = None

    async def __aenter__(self) -> None:
        _check_not_open(self._database)
        self._async_block = _async_block(self._database)
        await self._async_block.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if self._async_block is not None:
            await self._async_block.__aexit__(kind, error, trace)

    def __enter__(self) -> None:
        _check_not_open(self._database)
        self._block = _block(self._database)
        self._block.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if self._block is not None:
            self._block.__exit__(kind, error, trace)


def transactional_tests(database: "Database") -> TransactionalTests:
    """Undo at the end of a block whatever is written in it (Rails' ``use_transactional_tests``).

    All sessions of the database share one connection; what they commit is a savepoint's release. So effects
    of commits run, and no other connection sees the rows. Sessions may follow one another or be nested, but
    not run at the same time. Roles and isolation levels have no meaning inside.

    Args:
        database: The database of the app.

    Returns:
        For ``async with`` (async sessions) or ``with`` (sync sessions).
    """
    return TransactionalTests(database)


def _check_not_open(database: "Database") -> None:
    # Before it connects: the second connection would wait for the lock of the first.
    if "session" in vars(database):
        raise ConfigurationError("transactional_tests is already open on this database; use one block")


@asynccontextmanager
async def _async_block(database: "Database") -> AsyncGenerator[None]:
    async with database.engine.connect() as connection:
        outer = await connection.begin()
        try:
            with _replaced(database, _async_sessions(connection), _refused("async with")):
                yield
        finally:
            await outer.rollback()


@contextmanager
def _block(database: "Database") -> Generator[None]:
    with database.sync_engine.connect() as connection:
        outer = connection.begin()
        try:
            with _replaced(database, _refused("with"), _sync_sessions(connection)):
                yield
        finally:
            outer.rollback()


@contextmanager
def _replaced(database: "Database", session: Any, sync_session: Any) -> Generator[None]:
    own = vars(database)
    own.update(session=session, sync_session=sync_session)
    try:
        yield
    finally:
        del own["session"], own["sync_session"]


def _async_sessions(connection: "AsyncConnection") -> Any:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from lineside.models import use_session

    @asynccontextmanager
    async def session(**_options: Any) -> AsyncGenerator[AsyncSession]:
        async with AsyncSession(connection, **_OPTIONS) as opened:
            with use_session(opened):
                yield opened
            await opened.commit()

    return session


def _sync_sessions(connection: "Connection") -> Any:
    from sqlmodel import Session

    from lineside.models import use_session

    @contextmanager
    def sync_session(**_options: Any) -> Generator[Session]:
        with Session(connection, **_OPTIONS) as opened:
            with use_session(opened):
                yield opened
            opened.commit()

    return sync_session


def _refused(block: str) -> Any:
    def session(**_options: Any) -> Any:
        raise ConfigurationError(
            f"`{block} transactional_tests(database)` has one connection, which sessions of the other kind "
            "cannot use; write the test with one kind of sessions"
        )

    return session
