"""One database by URL: SQLite in a file by default, PostgreSQL by changing the URL."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.pool import StaticPool
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.exceptions import ConfigurationError, MissingDependencyError
from lineside.models._ambient import use_session

DEFAULT_URL: Final = "sqlite:///app.sqlite3"

_DRIVERS: Final[Mapping[str, str]] = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}

# WAL lets readers go on while one writes; a writer waits instead of failing at once; NORMAL is safe
# against a crash of the process; SQLite ignores foreign keys unless told.
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA foreign_keys=ON",
)


class Database:
    """The engine and the sessions of one database; nothing is opened before the first query.

    Args:
        url: ``sqlite:///file``, ``sqlite://`` (in memory) or ``postgresql://user@host/name``.
        echo: Log every statement with its values, and show the values in errors; for development.
        connect_timeout_seconds: How long PostgreSQL may take to accept a connection.
        command_timeout_seconds: How long PostgreSQL may take for one statement.

    Raises:
        ConfigurationError: The URL cannot be read, or its scheme is unknown.
        MissingDependencyError: The driver is not installed.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        echo: bool = False,
        connect_timeout_seconds: float = 5.0,
        command_timeout_seconds: float = 30.0,
    ) -> None:
        self._url = _async_url(url)
        self._echo = echo
        self._timeouts = {"timeout": connect_timeout_seconds, "command_timeout": command_timeout_seconds}
        self._engine: AsyncEngine | None = None

    def __repr__(self) -> str:
        return f"Database({self._url.render_as_string(hide_password=True)!r})"

    @property
    def engine(self) -> AsyncEngine:
        """The SQLAlchemy engine, made when it is first asked for."""
        if self._engine is None:
            self._engine = self._make_engine()
        return self._engine

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncSession]:
        """Open a session that commits at the end, or rolls back when its block raises.

        Yields:
            A session of SQLModel; it takes a connection with its first query, and none after the block.
        """
        # Attributes stay readable after the commit: expiring them would mean I/O at attribute access.
        # Closed is closed: a query after the block, in a stream for instance, would take a connection
        # that nobody gives back.
        make: Callable[[], AsyncSession] = async_sessionmaker(
            self.engine, class_=AsyncSession, expire_on_commit=False, close_resets_only=False
        )
        async with make() as session:
            with use_session(session):
                yield session
            try:
                await session.commit()
            except Exception:
                # SQLite keeps the transaction of a failed COMMIT open, and closing the session would
                # put it back into the pool like that, for the next request to read and trip over.
                await session.rollback()
                raise

    async def create_all(self) -> None:
        """Create the tables of all SQLModel classes that do not exist yet."""
        async with self.engine.begin() as connection:
            await connection.run_sync(SQLModel.metadata.create_all)

    async def dispose(self) -> None:
        """Close all connections; the next query opens new ones."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.dispose()

    def _make_engine(self) -> AsyncEngine:
        # Errors carry their statement into logs: without the values, which may be anybody's secrets.
        options: dict[str, Any] = {"echo": self._echo, "hide_parameters": not self._echo}
        if self._url.get_backend_name() == "postgresql":
            # pool_pre_ping: a restarted server costs no request.
            return create_async_engine(self._url, pool_pre_ping=True, connect_args=self._timeouts, **options)
        # A database in memory lives as long as its one connection.
        pool: dict[str, Any] = {} if self._url.database else {"poolclass": StaticPool}
        engine = create_async_engine(self._url, **options, **pool)
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
        return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _async_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # ValueError is a port that is no number. The cause would print the URL, and with it a password.
        raise ConfigurationError("the database URL cannot be read; write scheme://user@host/name") from None
    if parsed.drivername not in _DRIVERS:
        raise ConfigurationError(
            f"unknown database scheme {parsed.drivername!r}; known schemes: {', '.join(sorted(_DRIVERS))}"
        )
    driver = _DRIVERS[parsed.drivername]
    if driver == "postgresql+asyncpg" and find_spec("asyncpg") is None:
        raise MissingDependencyError("asyncpg", extra="postgres")
    return parsed.set(drivername=driver)
