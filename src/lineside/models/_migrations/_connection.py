"""A connection to migrate with, or one clear error."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from lineside.models._connection._database import Database
from lineside.models._connection._sqlite import BEGIN_OPTION
from lineside.models._exceptions import ConnectionNotEstablished

READING: Final = {BEGIN_OPTION: "DEFERRED"}
"""For `connected`: SQLite's lock to write is not taken."""


@asynccontextmanager
async def connected(database: Database, **options: Any) -> AsyncGenerator[AsyncConnection]:
    """Take a connection of a database.

    Args:
        database: The database.
        options: SQLAlchemy's execution options for it.

    Raises:
        ConnectionNotEstablished: There is no server, no database, or no permission.
    """
    connection = database.engine.connect()
    try:
        await connection.start()
    except Exception as error:  # every driver has a tree of errors of its own
        said = error.__cause__ if isinstance(error, ConnectionNotEstablished) else error
        raise ConnectionNotEstablished(
            f"cannot connect to {database!r}: {said}; is the server running, and the URL right? "
            "`lineside db create` creates a database that does not exist"
        ) from error
    try:
        await connection.execution_options(**options)
        yield connection
    finally:
        await connection.close()
