"""A whole database: created, filled and dropped."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models._exceptions import ConnectionNotEstablished
from lineside.models.migrations import MigrationError, create, drop, migrate, seed
from tests.models.migrating import create_table, execute, rows, tables, write

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database that does not exist; its name needs to be quoted."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'app.sqlite3'}"
    server: str = request.getfixturevalue("postgres_url").rpartition("/")[0]
    return f"{server}/Shop-{tmp_path.name}-%22:x"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """Give a database that does not exist, and drop it in the end."""
    database = Database(url)
    yield database
    await drop(database)
    await database.dispose()


class TestCreate:
    """``create`` and ``drop``."""

    async def test_creates_and_drops_once(self, database: Database, url: str) -> None:
        """The second time there is nothing to do, and that is said."""
        assert await create(database)
        await execute(url, "CREATE TABLE first (id INTEGER)")
        assert not await create(database)
        assert await tables(url) == {"first"}
        assert await drop(database)
        assert not await drop(database)

    async def test_dropped_is_empty_when_it_is_created_again(self, database: Database, url: str) -> None:
        """Nothing comes back out of a file that was left behind."""
        await create(database)
        await database.exec("CREATE TABLE first (id INTEGER)")
        await drop(database)
        await create(database)
        assert await tables(url) == set()

    async def test_without_the_database_the_command_is_named(
        self, database: Database, tmp_path: Path
    ) -> None:
        """Whoever migrates first reads what to do."""
        write(tmp_path, "a1", create_table("first"))
        with pytest.raises(ConnectionNotEstablished, match="lineside db create"):
            await migrate(database, tmp_path)

    @pytest.mark.parametrize("url", [pytest.param("postgresql", marks=pytest.mark.services)], indirect=True)
    async def test_a_database_in_use_is_not_dropped(self, database: Database, url: str) -> None:
        """PostgreSQL refuses, and the message says why."""
        await create(database)
        other = Database(url)
        async with other.engine.connect():
            with pytest.raises(MigrationError, match="being accessed by other users"):
                await drop(database)
        await other.dispose()

    async def test_one_in_memory_needs_neither(self) -> None:
        """It is there when it is used, and gone with its last connection."""
        database = Database("sqlite://")
        assert not await create(database)
        assert not await drop(database)
        await database.dispose()

    async def test_a_url_without_a_name(self) -> None:
        """There is nothing to create."""
        with pytest.raises(ConfigurationError, match="names no database"):
            await create(Database("postgresql://me@127.0.0.1:1"))

    async def test_a_server_that_is_not_there(self) -> None:
        """One clear error, without the password."""
        with pytest.raises(ConnectionNotEstablished, match="is the server running") as caught:
            await create(Database("postgresql://me:hunter2@127.0.0.1:1/shop"))
        assert "hunter2" not in str(caught.value)


class TestSeed:
    """``seed``."""

    async def test_runs_in_one_session_that_is_the_ambient_one(
        self, database: Database, url: str, tmp_path: Path
    ) -> None:
        """What it adds is committed, and what it raises rolls everything back."""
        await create(database)
        await execute(url, "CREATE TABLE first (id INTEGER PRIMARY KEY, name VARCHAR)")
        file = tmp_path / "seeds.py"
        file.write_text(
            "from lineside.models._connection._ambient import current_session\n"
            "from sqlalchemy import text\n"
            "async def seed(session):\n"
            "    assert current_session() is session\n"
            "    connection = await session.connection()\n"
            "    await connection.execute(text(\"INSERT INTO first VALUES (1, 'Ada')\"))\n"
        )
        await seed(database, file)
        assert await rows(url, "SELECT name FROM first") == [("Ada",)]
        file.write_text(file.read_text().replace("(1,", "(2,") + "    raise LookupError('no')\n")
        with pytest.raises(LookupError):
            await seed(database, file)
        assert await rows(url, "SELECT name FROM first") == [("Ada",)]

    @pytest.mark.parametrize("text", [None, "", "def seed(session): ..."])
    async def test_a_file_without_seeds(self, database: Database, tmp_path: Path, text: str | None) -> None:
        """No file, no function, and one that is not async: each says what to write."""
        if text is not None:
            (tmp_path / "seeds.py").write_text(text)
        with pytest.raises(ConfigurationError, match=r"async def seed\(session\)"):
            await seed(database, tmp_path / "seeds.py")
