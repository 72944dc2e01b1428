"""One database by URL: SQLite in a file by default, PostgreSQL by changing the URL."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, LiteralString, TypeVar

from sqlalchemy import URL, Connection, Engine, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session as OrmSession
from sqlmodel import Session, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.models._association._n_plus_one import NPlusOneMode
from lineside.models._connection._ambient import AnySession, current_sync_session, run, sync_side, use_session
from lineside.models._connection._deadlines import Deadlines
from lineside.models._connection._drivers import IsolationLevel
from lineside.models._connection._engines import Engines
from lineside.models._connection._raw import AnyRow, count_rows, fetch_rows
from lineside.models._connection._roles import Role, transaction_options
from lineside.models._connection._sqlite import SQLiteBegin
from lineside.models._connection._transactions import (
    Transaction,
    ambient_session_of,
    run_sync_transaction,
    run_transaction,
)

DEFAULT_URL: Final = "sqlite:///app.sqlite3"

_Result = TypeVar("_Result")


class Database:
    """The engine and the sessions of one database; nothing is opened before the first query.

    Args:
        url: ``sqlite:///file``, ``sqlite://`` (in memory), ``postgresql://user@host/name`` or, with the
            other driver, ``postgresql+psycopg://user@host/name``.
        replica_url: A copy that follows the database; sessions of ``role="reading"`` go there.
        echo: Log every statement with its values, and show the values in errors; for development.
        pool_size: How many connections stay open; ten more may come and go.
        connect_timeout_seconds: How long PostgreSQL may take to accept a connection.
        checkout_timeout_seconds: How long to wait for a connection when all are in use.
        command_timeout_seconds: How long one statement, COMMIT included, may take. Then it is cancelled,
            and its connection closed, which a silent server may draw out by two seconds.
        n_plus_one: What to do when one query runs again for each record of a list: ``"warn"``,
            ``"raise"`` or ``"off"``. Default: by ``LINESIDE_ENV``: development warns, test raises, all
            others do nothing.

    Raises:
        ConfigurationError: The URL cannot be read, its scheme is unknown, or ``n_plus_one`` is.
        MissingDependencyError: The driver is not installed.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        replica_url: str | None = None,
        echo: bool = False,
        pool_size: int = 5,
        connect_timeout_seconds: float = 5.0,
        checkout_timeout_seconds: float = 5.0,
        command_timeout_seconds: float = 30.0,
        n_plus_one: NPlusOneMode | None = None,
    ) -> None:
        deadlines = Deadlines(connect_timeout_seconds, checkout_timeout_seconds, command_timeout_seconds)
        options: dict[str, Any] = {"echo": echo, "pool_size": pool_size, "n_plus_one": n_plus_one}
        self._writing = Engines(url, deadlines, **options)
        self._reading = self._writing
        if replica_url is not None:
            self._reading = Engines(replica_url, deadlines, **options)

    def __repr__(self) -> str:
        return f"Database({self._writing!r})"

    @property
    def url(self) -> URL:
        """The URL as it was given, with the name of the driver; as text it hides the password."""
        return self._writing.url

    @property
    def engine(self) -> AsyncEngine:
        """The SQLAlchemy engine, made when it is first asked for."""
        return self._writing.for_await({})

    @property
    def sync_engine(self) -> Engine:
        """The SQLAlchemy engine for work without ``await``; its pool is another one.

        Raises:
            MissingDependencyError: PostgreSQL needs psycopg for this.
        """
        return self._writing.for_sync({})

    @asynccontextmanager
    async def session(
        self,
        *,
        role: Role = "writing",
        isolation_level: IsolationLevel | None = None,
        sqlite_begin: SQLiteBegin = "IMMEDIATE",
    ) -> AsyncGenerator[AsyncSession]:
        """Open a session that commits at the end, or rolls back when its block raises.

        It is the ambient one inside its block.

        Args:
            role: ``"reading"`` goes to the replica, if there is one, and cannot write.
            isolation_level: Of its transactions. SQLite is always SERIALIZABLE.
            sqlite_begin: With its first query a transaction of SQLite takes the lock to write, and others
                wait for it. ``"DEFERRED"`` takes it with the first change, and fails there with
                `SerializationFailure` when another has written since its first query.

        Yields:
            A session of SQLModel; it takes a connection with its first query, and none after the block.

        Raises:
            ConfigurationError: There is no such role or level.
        """
        engines = self._engines(role)
        bind = engines.for_await(transaction_options(engines.backend, role, isolation_level, sqlite_begin))
        # Attributes stay readable after the commit: expiring them would mean I/O at attribute access.
        # Closed is closed: a query after the block, in a stream for instance, would take a connection
        # that nobody gives back.
        async with AsyncSession(bind, expire_on_commit=False, close_resets_only=False) as session:
            with use_session(session):
                yield session
            try:
                await session.commit()
            except Exception:
                # SQLite keeps the transaction of a failed COMMIT open, and closing the session would
                # put it back into the pool like that, for the next request to read and trip over.
                await session.rollback()
                raise

    @contextmanager
    def sync_session(
        self,
        *,
        role: Role = "writing",
        isolation_level: IsolationLevel | None = None,
        sqlite_begin: SQLiteBegin = "IMMEDIATE",
    ) -> Generator[Session]:
        """Open a session for work without ``await``; see `session`.

        Raises:
            ConfigurationError: There is no such role or level.
            MissingDependencyError: PostgreSQL needs psycopg for this.
        """
        engines = self._engines(role)
        bind = engines.for_sync(transaction_options(engines.backend, role, isolation_level, sqlite_begin))
        with Session(bind, expire_on_commit=False, close_resets_only=False) as session:
            with use_session(session):
                yield session
            try:
                session.commit()
            except Exception:
                session.rollback()
                raise

    def transaction(self) -> Transaction:
        """Open a savepoint in the ambient session, or a session of its own if this database has none.

        An exception rolls back exactly this level, and goes on. Transactions nest.

        Returns:
            For ``async with``, or ``with`` where the ambient session is a sync one or there is none.
        """
        return Transaction(database=self)

    async def run_transaction(
        self,
        work: Callable[[AsyncSession], Awaitable[_Result]],
        *,
        retries: int = 3,
        isolation_level: IsolationLevel | None = None,
    ) -> _Result:
        """Run work in a transaction of its own, and again when it collides with another one.

        Again means: after a serialization failure, a deadlock, or a lock of SQLite that was not given up in
        time; after a short pause that chance decides. What the work does outside of the database happens
        again, too. It is never part of a transaction around it.

        Args:
            work: Gets the session; what it returns is returned after the commit.
            retries: How often it may run again.
            isolation_level: Of the transaction, usually ``"SERIALIZABLE"``.

        Raises:
            SerializationFailure: The last try collided as well.
        """
        return await run_transaction(self, work, retries=retries, isolation_level=isolation_level)

    def run_sync_transaction(
        self,
        work: Callable[[Session], _Result],
        *,
        retries: int = 3,
        isolation_level: IsolationLevel | None = None,
    ) -> _Result:
        """Run work in a sync transaction of its own, and again when it collides; see `run_transaction`.

        Raises:
            SerializationFailure: The last try collided as well.
        """
        return run_sync_transaction(self, work, retries=retries, isolation_level=isolation_level)

    async def raw(self, sql: LiteralString, /, **values: Any) -> list[AnyRow]:
        """Run SQL that returns rows, in the ambient session or else in one of its own.

        Args:
            sql: A literal; ``:name`` stands for a value, and ``IN :names`` for a list of them.
            values: A value for each name.

        Returns:
            All rows.

        Raises:
            PreparedStatementInvalid: A name has no value, or a value no name.
        """
        return await self._in_session(lambda session: fetch_rows(session, sql, values))

    async def exec(self, sql: LiteralString, /, **values: Any) -> int:
        """Run SQL that changes rows, in the ambient session or else in one of its own; see `raw`.

        Returns:
            How many rows were changed, or -1 where the database does not say.

        Raises:
            PreparedStatementInvalid: A name has no value, or a value no name.
        """
        return await self._in_session(lambda session: count_rows(session, sql, values))

    def sync_raw(self, sql: LiteralString, /, **values: Any) -> list[AnyRow]:
        """Do what `raw` does, without ``await``.

        Raises:
            PreparedStatementInvalid: A name has no value, or a value no name.
            NoSessionError: The ambient session of this database is an async one.
        """
        return self._in_sync_session(lambda session: fetch_rows(session, sql, values))

    def sync_exec(self, sql: LiteralString, /, **values: Any) -> int:
        """Do what `exec` does, without ``await``.

        Raises:
            PreparedStatementInvalid: A name has no value, or a value no name.
            NoSessionError: The ambient session of this database is an async one.
        """
        return self._in_sync_session(lambda session: count_rows(session, sql, values))

    def owns(self, session: AnySession) -> bool:
        """Tell whether a session works on this database, also one that was opened by hand."""
        bind = sync_side(session).bind
        engine = bind.engine if isinstance(bind, Connection) else bind
        return engine is not None and (self._writing.own(engine) or self._reading.own(engine))

    async def create_all(self, metadata: MetaData | None = None) -> None:
        """Create the tables that do not exist yet.

        Args:
            metadata: Of which classes. Default: all of SQLModel's own registry.
        """
        tables = SQLModel.metadata if metadata is None else metadata
        async with self.engine.begin() as connection:
            await connection.run_sync(tables.create_all)

    async def dispose(self) -> None:
        """Close all connections; the next query opens new ones. A database in memory ends with this."""
        await self._writing.dispose()
        if self._reading is not self._writing:
            await self._reading.dispose()

    def _engines(self, role: Role) -> Engines:
        return self._reading if role == "reading" else self._writing

    async def _in_session(self, work: Callable[[OrmSession], _Result]) -> _Result:
        ambient = ambient_session_of(self)
        if ambient is not None:
            return await run(work, ambient, "raw SQL")
        # One statement alone cannot lose a race between its reading and its writing.
        async with self.session(sqlite_begin="DEFERRED") as session:
            return await session.run_sync(work)

    def _in_sync_session(self, work: Callable[[OrmSession], _Result]) -> _Result:
        if ambient_session_of(self) is not None:
            return work(current_sync_session("raw SQL"))
        with self.sync_session(sqlite_begin="DEFERRED") as session:
            return work(session)
