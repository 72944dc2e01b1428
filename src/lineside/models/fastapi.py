"""One database session per request, committed before the response is sent.

    from fastapi import FastAPI
    from lineside.models.fastapi import SessionDep, install_database

    app = FastAPI()
    install_database(app, "sqlite://")

    @app.get("/dialect")
    async def dialect(session: SessionDep) -> str:
        return (await session.connection()).dialect.name

The session closes before the response leaves, so that a failing COMMIT is a 500 and not a 200. An error of
lineside that a client can act on, `RecordNotFound` for instance, is answered with its own status, also in an
app without error handlers of ours.
"""

import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Final

from fastapi import Depends, FastAPI
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import HTTPConnection

from lineside._lifespan import check_not_started, wrap_lifespan
from lineside.exceptions import ConfigurationError, LinesideError
from lineside.models._connection._database import DEFAULT_URL, Database
from lineside.models._connection._sqlite import SQLiteBegin
from lineside.problems import to_http_exception

__all__ = [
    "DatabaseDep",
    "ReadingSessionDep",
    "SessionDep",
    "get_database",
    "get_reading_session",
    "get_session",
    "install_database",
]

_STATE = "lineside_database"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 section 9.2.1
_logger = logging.getLogger("lineside.models")


def install_database(
    app: FastAPI, url: str | Database = DEFAULT_URL, *, create_tables: bool = False
) -> Database:
    """Give an app its database; the pool is closed when the app stops.

    Args:
        app: The app.
        url: A database URL, or a `Database`.
        create_tables: Create missing tables when the app starts; for development and examples.

    Returns:
        The database, also found at ``app.state.lineside_database``.

    Raises:
        ConfigurationError: The app already answers requests, or the URL is wrong.
    """
    check_not_started(app, "install_database()")
    database = url if isinstance(url, Database) else Database(url)
    setattr(app.state, _STATE, database)

    @asynccontextmanager
    async def opened(_app: FastAPI) -> AsyncGenerator[None]:
        if create_tables:
            await database.create_all()
        try:
            yield
        finally:
            await database.dispose()

    wrap_lifespan(app, opened)
    return database


async def get_database(connection: HTTPConnection) -> Database:
    """Return the app's database; for ``Depends``.

    Raises:
        ConfigurationError: The app has none.
    """
    database: Database | None = getattr(connection.app.state, _STATE, None)
    if database is None:
        raise ConfigurationError("the app has no database: call install_database(app, url) where it is made")
    return database


DatabaseDep = Annotated[Database, Depends(get_database)]
"""The app's `Database`."""


async def get_session(connection: HTTPConnection, database: DatabaseDep) -> AsyncGenerator[AsyncSession]:
    """Open the session of one request; for ``Depends``, overridable in tests.

    On SQLite the transaction of a POST, PUT, PATCH or DELETE begins with the lock to write, so that what it
    reads is still true when it writes. That of a safe method, or of a WebSocket, which may stay for hours,
    begins without: readers do not wait for each other. It may write all the same, and answers 503 when
    another request has written since it began to read.
    """
    with _answering(connection):
        async with database.session(sqlite_begin=_begin(connection)) as session:
            yield session


async def get_reading_session(
    connection: HTTPConnection, database: DatabaseDep
) -> AsyncGenerator[AsyncSession]:
    """Open a session that only reads, from the replica if there is one; for ``Depends``."""
    with _answering(connection):
        async with database.session(role="reading") as session:
            yield session


def _begin(connection: HTTPConnection) -> SQLiteBegin:
    return "DEFERRED" if connection.scope.get("method", "GET") in _SAFE_METHODS else "IMMEDIATE"


@contextmanager
def _answering(connection: HTTPConnection) -> Generator[None]:
    """Let FastAPI answer our errors where the app has no handler for them.

    A 500 is the developer's to see, as any other exception.
    """
    try:
        yield
    except LinesideError as error:
        answer = to_http_exception(error, connection)
        if answer is error or error.status_hint == 500 or connection.scope["type"] != "http":
            raise
        if error.status_hint > 500:
            _logger.error("%s: %s", type(error).__name__, error, exc_info=error)  # not sent, so written down
        raise answer from error


# "function": it closes before the response is sent. With FastAPI's default the client would already
# have its 200 when a COMMIT fails.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
"""The session of this request: committed before the response, rolled back on an error."""

ReadingSessionDep = Annotated[AsyncSession, Depends(get_reading_session, scope="function")]
"""A session of this request that cannot write: of the replica, if there is one."""
