"""WEAK-GOR-01 and TEST-GOR-12: what Gor's layer fails at, each as a test whose rows another program reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.models import Database, Model
from lineside.models.migrations import migrate, rollback, status
from tests.models.migrating import create_table, write
from tests.models.reading import read

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class User(Base, table=True):
    __tablename__ = "users"
    name: str = Field(unique=True)
    visits: int = 0


class LineItem(Base, table=True):
    """Has no name for its table."""

    unit_price: int = 0


class Elsewhere(Model, registry=registry()):
    pass


class Ghost(Elsewhere, table=True):
    """Has no table."""

    name: str


@contextmanager
def sent(database: Database) -> Iterator[list[str]]:
    """List the statements of a block, as the driver gets them."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_weak_gor_01_create_and_update_write_their_row(database: Database) -> None:
    """Gor's generate a SELECT: there are 0 rows after a create."""
    async with database.session():
        ada = await User.create(name="Ada")
        await User.create(name="Bob")
    assert await read(database, "SELECT name FROM users ORDER BY id") == [("Ada",), ("Bob",)]
    async with database.session():
        await (await User.find(ada.id)).update(name="Eve")
    assert await read(database, "SELECT name FROM users ORDER BY id") == [("Eve",), ("Bob",)]
    async with database.session():
        await (await User.find(ada.id)).destroy()
    assert await read(database, "SELECT name FROM users") == [("Bob",)]


async def test_weak_gor_01_two_inserts_of_a_transaction_have_keys_of_their_own(database: Database) -> None:
    """Gor's insert the id 0 twice, which the unique key refuses."""
    async with database.transaction():
        keys = [(await User.create(name=name)).id for name in ("Ada", "Bob")]
    assert await read(database, "SELECT id, name FROM users ORDER BY id") == list(
        zip(keys, ("Ada", "Bob"), strict=True)
    )
    assert len({0, *keys}) == 3


async def test_weak_gor_01_placeholders_are_those_of_the_database(database: Database) -> None:
    """In INSERT, UPDATE and DELETE alike; no value stands in the text."""
    with sent(database) as statements:
        async with database.session():
            ada = await User.create(name="O'Hara? $1 %s :x")
            await ada.update(visits=7_001)
            await User.where(name=ada.name).update_all(visits=7_002)
            await database.exec("UPDATE users SET visits = :visits WHERE id = :id", visits=7_003, id=ada.id)
            seen = await read_in_session(database)
            await ada.destroy()
    assert seen == [("O'Hara? $1 %s :x", 7_003)]
    written = [line for line in statements if line.startswith(("INSERT", "UPDATE", "DELETE"))]
    mark, others = ("$1", "?") if database.url.get_backend_name() == "postgresql" else ("?", "$1")
    assert [line.split()[0] for line in written] == ["INSERT", "UPDATE", "UPDATE", "UPDATE", "DELETE"]
    assert [mark in line for line in written] == [True] * 5
    assert [others in line or "700" in line or "O'Hara" in line for line in written] == [False] * 5


async def read_in_session(database: Database) -> list[tuple[object, ...]]:
    """Read what the session itself has written so far, in SQL."""
    return [tuple(row) for row in await database.raw("SELECT name, visits FROM users")]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_weak_gor_01_both_drivers_of_postgresql(postgres_url: str, driver: str) -> None:
    """Each has marks of its own."""
    database = Database(postgres_url.replace("postgresql://", f"postgresql+{driver}://"))
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with database.session():
        await (await User.create(name="a?")).update(name="b%s")
    assert await read(database, "SELECT name FROM users") == [("b%s",)]
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await database.dispose()


async def test_weak_gor_01_migrations_are_loaded_from_their_files(database: Database, tmp_path: Path) -> None:
    """Gor's list is always empty."""
    write(tmp_path, "a1", create_table("weak_first"), "op.drop_table('weak_first')")
    assert [(one.revision, one.status) for one in await status(database, tmp_path)] == [("a1", "down")]
    await migrate(database, tmp_path)
    assert await read(database, "SELECT * FROM weak_first") == []
    await rollback(database, tmp_path)


async def test_weak_gor_01_a_rollback_runs_the_way_down(database: Database, tmp_path: Path) -> None:
    """Gor's forgets that the migration ran, and leaves the table."""
    down = "op.drop_table('weak_first')\nop.execute(\"INSERT INTO users (name, visits) VALUES ('down', 0)\")"
    write(tmp_path, "a1", create_table("weak_first"), down)
    await migrate(database, tmp_path)
    await rollback(database, tmp_path)
    with pytest.raises(Exception, match=r"(?i)no such table|does not exist"):
        await read(database, "SELECT * FROM weak_first")
    assert await read(database, "SELECT name FROM users") == [("down",)]
    assert await read(database, "SELECT * FROM alembic_version") == []


async def test_test_gor_12_hooks_timestamps_and_names_are_read_back(database: Database) -> None:
    """Gor's own tests of create and update never read the row, and pass on an error."""
    async with database.session():
        item = await LineItem.create(unit_price=3)
        await item.update(unit_price=4)
    # SQLModel's rule: the name of the class in lower case. Columns are called as in the class.
    ((price, created, updated),) = await read(
        database, "SELECT unit_price, created_at, updated_at FROM lineitem"
    )
    assert price == 4
    assert updated > created


async def test_test_gor_12_a_table_that_is_missing_is_an_error(database: Database) -> None:
    """Of the database, and nothing is tolerated."""
    with pytest.raises((OperationalError, ProgrammingError), match="ghost"):
        async with database.session():
            await Ghost.create(name="a")
