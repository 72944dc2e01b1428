"""One database session per request, committed before the response is sent.

    from fastapi import FastAPI
    from lineside.models.fastapi import SessionDep, install_database

    app = FastAPI()
    install_database(app, "sqlite://")

    @app.get("/dialect")
    async def dialect(session: SessionDep) -> str:
        return (await session.connection()).dialect.name

The session closes before the response leaves, so that a failing COMMIT is a 500 and not a 200.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import HTTPConnection

from lineside._lifespan import check_not_started, wrap_lifespan
from lineside.exceptions import ConfigurationError
from lineside.models._database import DEFAULT_URL, Database

__all__ = ["DatabaseDep", "SessionDep", "get_database", "get_session", "install_database"]

_STATE = "lineside_database"


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


async def get_session(database: DatabaseDep) -> AsyncGenerator[AsyncSession]:
    """Open the session of one request; for ``Depends``, overridable in tests."""
    async with database.session() as session:
        yield session


# "function": it closes before the response is sent. With FastAPI's default the client would already
# have its 200 when a COMMIT fails.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
"""The session of this request: committed before the response, rolled back on an error."""
