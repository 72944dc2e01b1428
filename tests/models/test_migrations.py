"""Running migrations: in order, each as a whole, and back again."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models.migrations import (
    IrreversibleMigration,
    MigrationError,
    PendingMigrationError,
    UnknownMigrationVersionError,
    check,
    migrate,
    rollback,
    stamp,
    status,
)
from tests.models.migrating import create_table, execute, rows, tables, three, write

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize(
        "database_url", ["sqlite-file", pytest.param("postgresql", marks=pytest.mark.services)], indirect=True
    ),
]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give an empty database."""
    database = Database(database_url)
    yield database
    await database.dispose()


class TestMigrate:
    """The way up."""

    async def test_runs_what_has_not_run_in_order(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """The order is that of the revisions, not that of the files; nothing runs twice."""
        three(tmp_path)
        told: list[str] = []
        done = await migrate(database, tmp_path, report=lambda one: told.append(one.revision))
        assert [one.revision for one in done] == told == ["a1", "b2", "c3"]
        assert await tables(database_url) == {"first", "second", "third"}
        assert await migrate(database, tmp_path) == []
        write(tmp_path, "d4", create_table("fourth"), after="c3")
        assert [one.message for one in await migrate(database, tmp_path)] == ["change d4"]

    async def test_stops_where_it_is_told(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """A revision, or the beginning of one, is the last that runs; one that has run is no work."""
        three(tmp_path)
        await migrate(database, tmp_path, revision="b")
        assert await tables(database_url) == {"first", "second"}
        assert await migrate(database, tmp_path, revision="a1") == []
        assert await tables(database_url) == {"first", "second"}

    async def test_one_that_fails_leaves_nothing_and_those_before_stay(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """Neither its tables nor its rows, and its version is not noted; on SQLite, too."""
        write(tmp_path, "a1", f"{create_table('first')}\nop.execute(\"INSERT INTO first VALUES (1, 'old')\")")
        change = "op.execute(\"UPDATE first SET name = 'new'\")\nop.execute('SELECT nonsense')"
        write(tmp_path, "b2", f"{create_table('half')}\n{change}", after="a1")
        with pytest.raises(
            MigrationError, match=r"migration b2 \(.*b2_change.py\) failed on its way up.*nonsense"
        ):
            await migrate(database, tmp_path)
        assert await tables(database_url) == {"first"}
        assert await rows(database_url, "SELECT name FROM first") == [("old",)]
        assert [one.status for one in await status(database, tmp_path)] == ["up", "down"]
        write(tmp_path, "b2", create_table("half"), after="a1")
        assert [one.revision for one in await migrate(database, tmp_path)] == ["b2"]

    async def test_may_leave_the_transaction_where_the_database_must(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """Alembic's autocommit_block() works: a concurrent index of PostgreSQL needs it."""
        write(tmp_path, "a1", create_table("first"))
        concurrently = "CONCURRENTLY " if database_url.startswith("postgresql") else ""
        write(
            tmp_path,
            "b2",
            "with op.get_context().autocommit_block():\n"
            f"    op.execute('CREATE INDEX {concurrently}by_name ON first (name)')\n"
            + create_table("second"),
            after="a1",
        )
        assert len(await migrate(database, tmp_path)) == 2
        assert await tables(database_url) == {"first", "second"}

    async def test_two_branches_both_run(self, database: Database, database_url: str, tmp_path: Path) -> None:
        """What two people wrote at the same time needs no merge; rollback takes the latest first."""
        write(tmp_path, "a1", create_table("first"), "op.drop_table('first')")
        write(tmp_path, "b2", create_table("second"), "op.drop_table('second')", after="a1")
        write(tmp_path, "b3", create_table("third"), "op.drop_table('third')", after="a1")
        assert {one.revision for one in await migrate(database, tmp_path)} == {"a1", "b2", "b3"}
        assert [one.revision for one in await rollback(database, tmp_path, steps=2)] == ["b3", "b2"]
        assert await tables(database_url) == {"first"}

    async def test_a_constraint_without_a_name_gets_one(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """The same on SQLite as on PostgreSQL, so that a later migration can drop it on both."""
        table = "op.create_table('first', sa.Column('id', sa.Integer), sa.UniqueConstraint('id'))"
        write(tmp_path, "a1", table)
        drop = "batch.drop_constraint('first_id_key', type_='unique')"
        write(tmp_path, "b2", f"with op.batch_alter_table('first') as batch:\n    {drop}", after="a1")
        await migrate(database, tmp_path)
        await execute(database_url, "INSERT INTO first VALUES (1)", "INSERT INTO first VALUES (1)")


class TestRollback:
    """The way back."""

    async def test_really_undoes_the_last_one(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """The table is gone for everybody, not only the note that it had been made."""
        three(tmp_path)
        await migrate(database, tmp_path)
        (undone,) = await rollback(database, tmp_path)
        assert (undone.revision, undone.status) == ("c3", "down")
        assert await tables(database_url) == {"first", "second"}
        assert [one.status for one in await status(database, tmp_path)] == ["up", "up", "down"]
        assert await rows(database_url, "SELECT version_num FROM alembic_version") == [("b2",)]

    async def test_takes_several_steps_and_no_more_than_there_are(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """Everything can be undone, and done again."""
        three(tmp_path)
        await migrate(database, tmp_path)
        assert [one.revision for one in await rollback(database, tmp_path, steps=2)] == ["c3", "b2"]
        assert [one.revision for one in await rollback(database, tmp_path, steps=9)] == ["a1"]
        assert await rollback(database, tmp_path) == []
        assert await tables(database_url) == set()
        assert len(await migrate(database, tmp_path)) == 3

    @pytest.mark.parametrize(
        "downgrade",
        [
            None,
            "raise NotImplementedError('the names are gone')",
            "from lineside.models.migrations import IrreversibleMigration\n"
            "op.execute('DELETE FROM first')\n"
            "raise IrreversibleMigration('the names are gone')",
        ],
        ids=["missing", "not implemented", "irreversible"],
    )
    async def test_one_without_a_way_back_says_so(
        self, database: Database, database_url: str, tmp_path: Path, downgrade: str | None
    ) -> None:
        """Nothing is undone, and its version stays noted."""
        insert = "op.execute(\"INSERT INTO first VALUES (1, 'kept')\")"
        write(tmp_path, "a1", f"{create_table('first')}\n{insert}", downgrade)
        await migrate(database, tmp_path)
        with pytest.raises(IrreversibleMigration, match=r"migration a1 .* cannot be rolled back: ") as caught:
            await rollback(database, tmp_path)
        assert ("names are gone" in str(caught.value)) == (downgrade is not None)
        assert await rows(database_url, "SELECT name FROM first") == [("kept",)]
        assert [one.status for one in await status(database, tmp_path)] == ["up"]

    async def test_one_that_fails_leaves_everything(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """The table that it had dropped already is there again."""
        write(tmp_path, "a1", create_table("first"), "op.drop_table('first')\nop.drop_table('nonsense')")
        await migrate(database, tmp_path)
        with pytest.raises(MigrationError, match="failed on its way down"):
            await rollback(database, tmp_path)
        assert await tables(database_url) == {"first"}
        assert [one.status for one in await status(database, tmp_path)] == ["up"]


class TestForeignKeys:
    """SQLite copies a table to change it: what points to it must survive."""

    TABLES = """
op.create_table('author', sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.String))
op.create_table('post', sa.Column('id', sa.Integer, primary_key=True),
    sa.Column('author_id', sa.Integer, sa.ForeignKey('author.id', ondelete='CASCADE'), nullable=False))
op.execute("INSERT INTO author VALUES (1, 'Ada')")
op.execute("INSERT INTO post VALUES (1, 1)")
"""

    async def test_changing_a_table_keeps_the_rows_that_point_to_it(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """Dropping the old copy would delete them, through ON DELETE CASCADE."""
        write(tmp_path, "a1", self.TABLES)
        change = (
            "with op.batch_alter_table('author') as batch:\n    batch.alter_column('name', nullable=False)"
        )
        write(tmp_path, "b2", change, after="a1")
        await migrate(database, tmp_path)
        assert await rows(database_url, "SELECT id, author_id FROM post") == [(1, 1)]

    async def test_rows_that_point_nowhere_are_refused(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """What the database would not have let through while the keys hold is rolled back at the end."""
        write(tmp_path, "a1", self.TABLES)
        write(tmp_path, "b2", "op.execute('INSERT INTO post VALUES (2, 7)')", after="a1")
        with pytest.raises(MigrationError, match="b2"):
            await migrate(database, tmp_path)
        assert await rows(database_url, "SELECT id FROM post") == [(1,)]

    async def test_the_connection_goes_back_as_it_was(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """The next session of the pool has its foreign keys."""
        write(tmp_path, "a1", self.TABLES)
        await migrate(database, tmp_path)
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            await database.exec("INSERT INTO post VALUES (2, 7)")


class TestStatus:
    """What has run."""

    async def test_stamp_notes_without_running(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """An app whose tables exist already begins like this."""
        three(tmp_path)
        await execute(database_url, "CREATE TABLE first (id INTEGER)")
        await stamp(database, tmp_path, revision="a1")
        assert [one.status for one in await status(database, tmp_path)] == ["up", "down", "down"]
        assert [one.revision for one in await migrate(database, tmp_path)] == ["b2", "c3"]

    async def test_check_names_what_is_pending(self, database: Database, tmp_path: Path) -> None:
        """An app may refuse to start with it."""
        three(tmp_path)
        await migrate(database, tmp_path, revision="a1")
        with pytest.raises(PendingMigrationError, match="b2, c3; run `lineside db migrate`") as caught:
            await check(database, tmp_path)
        assert caught.value.revisions == ("b2", "c3")
        await migrate(database, tmp_path)
        await check(database, tmp_path)

    async def test_asking_changes_nothing(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """Not even Alembic's own table is made."""
        three(tmp_path)
        await status(database, tmp_path)
        with pytest.raises(PendingMigrationError):
            await check(database, tmp_path)
        if database_url.startswith("sqlite"):
            assert await rows(database_url, "SELECT name FROM sqlite_master") == []
        else:
            assert (
                await rows(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
            )


class TestMistakes:
    """What a developer gets wrong, and what the answer is."""

    @pytest.mark.parametrize("revision", ["nope", "", "-1", "+1", "a1:b2", "a"])
    async def test_an_unknown_revision(
        self, database: Database, database_url: str, tmp_path: Path, revision: str
    ) -> None:
        """It is named; neither Alembic's arithmetic nor the beginning of two is a revision."""
        write(tmp_path, "a1", create_table("first"))
        write(tmp_path, "a2", create_table("second"), after="a1")
        for call in (migrate, stamp):
            with pytest.raises(UnknownMigrationVersionError, match=re.escape(repr(revision))):
                await call(database, tmp_path, revision=revision)
        assert await tables(database_url) == set()

    async def test_a_database_that_is_ahead_of_the_files(self, database: Database, tmp_path: Path) -> None:
        """Another branch's migration has run here: nothing is guessed."""
        three(tmp_path)
        await migrate(database, tmp_path)
        (tmp_path / "versions" / "c3_change.py").unlink()
        for call in (migrate, rollback, status, check, stamp):
            with pytest.raises(UnknownMigrationVersionError, match="'c3', which has no file"):
                await call(database, tmp_path)

    async def test_no_folder(self, database: Database, tmp_path: Path) -> None:
        """The answer says what makes it."""
        with pytest.raises(ConfigurationError, match=r"no folder '.*nowhere/versions'.*db revision"):
            await migrate(database, tmp_path / "nowhere")

    async def test_an_environment_of_the_users_own(self, database: Database, tmp_path: Path) -> None:
        """Its settings are not ours to guess: Alembic goes on to run it."""
        three(tmp_path)
        (tmp_path / "env.py").write_text("")
        with pytest.raises(ConfigurationError, match="alembic upgrade head"):
            await migrate(database, tmp_path)

    @pytest.mark.parametrize("mistake", ["syntax", "missing", "twice"])
    async def test_files_that_cannot_be_read(
        self, database: Database, database_url: str, tmp_path: Path, mistake: str
    ) -> None:
        """None runs, also of those that could."""
        three(tmp_path)
        if mistake == "syntax":
            (tmp_path / "versions" / "d4.py").write_text("def upgrade(:")
        elif mistake == "missing":
            write(tmp_path, "d4", "pass", after="gone")
        else:
            file = tmp_path / "versions" / "a1_change.py"
            file.with_name("copy.py").write_text(file.read_text())
        with pytest.raises(MigrationError, match="cannot be read"):
            await migrate(database, tmp_path)
        assert await tables(database_url) == set()
