"""Database: URLs, what SQLite and PostgreSQL are told, lazy connections."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Field, SQLModel, select

from lineside.exceptions import ConfigurationError
from lineside.models import DEFAULT_URL, Database
from lineside.models._exceptions import ConnectionNotEstablished, StatementTimeout

pytestmark = pytest.mark.anyio


class Author(SQLModel, table=True):
    __tablename__ = "models_author"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


async def names(database: Database) -> list[str]:
    """Read all authors in a session of their own."""
    async with database.session() as session:
        return [author.name for author in (await session.exec(select(Author))).all()]


class TestUrls:
    """What a URL may be, and what is said when it is not."""

    @pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "postgresql+psycopg2://u:hunter2@h/d"])
    async def test_an_unknown_scheme_names_the_known_ones(self, url: str) -> None:
        """The message says what would work, and not the password."""
        with pytest.raises(ConfigurationError, match="known schemes: postgres, postgresql") as caught:
            Database(url)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        [
            "hunter2",
            "",
            "postgresql:hunter2@host",
            "postgresql://u:p@host:hunter2/db",  # no port
        ],
    )
    async def test_a_url_that_cannot_be_read_is_not_shown(self, url: str) -> None:
        """It may hold a password in any place, so the error has none of it, nor has its cause."""
        with pytest.raises(ConfigurationError, match="cannot be read") as caught:
            Database(url)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    async def test_a_password_may_hold_a_slash(self) -> None:
        """It is the password's, and is hidden with it."""
        assert "hunter2" not in repr(Database("postgresql://u:hunter2/secret@host/db"))

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
    async def test_repr_hides_the_password(self, scheme: str) -> None:
        """A database may stand in a log line."""
        database = Database(f"{scheme}://blog:hunter2@db/blog")
        assert repr(database) == "Database('postgresql+asyncpg://blog:***@db/blog')"

    async def test_the_url_can_be_read(self) -> None:
        """A tool may ask which file or server it is; as text it shows no password."""
        assert Database("sqlite://").url.database is None
        assert Database("sqlite:///some/file").url.database == "some/file"
        assert (
            str(Database("postgresql://blog:hunter2@db/blog").url) == "postgresql+asyncpg://blog:***@db/blog"
        )

    def test_a_missing_driver_names_the_extra(self) -> None:
        """PostgreSQL without asyncpg types the pip command, when it is made and not at the first query."""
        code = (
            "import sys; sys.modules['asyncpg'] = None\n"
            "from lineside.models import Database\n"
            "try:\n    Database('postgresql://h/d')\nexcept ImportError as error:\n    print(error)"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout == "'asyncpg' is not installed. Run: pip install 'lineside[postgres]'\n"

    async def test_the_default_is_a_sqlite_file(self) -> None:
        """Without a URL there is a file in the current directory."""
        assert DEFAULT_URL == "sqlite:///app.sqlite3"
        assert Database().engine.url.database == "app.sqlite3"


class TestSessions:
    """The same on every database."""

    @staticmethod
    async def add_and_fail(database: Database) -> None:
        """Write a row, then fail in the same session."""
        async with database.session() as session:
            session.add(Author(name="Ada"))
            await session.flush()
            await session.scalar(text("SELECT nonsense"))

    async def test_a_session_commits_at_its_end(self, database_url: str) -> None:
        """What the block added is there afterwards, and its attributes can still be read."""
        database = Database(database_url)
        await database.create_all()
        async with database.session() as session:
            author = Author(name="Ada")
            session.add(author)
        assert author.name == "Ada"
        assert author.id == 1
        assert await names(database) == ["Ada"]
        await database.dispose()

    async def test_a_session_rolls_back_when_its_block_raises(self, database_url: str) -> None:
        """The error goes on, and nothing is left."""
        database = Database(database_url)
        await database.create_all()
        with pytest.raises(DBAPIError):
            await self.add_and_fail(database)
        with pytest.raises(IntegrityError):
            async with database.session() as session:
                session.add_all([Author(name="Ben"), Author(name="Ben")])
        assert await names(database) == []
        await database.dispose()

    async def test_tables_are_created_once(self, database_url: str) -> None:
        """A second call finds them and keeps what is in them."""
        database = Database(database_url)
        await database.create_all()
        async with database.session() as session:
            session.add(Author(name="Ada"))
        await database.create_all()
        assert await names(database) == ["Ada"]
        await database.dispose()

    # Not in memory: there is no WAL, so a reader keeps a writer waiting.
    @pytest.mark.parametrize(
        "database_url",
        ["sqlite-file", pytest.param("postgresql", marks=pytest.mark.services)],
        indirect=True,
    )
    async def test_sessions_at_the_same_time_do_not_mix(self, database_url: str) -> None:
        """What one session has not committed is not committed by another one's end."""
        database = Database(database_url)
        await database.create_all()
        async with database.session(sqlite_begin="DEFERRED") as reading:
            await reading.exec(select(Author))
            async with database.session() as writing:
                writing.add(Author(name="Ada"))
            await reading.rollback()
        assert await names(database) == ["Ada"]
        await database.dispose()


class TestSQLite:
    """What a connection to SQLite is told."""

    async def test_pragmas(self, tmp_path: Path) -> None:
        """WAL, NORMAL, five seconds of patience, and foreign keys, on every connection."""
        database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
        expected = {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000, "foreign_keys": 1}
        for _ in range(2):
            async with database.session() as session:
                found = {name: await session.scalar(text(f"PRAGMA {name}")) for name in expected}
            assert found == expected
            await database.dispose()

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite+aiosqlite://"])
    async def test_memory_lives_between_sessions(self, url: str) -> None:
        """All sessions of one Database see one database; another Database has its own."""
        one, two = Database(url), Database(url)
        await one.create_all()
        await two.create_all()
        async with one.session() as session:
            session.add(Author(name="Ada"))
        assert await names(one) == ["Ada"]
        assert await names(two) == []
        await one.dispose()
        await two.dispose()

    async def test_nothing_is_opened_before_the_first_query(self, tmp_path: Path) -> None:
        """Neither making it, nor its engine, nor an unused session makes the file; disposing is harmless."""
        path = tmp_path / "test.sqlite3"
        database = Database(f"sqlite:///{path}")
        await database.dispose()
        assert database.engine is database.engine
        async with database.session():
            pass
        assert not path.exists()

    async def test_it_opens_again_after_dispose(self, tmp_path: Path) -> None:
        """An app that is started twice has its database both times."""
        database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
        for _ in range(2):
            await database.create_all()
            assert await names(database) == []
            await database.dispose()


@pytest.mark.services
class TestPostgres:
    """What only a server can do to us."""

    async def test_a_dead_connection_costs_no_query(self, postgres_url: str) -> None:
        """After the server has ended our connections, the next session works."""
        database, killer = Database(postgres_url), Database(postgres_url)
        async with database.session() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
        async with killer.session() as session:
            assert await session.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), params={"pid": pid})
        async with database.session() as session:
            assert await session.scalar(text("SELECT pg_backend_pid()")) != pid
        await database.dispose()
        await killer.dispose()

    async def test_a_long_statement_is_given_up(self, postgres_url: str) -> None:
        """command_timeout_seconds bounds one statement, and the pool goes on working."""
        database = Database(postgres_url, command_timeout_seconds=0.2)
        with pytest.raises(StatementTimeout, match=r"within 0\.2 s"):
            async with database.session() as session:
                await session.scalar(text("SELECT pg_sleep(60)"))
        async with database.session() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        await database.dispose()

    async def test_a_silent_server_is_given_up(self) -> None:
        """connect_timeout_seconds bounds a connection that is accepted and never answered."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            port = silent.getsockname()[1]
            database = Database(f"postgresql://u@127.0.0.1:{port}/d?ssl=disable", connect_timeout_seconds=0.2)
            async with asyncio.timeout(10):
                with pytest.raises(ConnectionNotEstablished, match="is it running"):
                    async with database.session() as session:
                        await session.scalar(text("SELECT 1"))
            await database.dispose()

    async def test_dispose_closes_every_connection(self, postgres_url: str) -> None:
        """The server sees us leave."""
        database, observer = Database(postgres_url), Database(postgres_url)
        async with database.session() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
        await database.dispose()
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = :pid"
        async with asyncio.timeout(10), observer.session() as session:
            while await session.scalar(text(gone), params={"pid": pid}):
                await session.rollback()
        await observer.dispose()
