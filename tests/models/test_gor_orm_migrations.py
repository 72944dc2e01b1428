"""GORX-ORM-24 to 26: migrations, adapters, changes of a schema and bulk statements."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import registry

from lineside.exceptions import ConfigurationError
from lineside.models import Database, Model
from lineside.models.migrations import MigrationError, migrate, rollback, status
from tests.models.migrating import create_table, three, write
from tests.models.reading import read

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize(
        "database_url", ["sqlite-file", pytest.param("postgresql", marks=pytest.mark.services)], indirect=True
    ),
]


class Base(Model, registry=registry()):
    pass


class Item(Base, table=True):
    __tablename__ = "gor_item"
    name: str
    stock: int = 0


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give an empty database."""
    database = Database(database_url)
    yield database
    await database.dispose()


async def described(database_url: str, table: str) -> tuple[set[str], set[Any]]:
    """Name the columns and indexes of a table, through an engine of its own."""
    other = Database(database_url)
    async with other.engine.connect() as connection:
        columns = await connection.run_sync(lambda sync: inspect(sync).get_columns(table))
        indexes = await connection.run_sync(lambda sync: inspect(sync).get_indexes(table))
    await other.dispose()
    return {column["name"] for column in columns}, {index["name"] for index in indexes}


class TestMigrations:
    async def test_gorx_orm_24_migrations_run_in_order_and_back(
        self, database: Database, tmp_path: Path
    ) -> None:
        """Up, the state of each, and down by steps."""
        three(tmp_path)
        assert [one.revision for one in await migrate(database, tmp_path)] == ["a1", "b2", "c3"]
        assert await read(database, "SELECT count(*) FROM third") == [(0,)]
        assert [one.revision for one in await rollback(database, tmp_path, steps=2)] == ["c3", "b2"]
        assert [(one.revision, one.status) for one in await status(database, tmp_path)] == [
            ("a1", "up"),
            ("b2", "down"),
            ("c3", "down"),
        ]
        assert await read(database, "SELECT version_num FROM alembic_version") == [("a1",)]

    async def test_gorx_orm_24_each_is_a_transaction(self, database: Database, tmp_path: Path) -> None:
        """One that fails leaves nothing, and those before it stay."""
        write(tmp_path, "a1", create_table("first"))
        write(tmp_path, "b2", "op.execute(\"INSERT INTO first VALUES (1, 'half')\")\n1 / 0", after="a1")
        with pytest.raises(MigrationError):
            await migrate(database, tmp_path)
        assert await read(database, "SELECT * FROM first") == []
        assert await read(database, "SELECT version_num FROM alembic_version") == [("a1",)]

    async def test_gorx_orm_26_columns_and_indexes_come_and_go(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """AddColumn, DropColumn, AddIndex, DropIndex: on SQLite, too."""
        write(tmp_path, "a1", create_table("first"))
        write(
            tmp_path,
            "b2",
            "with op.batch_alter_table('first') as batch:\n"
            "    batch.add_column(sa.Column('size', sa.Integer))\n"
            "    batch.create_index('by_size', ['size'])",
            "with op.batch_alter_table('first') as batch:\n"
            "    batch.drop_index('by_size')\n"
            "    batch.drop_column('size')",
            after="a1",
        )
        await migrate(database, tmp_path)
        assert await described(database_url, "first") == ({"id", "name", "size"}, {"by_size"})
        await rollback(database, tmp_path)
        assert await described(database_url, "first") == ({"id", "name"}, set())


async def test_gorx_orm_25_an_unknown_adapter_is_an_error(database: Database) -> None:
    """Gor falls back to SQLite; MySQL is not supported, and says so."""
    for url in ("mysql://root@localhost/app", "nonsense://x"):
        with pytest.raises(ConfigurationError, match="known schemes"):
            Database(url)


async def test_gorx_orm_26_bulk_statements(database: Database) -> None:
    """Insert, update and delete many in one statement."""
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    rows = "SELECT name, stock FROM gor_item ORDER BY name"
    async with database.session():
        assert await Item.insert_all([{"name": name} for name in "abc"]) == 3
    assert await read(database, rows) == [("a", 0), ("b", 0), ("c", 0)]
    async with database.session():
        assert await Item.where(name=["a", "b"]).update_all(stock=Item.stock + 1) == 2
        assert await Item.where(name="c").delete_all() == 1
    assert await read(database, rows) == [("a", 1), ("b", 1)]
