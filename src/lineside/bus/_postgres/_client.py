"""asyncpg with a bound on everything it waits for.

Its own timeouts send a request to cancel over a connection of their own, which waits for ever for a server
that is paused. Here a connection that is too late is dropped instead.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from lineside.bus._errors import BusError, BusUnavailable
from lineside.bus._postgres._schema import MARK, SCHEMA
from lineside.exceptions import ConfigurationError, MissingDependencyError

try:
    import asyncpg  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
except ImportError as _missing:
    raise MissingDependencyError("asyncpg", extra="postgres") from _missing

__all__ = ["Connection", "connect", "prepare", "run"]

_MARKED: Final = "SELECT obj_description(to_regclass('lineside_bus_streams'), 'pg_class')"
_LOCK: Final = "SELECT pg_advisory_xact_lock(7310575174003110000)"
_CONNECT_SECONDS: Final = 2
_DROP_SECONDS: Final = 1.0

Connection = Any
"""A connection of asyncpg, which ships no types."""

_T = TypeVar("_T")

# What another try may find mended.
_PASSING: Final[tuple[type[Exception], ...]] = (
    OSError,
    asyncpg.InterfaceError,
    # What the client says when a connection ended between two of its steps.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    # The database was emptied: the next connection makes the tables again.
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
)


async def connect(url: str) -> Connection:
    """Open a connection.

    Args:
        url: ``postgres://user:password@host:5432/database``.

    Raises:
        BusUnavailable: The server does not let us in now.
        ConfigurationError: It never will: the password or the database is wrong.
    """
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await asyncpg.connect(
                url,
                timeout=_CONNECT_SECONDS,
                server_settings={
                    "application_name": "lineside-bus",
                    # Of the server's end: a node that has vanished does not keep its locks for hours.
                    "tcp_keepalives_idle": "5",
                    "tcp_keepalives_interval": "2",
                    "tcp_keepalives_count": "3",
                    "idle_in_transaction_session_timeout": "10000",
                },
            )
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise ConfigurationError("PostgreSQL refuses the user or the password of the bus' URL") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise ConfigurationError(f"PostgreSQL has no such database: {error}") from error
    except (*_PASSING, TimeoutError, asyncpg.PostgresError) as error:
        raise BusUnavailable(f"PostgreSQL cannot be reached ({_said(error)}); is it running?") from error


async def prepare(connection: Connection) -> None:
    """Make the tables and functions of the bus, unless they are there.

    Args:
        connection: The connection.

    Raises:
        ConfigurationError: This user may not.
    """
    if await connection.fetchval(_MARKED) == MARK:
        return
    try:
        async with connection.transaction():
            # Of several nodes that start together one does it.
            await connection.execute(_LOCK)
            if await connection.fetchval(_MARKED) != MARK:
                await connection.execute(SCHEMA)
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigurationError(
            f"the bus' tables are missing, and this user may not create them ({error}): "
            "have their owner run lineside.bus.postgres.SCHEMA"
        ) from error


async def run(connection: Connection, work: Coroutine[Any, Any, _T], *, seconds: float) -> _T:
    """Do something over a connection, and drop the connection when it takes too long.

    Args:
        connection: The connection.
        work: What to do.
        seconds: How long it may take.

    Raises:
        BusUnavailable: It took too long, or the connection ended, or the server says that it cannot now.
        BusError: The server refuses.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=max(seconds, 0.0))
    except asyncio.CancelledError:
        await _drop(connection, task)
        raise
    if not done:
        await _drop(connection, task)
        raise BusUnavailable("PostgreSQL does not answer")
    try:
        return task.result()
    except asyncpg.DataError as error:
        raise BusError(f"PostgreSQL cannot take this: {error}") from error
    except _PASSING as error:
        connection.terminate()
        raise BusUnavailable(f"PostgreSQL cannot be reached: {_said(error)}") from error
    except asyncpg.PostgresError as error:
        raise BusError(f"PostgreSQL refuses: {error}") from error


async def _drop(connection: Connection, task: "asyncio.Task[Any]") -> None:
    connection.terminate()
    await asyncio.wait({task}, timeout=_DROP_SECONDS)
    if task.done() and not task.cancelled():
        task.exception()


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
