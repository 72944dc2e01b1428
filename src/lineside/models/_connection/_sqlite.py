"""SQLite as a server needs it: WAL, a lock taken before it is too late, and a deadline.

SQLAlchemy's documentation describes the two events (its pysqlite page, on transactions): the driver must
not begin transactions by itself, because it begins them too late, and never before a SELECT.
"""

import math
import secrets
import sqlite3
import time
import weakref
from typing import Any, Final, Literal

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import AdaptedConnection

SQLiteBegin = Literal["IMMEDIATE", "DEFERRED"]
"""How a transaction of SQLite begins: with the lock to write, or without."""

BEGIN_OPTION: Final = "lineside_sqlite_begin"
QUERY_ONLY_OPTION: Final = "lineside_sqlite_query_only"
# Driver-side: no implicit BEGIN.
CONNECT_ARGUMENTS: Final[dict[str, Any]] = {"isolation_level": None}

# WAL lets readers go on while one writes; a writer waits instead of failing at once; NORMAL is safe
# against a crash of the process; SQLite ignores foreign keys unless told.
_PRAGMAS: Final = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
)
_DEADLINE: Final = "lineside_deadline"
# A look at the clock about every millisecond: too seldom to be felt, and often enough.
_INSTRUCTIONS_PER_LOOK: Final = 10_000


class _Deadline:
    """Told by SQLite how a statement goes on; true interrupts it."""

    __slots__ = ("until",)

    def __init__(self) -> None:
        self.until = math.inf

    def __call__(self) -> bool:
        return time.monotonic() > self.until


def configure(engine: Engine, *, statement_seconds: float) -> None:
    """Install what every connection and every transaction of SQLite needs.

    Args:
        engine: The engine, before its first connection, made with `CONNECT_ARGUMENTS`.
        statement_seconds: How long a statement may compute before it is interrupted.
    """

    def start_clock(connection: Connection, *_: object) -> None:
        connection.info[_DEADLINE].until = time.monotonic() + statement_seconds

    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    event.listen(engine, "before_cursor_execute", start_clock)
    event.listen(engine, "commit", start_clock)


def _on_connect(connection: Any, record: Any) -> None:
    record.info[_DEADLINE] = deadline = _Deadline()
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
    if isinstance(connection, AdaptedConnection):
        connection.run_async(lambda driver: driver.set_progress_handler(deadline, _INSTRUCTIONS_PER_LOOK))
    else:
        connection.set_progress_handler(deadline, _INSTRUCTIONS_PER_LOOK)


def _on_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    query_only = bool(options.get(QUERY_ONLY_OPTION, False))
    if query_only != connection.info.get(QUERY_ONLY_OPTION, False):
        connection.exec_driver_sql(f"PRAGMA query_only={int(query_only)}")
        connection.info[QUERY_ONLY_OPTION] = query_only
    # A transaction that has read cannot become one that writes when another has written in between:
    # SQLite refuses at once, whatever the busy timeout. So the lock comes first.
    begin = "DEFERRED" if query_only else options.get(BEGIN_OPTION, "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {begin}")


def memory_url(url: URL) -> URL:
    """Return the URL of a new database in memory that several connections can share.

    SQLite's ``memdb`` file system (SQLite 3.36 and newer) has locks, so that sessions that overlap are as
    separate as in a file. But it has no WAL: a reader waits for a writer. It ends with its last connection.
    """
    name = f"file:/lineside-{secrets.token_hex(8)}"
    return url.set(database=name, query={"vfs": "memdb", "uri": "true"})


def keep_open(url: URL, owner: object) -> "weakref.finalize[..., Any]":
    """Keep a database in memory as long as its owner lives, or until the result is called."""
    keeper = sqlite3.connect(f"{url.database}?vfs=memdb", uri=True, check_same_thread=False)
    return weakref.finalize(owner, keeper.close)
