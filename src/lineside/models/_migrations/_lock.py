"""One migrator at a time: a second one waits, and then finds the work done."""

import threading
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from lineside.models._exceptions import SerializationFailure
from lineside.models._migrations._errors import ConcurrentMigrationError

_POLL_SECONDS: Final = 0.1
# PostgreSQL's advisory locks belong to one database each, so that one number serves all of them.
_KEY: Final = zlib.crc32(b"lineside.models.migrations")
# The operations of a migration file are functions of the module `alembic.op`: a process has one.
_alembic_op: Final = threading.Lock()


@asynccontextmanager
async def migration_lock(connection: AsyncConnection, seconds: float) -> AsyncGenerator[None]:
    """Hold the migration lock of a database inside a block.

    Args:
        connection: The connection that will migrate.
        seconds: How long to wait for another migrator.

    Raises:
        ConcurrentMigrationError: Another one did not end in time.
    """
    deadline = time.monotonic() + seconds

    async def alone_in_process() -> bool:
        return _alembic_op.acquire(blocking=False)

    await _poll(alone_in_process, deadline, seconds)
    try:
        is_sqlite = connection.dialect.name == "sqlite"
        async with (
            _prepared_sqlite(connection, seconds)
            if is_sqlite
            else _advisory_lock(connection, deadline, seconds)
        ):
            yield
    finally:
        _alembic_op.release()


@asynccontextmanager
async def _advisory_lock(
    connection: AsyncConnection, deadline: float, seconds: float
) -> AsyncGenerator[None]:
    async def acquired() -> bool:
        got = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY})
        await connection.commit()
        return bool(got)

    # Asked again and again: whoever waits inside the server has a snapshot there, and the other's
    # CREATE INDEX CONCURRENTLY waits for that to go away.
    await _poll(acquired, deadline, seconds)
    try:
        yield
    finally:
        if not connection.invalidated:  # a lost connection has lost its locks
            await connection.rollback()
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})
            await connection.commit()


@asynccontextmanager
async def _prepared_sqlite(connection: AsyncConnection, seconds: float) -> AsyncGenerator[None]:
    # A table that is copied and dropped takes the rows of others along, by ON DELETE CASCADE, unless
    # foreign keys are off; `check_foreign_keys` looks at the result. Both pragmas need a connection
    # outside of a transaction.
    wanted = {"foreign_keys": 0, "busy_timeout": int(seconds * 1000)}
    before = await connection.run_sync(_exchange_pragmas, wanted)
    try:
        yield
    finally:
        if not connection.invalidated:
            await connection.rollback()
            await connection.run_sync(_exchange_pragmas, before)


def begin(connection: Connection, seconds: float) -> None:
    """Begin the transaction of one migration; SQLite's locks the database for writing at once.

    Args:
        connection: A connection without a transaction.
        seconds: How long was waited when it fails.

    Raises:
        ConcurrentMigrationError: SQLite stayed locked.
    """
    try:
        connection.begin()
    except SerializationFailure as error:
        raise ConcurrentMigrationError(seconds) from error


def _exchange_pragmas(connection: Connection, values: dict[str, int]) -> dict[str, int]:
    cursor = connection.connection.cursor()
    before: dict[str, int] = {}
    for name, value in values.items():
        cursor.execute(f"PRAGMA {name}")
        (before[name],) = cursor.fetchall()[0]
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()
    return before


async def _poll(acquire: Callable[[], Awaitable[bool]], deadline: float, seconds: float) -> None:
    while not await acquire():
        if time.monotonic() >= deadline:
            raise ConcurrentMigrationError(seconds)
        await anyio.sleep(_POLL_SECONDS)
