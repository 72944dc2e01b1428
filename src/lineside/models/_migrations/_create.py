"""Creating and dropping a whole database."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from lineside.exceptions import ConfigurationError
from lineside.models._connection._database import Database
from lineside.models._migrations._connection import connected
from lineside.models._migrations._errors import MigrationError

# What SQLite keeps beside the file of a database.
_COMPANIONS: Final = ("-wal", "-shm", "-journal")


async def create(database: Database) -> bool:
    """Create a database; its user needs the right to.

    Args:
        database: The database that is to be.

    Returns:
        Whether it was created; False when it exists already.

    Raises:
        ConfigurationError: The URL names no database.
        ConnectionNotEstablished: The server does not answer.
        MigrationError: Its user may not create databases.
    """
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        file = _file_of(url)
        is_new = _is_missing(file)
        _make_folder(file)
        async with connected(database):
            return is_new
    async with _maintenance(database) as connection:
        if await _exists(connection, str(url.database)):
            return False
        quoted = connection.dialect.identifier_preparer.quote_identifier(str(url.database))
        await _execute(connection, f"CREATE DATABASE {quoted}")
    return True


async def drop(database: Database) -> bool:
    """Drop a database with all that is in it; its connections are closed first.

    Args:
        database: The database to drop.

    Returns:
        Whether it was dropped; False when there is none.

    Raises:
        ConfigurationError: The URL names no database.
        ConnectionNotEstablished: The server does not answer.
        MigrationError: Somebody else is connected to it.
    """
    url = database.engine.url
    await database.dispose()
    if url.get_backend_name() == "sqlite":
        return _drop_sqlite(_file_of(url))
    async with _maintenance(database) as connection:
        if not await _exists(connection, str(url.database)):
            return False
        quoted = connection.dialect.identifier_preparer.quote_identifier(str(url.database))
        await _execute(connection, f"DROP DATABASE {quoted}")
    return True


@asynccontextmanager
async def _maintenance(database: Database) -> AsyncGenerator[AsyncConnection]:
    """Connect to the database that every server has; no transaction may be around what follows."""
    url = database.engine.url
    if url.get_backend_name() != "postgresql" or not url.database:
        raise ConfigurationError(
            f"{database!r} names no database of PostgreSQL; write postgresql://user@host/name"
        )
    maintenance = Database(url.set(database="postgres").render_as_string(hide_password=False))
    try:
        async with connected(maintenance) as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection
    finally:
        await maintenance.dispose()


async def _execute(connection: AsyncConnection, sql: str) -> None:
    try:
        await connection.exec_driver_sql(sql)
    except DBAPIError as error:
        raise MigrationError(f"{sql} failed: {error.orig}") from error


async def _exists(connection: AsyncConnection, name: str) -> bool:
    found = await connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
    return found is not None


def _file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for one in memory, which is there as soon as it is named."""
    is_in_memory = not url.database or url.database == ":memory:" or "vfs" in url.query
    return None if is_in_memory else Path(str(url.database))


def _is_missing(file: Path | None) -> bool:
    return file is not None and not file.exists()


def _make_folder(file: Path | None) -> None:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)


def _drop_sqlite(file: Path | None) -> bool:
    if file is None or not file.exists():
        return False
    for suffix in ("", *_COMPANIONS):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    return True
