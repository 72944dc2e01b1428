"""Several migrators at once: each migration runs exactly once, and nobody waits for ever."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineside.models import Database
from lineside.models.migrations import ConcurrentMigrationError, migrate, status
from tests.models.migrating import create_table, execute, rows, tables, write

pytestmark = pytest.mark.anyio

on_both = pytest.mark.parametrize(
    "database_url", ["sqlite-file", pytest.param("postgresql", marks=pytest.mark.services)], indirect=True
)

# One migrator as a deployment starts it. It waits for a line, so that several begin together.
MIGRATOR = """
import asyncio, sys
from lineside.models import Database
from lineside.models.migrations import migrate

async def main(url, folder):
    print("ready", flush=True)
    sys.stdin.readline()
    database = Database(url)
    done = await migrate(database, folder)
    print(*[one.revision for one in done])
    await database.dispose()

asyncio.run(main(*sys.argv[1:]))
"""

Start = Callable[[str, Path], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a migrator in a process of its own, and end it with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(url: str, folder: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", MIGRATOR, url, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def begin(migrator: subprocess.Popen[str]) -> None:
    """Give a migrator the line that it waits for."""
    assert migrator.stdin is not None
    migrator.stdin.write("\n")
    migrator.stdin.flush()


def paused(folder: Path) -> tuple[Path, Path]:
    """Write a migration that tells through one pipe that it runs, and ends when the other is opened."""
    told, resume = folder / "told", folder / "resume"
    os.mkfifo(told)
    os.mkfifo(resume)
    pause = f"open({str(told)!r}, 'w').close()\nopen({str(resume)!r}).close()"
    write(folder, "a1", f"{create_table('first')}\n{pause}")
    return told, resume


@on_both
async def test_each_migration_runs_exactly_once(database_url: str, tmp_path: Path, start: Start) -> None:
    """Four processes that begin together do the work of one."""
    await execute(database_url, "CREATE TABLE runs (revision VARCHAR)")
    for before, name in zip([None, "a1", "a2", "a3"], ["a1", "a2", "a3", "a4"], strict=True):
        write(tmp_path, name, f"op.execute(\"INSERT INTO runs VALUES ('{name}')\")", after=before)
    migrators = [start(database_url, tmp_path) for _ in range(4)]
    for migrator in migrators:
        begin(migrator)
    ended = [migrator.communicate() for migrator in migrators]
    assert [migrator.returncode for migrator in migrators] == [0] * 4, [errors for _, errors in ended]
    assert sorted(" ".join(done for done, _ in ended).split()) == ["a1", "a2", "a3", "a4"]
    assert await rows(database_url, "SELECT revision FROM runs ORDER BY revision") == [
        ("a1",),
        ("a2",),
        ("a3",),
        ("a4",),
    ]


@on_both
async def test_a_second_migrator_waits_until_its_deadline(
    database_url: str, tmp_path: Path, start: Start
) -> None:
    """While another process is inside a migration it is refused; afterwards it finds the work done."""
    told, resume = paused(tmp_path)
    first = start(database_url, tmp_path)
    begin(first)
    await asyncio.to_thread(told.read_text)  # it is inside
    database = Database(database_url)
    with pytest.raises(ConcurrentMigrationError, match=r"0\.2 s"):
        await migrate(database, tmp_path, lock_timeout_seconds=0.2)
    waiting = asyncio.create_task(migrate(database, tmp_path, lock_timeout_seconds=60))
    await asyncio.to_thread(resume.write_text, "")
    assert await waiting == []
    assert first.communicate()[0] == "a1\n"
    assert await tables(database_url) == {"first"}
    await database.dispose()


@on_both
async def test_a_migrator_that_is_killed_leaves_nothing(
    database_url: str, tmp_path: Path, start: Start
) -> None:
    """Neither half of a migration nor its lock."""
    told, _ = paused(tmp_path)
    first = start(database_url, tmp_path)
    begin(first)
    await asyncio.to_thread(told.read_text)
    first.kill()
    first.wait()
    write(tmp_path, "a1", create_table("second"))
    database = Database(database_url)
    assert len(await migrate(database, tmp_path)) == 1
    assert await tables(database_url) == {"second"}
    await database.dispose()


@on_both
async def test_asking_does_not_wait(database_url: str, tmp_path: Path, start: Start) -> None:
    """The status can be read while a migration runs; it is not applied before it is committed."""
    told, resume = paused(tmp_path)
    first = start(database_url, tmp_path)
    begin(first)
    await asyncio.to_thread(told.read_text)
    database = Database(database_url)
    assert [one.status for one in await status(database, tmp_path)] == ["down"]
    await asyncio.to_thread(resume.write_text, "")
    first.communicate()
    assert [one.status for one in await status(database, tmp_path)] == ["up"]
    await database.dispose()


async def test_two_databases_in_one_process_are_not_mixed_up(tmp_path: Path) -> None:
    """Alembic's operations are a module of the process: its two users take turns."""
    urls = [f"sqlite:///{tmp_path / name}.sqlite3" for name in ("one", "two")]
    for name in ("one", "two"):
        folder = tmp_path / name
        write(folder, "a1", create_table(f"{name}_first"))
        write(folder, "a2", create_table(f"{name}_second"), after="a1")
    databases = [Database(url) for url in urls]
    await asyncio.gather(
        *[
            migrate(database, tmp_path / name)
            for database, name in zip(databases, ("one", "two"), strict=True)
        ]
    )
    assert await tables(urls[0]) == {"one_first", "one_second"}
    assert await tables(urls[1]) == {"two_first", "two_second"}
    for database in databases:
        await database.dispose()


async def test_a_database_in_memory_is_migrated(tmp_path: Path) -> None:
    """It has one owner, and the same rules."""
    write(tmp_path, "a1", create_table("first"))
    database = Database("sqlite://")
    assert len(await migrate(database, tmp_path)) == 1
    assert await database.raw("SELECT count(*) FROM first") == [(0,)]
    await database.dispose()
