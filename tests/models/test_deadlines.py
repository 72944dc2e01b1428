"""Every call to the database has a deadline, and what goes wrong there has a name.

Nothing here measures time: without its control a test would hang, which the guard around it turns into a
failure.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.models import Database
from lineside.models._exceptions import ConnectionNotEstablished, StatementTimeout
from tests.services import Postgres, running_postgres

pytestmark = pytest.mark.anyio

DRIVERS = ["postgresql+asyncpg", "postgresql+psycopg"]
SLEEP: LiteralString = "SELECT pg_sleep(300)"
# Without an end: nothing but an interruption stops it.
COUNT: LiteralString = (
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
)


class Base(SQLModel, registry=registry()):
    """The tables of this module."""


class Row(Base, table=True):
    __tablename__ = "deadlines_row"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Give a PostgreSQL that nobody else uses: it is paused and killed here."""
    with running_postgres() as server:
        yield server


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Database]:
    """Give a database with deadlines of a fifth of a second, and a guard of twenty seconds."""
    deadlines = {
        "connect_timeout_seconds": 0.2,
        "checkout_timeout_seconds": 0.2,
        "command_timeout_seconds": 0.2,
    }
    database = Database(url, **{**deadlines, **options})
    async with asyncio.timeout(20):
        yield database
    await database.dispose()


def with_driver(server: Postgres, driver: str) -> str:
    """Return the URL of a server for one driver."""
    return server.url.replace("postgresql", driver, 1)


