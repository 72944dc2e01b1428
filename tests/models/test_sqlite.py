"""SQLite as a server needs it: writers wait for each other, readers for nobody."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import event, text

from lineside.models import Database
from lineside.models._exceptions import SerializationFailure
from lineside.models.fastapi import SessionDep, install_database

pytestmark = pytest.mark.anyio

PROCESSES = 8
TRANSACTIONS = 100
# One worker: when all are there, reads the counter and writes what it read plus one; prints its failures.
WORKER = """
import asyncio, sys
from sqlalchemy import text
from lineside.models import Database
from lineside.models._exceptions import SerializationFailure

url, begin, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

async def once(database):
    async with database.session(sqlite_begin=begin) as session:
        value = await session.scalar(text("SELECT value FROM counter"))
        await database.exec("UPDATE counter SET value = :value", value=value + 1)

async def main():
    database, failed = Database(url), 0
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count):
        try:
            await once(database)
        except SerializationFailure:
            failed += 1
    await database.dispose()
    print(failed)

asyncio.run(main())
"""


@pytest.fixture
async def counted(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a file with one counter at 0."""
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    await database.exec("CREATE TABLE counter (value INTEGER)")
    await database.exec("INSERT INTO counter VALUES (0)")
    yield database
    await database.dispose()


async def value(database: Database) -> int:
    """Read the counter through another connection."""
    ((found,),) = await database.raw("SELECT value FROM counter")
    assert isinstance(found, int)
    return found


async def rows(database: Database) -> int:
    """Count the counters in a session of its own, also where there is an ambient one."""
    async with database.session(role="reading") as session:
        return int(await session.scalar(text("SELECT count(*) FROM counter")))


