"""No call waits for ever, and what went wrong between us and the server has a name.

SQLAlchemy's ``handle_error`` event turns the errors of the drivers into ours, in ActiveRecord's words; the
driver's own stays the cause. An error about the data (a broken constraint, wrong SQL) stays SQLAlchemy's.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as CheckoutTimeout
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection, QueuePool

from lineside.exceptions import LinesideError
from lineside.models._exceptions import (
    ConnectionNotEstablished,
    ReadOnlyError,
    SerializationFailure,
    StatementTimeout,
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each call to the database may take.

    Args:
        connect_seconds: To open a connection.
        checkout_seconds: To get one from the pool.
        statement_seconds: For one statement, COMMIT and ROLLBACK included.
    """

    connect_seconds: float
    checkout_seconds: float
    statement_seconds: float


_COLLISION: Final = "transactions got in each other's way; run it again, for instance with run_transaction()"
_READ_ONLY: Final = 'a session of role="reading" cannot write; use role="writing", the default'

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES: Final[Mapping[str, type[LinesideError]]] = {
    "25006": ReadOnlyError,
    "40001": SerializationFailure,
    "40P01": SerializationFailure,
    "57014": StatementTimeout,
}
# https://www.sqlite.org/rescode.html, without what stands above the low byte.
_SQLITE: Final[Mapping[int, type[LinesideError]]] = {
    sqlite3.SQLITE_BUSY: SerializationFailure,
    sqlite3.SQLITE_LOCKED: SerializationFailure,
    sqlite3.SQLITE_INTERRUPT: StatementTimeout,
    sqlite3.SQLITE_READONLY: ReadOnlyError,
    sqlite3.SQLITE_CANTOPEN: ConnectionNotEstablished,
}


def name_errors(engine: Engine, deadlines: Deadlines) -> None:
    """Raise our errors instead of the driver's on this engine.

    Args:
        engine: The engine, before its first connection.
        deadlines: For the message of `StatementTimeout`.
    """

    def named(context: ExceptionContext) -> LinesideError | None:
        if context.is_pre_ping or not isinstance(context.original_exception, Exception):
            return None  # the pool opens another connection by itself; a cancelled task is nobody's fault
        kind = _kind_of(context)
        if kind is StatementTimeout or _rolled_back_by_itself(context):
            # What this connection does now is not known; the others are well.
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False
        return _error(kind, context.original_exception, deadlines)

    event.listen(engine, "handle_error", named)


def _kind_of(context: ExceptionContext) -> type[LinesideError] | None:
    error = context.original_exception
    if isinstance(error, TimeoutError):
        return StatementTimeout  # asyncpg's own
    state, code = getattr(error, "sqlstate", None), getattr(error, "sqlite_errorcode", None)
    kind = _POSTGRES.get(state) if state else _SQLITE.get(code & 0xFF) if code else None
    if kind is None and (context.is_disconnect or (context.connection is None and _is_drivers(context))):
        return ConnectionNotEstablished
    return kind


def _is_drivers(context: ExceptionContext) -> bool:
    return context.sqlalchemy_exception is not None


def _rolled_back_by_itself(context: ExceptionContext) -> bool:
    """Tell whether SQLite has ended a transaction that SQLAlchemy takes to be open (https://sqlite.org/lang_transaction.html).

    Going on would write the rest of it without its beginning.
    """
    connection = context.connection
    if connection is None or not connection.in_transaction() or connection.dialect.name != "sqlite":
        return False
    driver: Any = connection.connection.driver_connection
    return not driver.in_transaction


def _error(
    kind: type[LinesideError] | None, cause: BaseException, deadlines: Deadlines
) -> LinesideError | None:
    if kind is None:
        return None
    if kind is StatementTimeout:
        return StatementTimeout(deadlines.statement_seconds)
    if kind is ConnectionNotEstablished:
        return _no_connection(cause)
    return kind(_COLLISION if kind is SerializationFailure else _READ_ONLY)


def _no_connection(cause: BaseException) -> ConnectionNotEstablished:
    said = "no answer in time" if isinstance(cause, TimeoutError) else str(cause) or type(cause).__name__
    return ConnectionNotEstablished(
        f"no connection to the database ({said}); is it running, and is the URL right?"
    )


class Pool(QueuePool):
    """SQLAlchemy's pool; what keeps it from giving a connection has our name."""

    def connect(self) -> PoolProxiedConnection:
        """Return a connection that is alive.

        Raises:
            ConnectionNotEstablished: None came back in time, or none could be made.
        """
        try:
            return super().connect()
        except CheckoutTimeout as error:
            raise ConnectionNotEstablished(
                f"all connections are in use ({self.status()}); end sessions earlier, or raise pool_size"
            ) from error
        except OSError as error:  # a TimeoutError is one, too
            raise _no_connection(error) from error


class AsyncPool(Pool, AsyncAdaptedQueuePool):
    """The same for ``await``."""