@contextmanager
def paused(server: Postgres) -> Iterator[None]:
    """Stop the server for a block."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


def in_use(database: Database) -> int:
    """Tell how many connections the pool misses."""
    pool: Any = database.engine.pool
    count: int = pool.checkedout()
    return count


@pytest.mark.services
@pytest.mark.parametrize("driver", DRIVERS)
class TestPostgres:
    """Both drivers, against a server that stops answering."""

    async def test_a_long_statement_is_cancelled(self, server: Postgres, driver: str) -> None:
        """On the server, too: it does not go on for nobody."""
        async with opened(with_driver(server, driver)) as database:
            with pytest.raises(StatementTimeout, match=r"within 0\.2 s"):
                await database.raw(SLEEP)
            assert in_use(database) == 0
            running = "SELECT 1 FROM pg_stat_activity WHERE query = :sql AND state = 'active'"
            while await database.raw(running, sql=SLEEP):
                pass

    async def test_a_statement_of_a_paused_server(self, server: Postgres, driver: str) -> None:
        """It is given up, the connection too, and the next request works when the server does."""
        async with opened(with_driver(server, driver)) as database:
            async with database.session() as session:
                await session.connection()
                with paused(server), pytest.raises(StatementTimeout):
                    await session.scalar(text("SELECT 1"))
                await session.rollback()
            assert in_use(database) == 0
            assert await database.raw("SELECT 1") == [(1,)]

    async def test_a_commit_of_a_paused_server(self, server: Postgres, driver: str) -> None:
        """The session ends, with the error, and gives its connection back."""
        async with opened(with_driver(server, driver)) as database:
            with paused(server), pytest.raises(StatementTimeout):
                await self.written_while_paused(database, server)
            assert in_use(database) == 0
            assert await database.raw("SELECT 1") == [(1,)]

    @staticmethod
    async def written_while_paused(database: Database, server: Postgres) -> None:
        """Pause the server between a statement and its COMMIT."""
        server.resume()
        async with database.session() as session:
            await session.scalar(text("SELECT txid_current()"))
            server.pause()

    async def test_a_pooled_connection_of_a_paused_server(self, server: Postgres, driver: str) -> None:
        """Looking whether it is alive has a deadline as well."""
        async with opened(with_driver(server, driver)) as database:
            await database.raw("SELECT 1")
            with paused(server), pytest.raises(ConnectionNotEstablished, match="no answer in time"):
                await database.raw("SELECT 1")
            assert in_use(database) == 0
            assert await database.raw("SELECT 1") == [(1,)]

    async def test_a_new_connection_to_a_paused_server(self, server: Postgres, driver: str) -> None:
        """The kernel accepts it, and then nobody speaks."""
        async with opened(with_driver(server, driver)) as database:
            with paused(server), pytest.raises(ConnectionNotEstablished, match="no answer in time"):
                await database.raw("SELECT 1")
            assert await database.raw("SELECT 1") == [(1,)]

    async def test_a_server_that_was_killed(self, server: Postgres, driver: str) -> None:
        """Its statement, and each one until it is back, get the error; then the pool works again."""
        async with opened(with_driver(server, driver), command_timeout_seconds=5) as database:
            async with database.session() as session:
                await session.scalar(text("SELECT 1"))
                server.kill()
                with pytest.raises(ConnectionNotEstablished):
                    await session.scalar(text("SELECT 1"))
                await session.rollback()
            with pytest.raises(ConnectionNotEstablished, match="is it running"):
                await database.raw("SELECT 1")
            await asyncio.to_thread(server.restart)
            assert await database.raw("SELECT 1") == [(1,)]
            assert in_use(database) == 0

    async def test_a_pool_that_is_empty(self, server: Postgres, driver: str) -> None:
        """Waiting for a connection ends, and the message says what to do."""
        async with opened(with_driver(server, driver), pool_size=1) as database:
            async with _all_connections(database):
                with pytest.raises(ConnectionNotEstablished, match="raise pool_size"):
                    await database.raw("SELECT 1")
            assert in_use(database) == 0

    async def test_a_wrong_password(self, server: Postgres, driver: str) -> None:
        """It has the same name, and shows no password."""
        host = server.url.rpartition("@")[2]
        async with opened(f"{driver}://tester:hunter2@{host}", connect_timeout_seconds=5) as database:
            with pytest.raises(ConnectionNotEstablished, match="is the URL right") as caught:
                await database.raw("SELECT 1")
        assert "hunter2" not in str(caught.value)


@asynccontextmanager
async def _all_connections(database: Database) -> AsyncIterator[None]:
    """Take every connection that a pool of one may have: that one, and ten more."""
    connections = [await database.engine.connect() for _ in range(11)]
    yield
    for connection in connections:
        await connection.close()


@pytest.mark.services
class TestSyncPostgres:
    """The same for work without ``await``."""

    async def test_a_long_statement_is_cancelled(self, server: Postgres) -> None:
        """And the pool goes on working."""
        async with opened(server.url) as database:
            with pytest.raises(StatementTimeout):
                database.sync_raw(SLEEP)
            assert database.sync_raw("SELECT 1") == [(1,)]

    async def test_a_paused_server(self, server: Postgres) -> None:
        """A statement, then a connection that was in the pool."""
        async with opened(server.url) as database:
            with database.sync_session() as session:
                session.connection()
                with paused(server), pytest.raises(StatementTimeout):
                    session.scalar(text("SELECT 1"))
                session.rollback()
            assert database.sync_raw("SELECT 1") == [(1,)]
            with paused(server), pytest.raises(ConnectionNotEstablished):
                database.sync_raw("SELECT 1")
            assert database.sync_raw("SELECT 1") == [(1,)]


class TestSQLite:
    """There is no server; a statement computes in our own process."""

    async def test_a_statement_that_computes_is_interrupted(self, tmp_path: Path) -> None:
        """And the next one runs."""
        async with opened(f"sqlite:///{tmp_path / 'test.sqlite3'}") as database:
            with pytest.raises(StatementTimeout, match=r"within 0\.2 s"):
                await database.raw(COUNT)
            assert in_use(database) == 0
            assert await database.raw("SELECT 1") == [(1,)]

    async def test_without_await(self, tmp_path: Path) -> None:
        """The sync driver computes while rows are fetched."""
        async with opened(f"sqlite:///{tmp_path / 'test.sqlite3'}") as database:
            with pytest.raises(StatementTimeout):
                database.sync_raw(COUNT)
            assert database.sync_raw("SELECT 1") == [(1,)]

    async def test_an_interrupted_change_takes_its_transaction_with_it(self, tmp_path: Path) -> None:
        """SQLite rolls back by itself then. Who goes on must not commit the second half alone."""
        async with opened(f"sqlite:///{tmp_path / 'test.sqlite3'}") as database:
            await database.exec("CREATE TABLE deadlines_half (name TEXT)")
            async with database.session() as session:
                await database.exec("INSERT INTO deadlines_half VALUES ('first half')")
                with pytest.raises(StatementTimeout):
                    await database.exec("INSERT INTO deadlines_half " + COUNT)
                with pytest.raises(PendingRollbackError, match="rolled back"):
                    await database.exec("INSERT INTO deadlines_half VALUES ('second half')")
                await session.rollback()
            assert await database.raw("SELECT * FROM deadlines_half") == []

    async def test_a_folder_that_is_missing(self, tmp_path: Path) -> None:
        """It is no connection, as a server that is not there."""
        async with opened(f"sqlite:///{tmp_path / 'missing' / 'test.sqlite3'}") as database:
            with pytest.raises(ConnectionNotEstablished, match="unable to open"):
                database.sync_raw("SELECT 1")


async def test_nobody_listens() -> None:
    """The port is closed: the error comes at once."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        for driver in DRIVERS:
            async with opened(f"{driver}://u@127.0.0.1:{port}/d") as database:
                with pytest.raises(ConnectionNotEstablished, match="is it running"):
                    await database.raw("SELECT 1")


async def test_errors_about_the_data_keep_their_names(database: Database) -> None:
    """They are SQLAlchemy's, as every reader of its documentation expects."""
    await database.exec("INSERT INTO deadlines_row (name) VALUES ('Ada')")
    with pytest.raises(IntegrityError):
        await database.exec("INSERT INTO deadlines_row (name) VALUES ('Ada')")
    with pytest.raises(DBAPIError, match="nonsense"):
        await database.raw("SELECT nonsense FROM deadlines_row")
