"""Engines of SQLAlchemy, async and sync, with our deadlines and our errors."""

import weakref
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from lineside.models._association._n_plus_one import NPlusOneMode, checked_mode, watch_for_n_plus_one
from lineside.models._connection import _sqlite
from lineside.models._connection._deadlines import AsyncPool, Deadlines, Pool, name_errors
from lineside.models._connection._drivers import async_url, sync_url
from lineside.models._connection._error_details import hide_details
from lineside.models._connection._missing_tables import explain_missing_tables
from lineside.models._connection._parameters import refuse_too_many


class Engines:
    """The two engines of one URL, each made when it is first asked for, with a pool of its own.

    Args:
        url: As `lineside.models.Database` takes it.
        deadlines: Of all calls.
        echo: Log every statement with its values.
        pool_size: How many connections each pool keeps open.
        n_plus_one: What to do about N+1 queries.

    Raises:
        ConfigurationError: The URL cannot be read, its scheme is unknown, or ``n_plus_one`` is.
        MissingDependencyError: The driver for ``await`` is not installed.
    """

    def __init__(
        self,
        url: str,
        deadlines: Deadlines,
        *,
        echo: bool,
        pool_size: int,
        n_plus_one: NPlusOneMode | None = None,
    ) -> None:
        self.url = given = async_url(url)
        self.backend = given.get_backend_name()
        self._in_memory = self.backend == "sqlite" and given.database in (None, "", ":memory:")
        self._url = _sqlite.memory_url(given) if self._in_memory else given
        self._deadlines = deadlines
        self._n_plus_one: NPlusOneMode = checked_mode(n_plus_one)
        self._options: dict[str, Any] = {"echo": echo, "pool_size": pool_size}
        self._async_engine: AsyncEngine | None = None
        self._sync_engine: Engine | None = None
        self._variants: dict[tuple[tuple[str, Any], ...], AsyncEngine] = {}
        self._keeper: weakref.finalize[..., Any] | None = None

    def __repr__(self) -> str:
        return repr(self.url.render_as_string(hide_password=True))

    def for_await(self, options: Mapping[str, Any]) -> AsyncEngine:
        """Return the engine for ``await``, with execution options for its transactions."""
        key = tuple(sorted(options.items()))
        if key not in self._variants:
            if self._async_engine is None:
                self._keep_memory()
                self._async_engine = make_async_engine(self._url, self._deadlines, **self._options)
                watch_for_n_plus_one(self._async_engine, self._n_plus_one)
            self._variants[()] = engine = self._async_engine
            # A variant shares the pool; SQLAlchemy adds listeners to each, so each is made once.
            self._variants[key] = engine.execution_options(**options) if options else engine
        return self._variants[key]

    def for_sync(self, options: Mapping[str, Any]) -> Engine:
        """Return the engine for work without ``await``, with execution options for its transactions.

        Raises:
            MissingDependencyError: Its driver is not installed.
        """
        if self._sync_engine is None:
            self._keep_memory()
            self._sync_engine = make_sync_engine(self._url, self._deadlines, **self._options)
            watch_for_n_plus_one(self._sync_engine, self._n_plus_one)
        return self._sync_engine.execution_options(**options) if options else self._sync_engine

    def own(self, engine: Engine) -> bool:
        """Tell whether an engine is one of these, or a variant of it."""
        pools = [self._async_engine and self._async_engine.pool, self._sync_engine and self._sync_engine.pool]
        return any(engine.pool is pool for pool in pools)

    async def dispose(self) -> None:
        """Close all connections; a database in memory ends with them."""
        async_engine, self._async_engine = self._async_engine, None
        sync_engine, self._sync_engine = self._sync_engine, None
        keeper, self._keeper = self._keeper, None
        self._variants.clear()
        if async_engine is not None:
            await async_engine.dispose()
        if sync_engine is not None:
            sync_engine.dispose()
        if keeper is not None:
            keeper()

    def _keep_memory(self) -> None:
        if self._in_memory and self._keeper is None:
            self._keeper = _sqlite.keep_open(self._url, self)


def make_async_engine(url: URL, deadlines: Deadlines, *, echo: bool, pool_size: int) -> AsyncEngine:
    """Make the engine for ``await``; nothing is opened yet."""
    options = _options(url, deadlines, echo=echo, pool_size=pool_size)
    engine = create_async_engine(url, poolclass=AsyncPool, connect_args=_arguments(url, deadlines), **options)
    _prepare(engine.sync_engine, deadlines, echo=echo)
    return engine


def make_sync_engine(url: URL, deadlines: Deadlines, *, echo: bool, pool_size: int) -> Engine:
    """Make the engine of the same database for work without ``await``; nothing is opened yet.

    Raises:
        MissingDependencyError: Its driver is not installed.
    """
    options = _options(url, deadlines, echo=echo, pool_size=pool_size)
    chosen = sync_url(url)
    is_sqlite = url.get_backend_name() == "sqlite"
    arguments = _sqlite.CONNECT_ARGUMENTS if is_sqlite else {}
    engine = create_engine(chosen, poolclass=Pool, connect_args=arguments, **options)
    if not is_sqlite:
        _connect_with_psycopg(engine, deadlines)
    _prepare(engine, deadlines, echo=echo)
    return engine


def _options(url: URL, deadlines: Deadlines, *, echo: bool, pool_size: int) -> dict[str, Any]:
    return {
        "echo": echo,
        # Errors carry their statement into logs: without the values, which may be anybody's secrets.
        "hide_parameters": not echo,
        "pool_size": pool_size,
        "pool_timeout": deadlines.checkout_seconds,
        # A restarted server costs no request; a file does not restart.
        "pool_pre_ping": url.get_backend_name() == "postgresql",
    }


def _arguments(url: URL, deadlines: Deadlines) -> dict[str, Any]:
    driver = url.get_driver_name()
    if driver == "aiosqlite":
        return dict(_sqlite.CONNECT_ARGUMENTS)
    if driver == "asyncpg":
        return {"timeout": deadlines.connect_seconds, "command_timeout": deadlines.statement_seconds}
    from lineside.models._connection._psycopg import async_connect

    return {"async_creator_fn": async_connect(deadlines.connect_seconds, deadlines.statement_seconds)}


def _connect_with_psycopg(engine: Engine, deadlines: Deadlines) -> None:
    from lineside.models._connection._psycopg import connect

    def opened(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        return connect(
            *arguments,
            connect_seconds=deadlines.connect_seconds,
            statement_seconds=deadlines.statement_seconds,
            **options,
        )

    event.listen(engine, "do_connect", opened)


def _prepare(engine: Engine, deadlines: Deadlines, *, echo: bool) -> None:
    if not echo:
        hide_details(engine)
    name_errors(engine, deadlines)
    explain_missing_tables(engine)
    refuse_too_many(engine)
    if engine.dialect.name == "sqlite":
        _sqlite.configure(engine, statement_seconds=deadlines.statement_seconds)