def compete(database: Database, begin: str, *, processes: int) -> list[int]:
    """Let processes count up at the same time, and return how many transactions of each failed."""
    url = f"sqlite:///{database.engine.url.database}"
    command = [sys.executable, "-c", WORKER, url, begin, str(TRANSACTIONS)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(processes)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [int(worker.communicate(timeout=100)[0]) for worker in workers]


class TestManyWriters:
    """Read-then-write transactions of eight processes (T43)."""

    async def test_writers_wait_for_each_other(self, counted: Database) -> None:
        """With the lock taken first none fails, and no count is lost."""
        assert await asyncio.to_thread(compete, counted, "IMMEDIATE", processes=PROCESSES) == [0] * PROCESSES
        assert await value(counted) == PROCESSES * TRANSACTIONS

    async def test_without_the_lock_they_fail(self, counted: Database) -> None:
        """The control switched off: SQLite refuses, at once, whoever has read what another changed."""
        failed = await asyncio.to_thread(compete, counted, "DEFERRED", processes=PROCESSES)
        assert sum(failed) > 0
        assert await value(counted) == PROCESSES * TRANSACTIONS - sum(failed)

    async def test_tasks_of_one_process_wait_for_each_other(self, counted: Database) -> None:
        """More of them than the pool has connections."""

        async def count_up() -> None:
            async with counted.session() as session:
                found = await session.scalar(text("SELECT value FROM counter"))
                await counted.exec("UPDATE counter SET value = :value", value=found + 1)

        await asyncio.gather(*(count_up() for _ in range(50)))
        assert await value(counted) == 50


class TestModes:
    """What each session tells SQLite."""

    @staticmethod
    @contextmanager
    def begins(database: Database) -> Iterator[list[str]]:
        """Collect the BEGIN of each transaction."""
        found: list[str] = []

        def collect(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith(("BEGIN", "PRAGMA")):
                found.append(statement)

        event.listen(database.engine.sync_engine, "before_cursor_execute", collect)
        yield found
        event.remove(database.engine.sync_engine, "before_cursor_execute", collect)

    async def test_each_role_begins_in_its_way(self, counted: Database) -> None:
        """A connection that comes back from reading may write again."""
        with self.begins(counted) as begins:
            async with counted.session() as session:
                await session.scalar(text("SELECT 1"))
            async with counted.session(role="reading") as session:
                await session.scalar(text("SELECT 1"))
            async with counted.session(sqlite_begin="DEFERRED") as session:
                await session.scalar(text("SELECT 1"))
        assert begins == [
            "BEGIN IMMEDIATE",
            "PRAGMA query_only=1",
            "BEGIN DEFERRED",
            "PRAGMA query_only=0",
            "BEGIN DEFERRED",
        ]

    async def test_autocommit_begins_nothing(self, counted: Database) -> None:
        """For VACUUM, which refuses to run in a transaction."""
        with self.begins(counted) as begins:
            async with counted.engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(text("VACUUM"))
        assert begins == []
        assert await value(counted) == 0

    async def test_a_schema_change_is_rolled_back(self, counted: Database) -> None:
        """Because we begin, and not the driver, which does so before a change of rows alone."""
        async with counted.session() as session:
            await counted.exec("CREATE TABLE other (id INTEGER)")
            await session.rollback()
        assert await counted.raw("SELECT 1 FROM sqlite_master WHERE name = 'other'") == []

    async def test_a_stale_reader_cannot_write(self, counted: Database) -> None:
        """It fails where it writes, with the name that says: run it again."""
        async with counted.session(sqlite_begin="DEFERRED") as stale:
            await stale.scalar(text("SELECT value FROM counter"))
            async with counted.session() as writer:
                await (await writer.connection()).execute(text("UPDATE counter SET value = 1"))
            with pytest.raises(SerializationFailure, match="run_transaction"):
                await (await stale.connection()).execute(text("UPDATE counter SET value = 2"))
            await stale.rollback()
        assert await value(counted) == 1


def requests(app: FastAPI) -> httpx2.AsyncClient:
    """Give a client that can send many requests at once."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver")


class TestRequests:
    """The method of a request decides how its transaction begins."""

    @pytest.fixture
    def app(self, counted: Database) -> FastAPI:
        """Make an app that reads, writes, and writes in a GET."""
        app = FastAPI()
        install_database(app, counted)

        @app.get("/")
        async def read(session: SessionDep) -> int:
            return int(await session.scalar(text("SELECT value FROM counter")))

        @app.get("/visit")
        @app.post("/visit")
        async def visit(session: SessionDep) -> int:
            found = int(await session.scalar(text("SELECT value FROM counter")))
            return await counted.exec("UPDATE counter SET value = :value", value=found + 1)

        return app

    async def test_a_get_may_write(self, app: FastAPI, counted: Database) -> None:
        """A counter of visits is no reason to break."""
        async with requests(app) as client:
            assert (await client.get("/visit")).json() == 1
        assert await value(counted) == 1

    async def test_readers_do_not_wait_for_a_writer(self, app: FastAPI, counted: Database) -> None:
        """A hundred of them answer while a transaction holds the lock to write."""
        async with counted.session() as writer, requests(app) as client:
            await (await writer.connection()).execute(text("UPDATE counter SET value = 7"))
            answers = await asyncio.gather(*(client.get("/") for _ in range(100)))
            assert [answer.json() for answer in answers] == [0] * 100

    async def test_writers_count_exactly(self, app: FastAPI, counted: Database) -> None:
        """Their requests begin with the lock."""
        async with requests(app) as client:
            answers = await asyncio.gather(*(client.post("/visit") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert await value(counted) == 50


class TestMemory:
    """A database in memory is one for all sessions, async and sync, as a file is."""

    async def test_sessions_at_the_same_time_do_not_mix(self) -> None:
        """Without WAL a reader waits for a writer; what that rolls back, nobody sees."""
        database = Database("sqlite://")
        await database.exec("CREATE TABLE counter (value INTEGER)")
        async with database.session() as one:
            await (await one.connection()).execute(text("INSERT INTO counter VALUES (1)"))
            count = asyncio.create_task(rows(database))
            await one.rollback()
            assert await count == 0
        assert await database.raw("SELECT * FROM counter") == []
        await database.dispose()

    async def test_async_and_sync_sessions_share_it(self) -> None:
        """It is one database behind two engines."""
        database = Database("sqlite://")
        await database.exec("CREATE TABLE counter (value INTEGER)")
        assert database.sync_exec("INSERT INTO counter VALUES (3)") == 1
        assert await value(database) == 3
        await database.dispose()

    async def test_it_ends_with_dispose(self) -> None:
        """The next one is empty."""
        database = Database("sqlite://")
        await database.exec("CREATE TABLE counter (value INTEGER)")
        await database.dispose()
        assert await database.raw("SELECT * FROM sqlite_master") == []
        await database.dispose()

    async def test_it_survives_a_lost_connection(self) -> None:
        """As the pool may close any of its own."""
        database = Database("sqlite://")
        await database.exec("CREATE TABLE counter (value INTEGER)")
        async with database.engine.connect() as connection:
            await connection.invalidate()
        assert await database.raw("SELECT * FROM counter") == []
        await database.dispose()
