"""A new column that may not be NULL, and a table that has rows."""

import enum
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.models import Database, EnumField, JSONField, Model
from lineside.models.migrations import MigrationError, check, migrate, revision, rollback
from tests.models.migrating import execute, rows

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize(
        "database_url", ["sqlite-file", pytest.param("postgresql", marks=pytest.mark.services)], indirect=True
    ),
]


class Mood(enum.Enum):
    """A type of its own in PostgreSQL, which keeps the names."""

    happy = "H"
    sad = "S"


class Status(enum.StrEnum):
    """Kept as text, by value."""

    DRAFT = "draft"
    LIVE = "live"


class Before(SQLModel, registry=registry()):
    """The model as it was."""


class After(Model, registry=registry()):
    """The model as it became."""


class Demanding(SQLModel, registry=registry()):
    """A model that has no value for old rows."""


class Post(Before, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(unique=True)


class ChangedPost(After, table=True):
    __tablename__ = "post"

    title: str = Field(unique=True)
    published: bool = False
    featured: bool = True
    views: int = 7
    rating: Decimal = Field(default=Decimal("1.5"), max_digits=4, decimal_places=1)
    slug: str = ""
    note: str = "it's: 100%"
    mood: Mood = Mood.sad
    status: Status = EnumField(Status, default=Status.LIVE)
    meta: dict[str, Any] = JSONField(default_factory=dict)
    tags: list[str] = JSONField(default_factory=list)


class DemandingPost(Demanding, table=True):
    __tablename__ = "post"

    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(unique=True)
    body: str
    token: str = Field(default_factory=lambda: "another each time")


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """Give a migrated database with one row."""
    database = Database(database_url)
    await revision("begin", tmp_path, database=database, metadata=Before.metadata)
    await migrate(database, tmp_path)
    await execute(database_url, "INSERT INTO post (title) VALUES ('Old')")
    yield database
    await database.dispose()


async def test_old_rows_get_the_default_of_the_model(database: Database, tmp_path: Path) -> None:
    """A record reads them as what a new one would have, of every type."""
    await revision("change", tmp_path, database=database, metadata=After.metadata)
    await migrate(database, tmp_path)
    async with database.session():
        old = await ChangedPost.find_or_raise(title="Old")
        new = ChangedPost(title="New")
        names = set(ChangedPost.model_fields) - {"id", "title", "created_at", "updated_at"}
        assert {name: getattr(old, name) for name in names} == {name: getattr(new, name) for name in names}


async def test_the_column_forgets_the_default(database: Database, tmp_path: Path) -> None:
    """The table is what the models say, constraints included; there is nothing left to migrate."""
    await revision("change", tmp_path, database=database, metadata=After.metadata)
    await migrate(database, tmp_path)
    await check(database, tmp_path, metadata=After.metadata)
    async with database.engine.connect() as connection:
        columns = await connection.run_sync(lambda sync: inspect(sync).get_columns("post"))
        unique = await connection.run_sync(lambda sync: inspect(sync).get_unique_constraints("post"))
    # SQLModel's key and timestamps have defaults of the database's own.
    assert {one["name"] for one in columns if one["default"] is not None} <= {
        "id",
        "created_at",
        "updated_at",
    }
    assert [one["name"] for one in unique] == ["post_title_key"]


async def test_the_model_keeps_no_such_default(database: Database, tmp_path: Path) -> None:
    """Writing a file changes the file, not the classes of the app."""
    await revision("change", tmp_path, database=database, metadata=After.metadata)
    assert After.metadata.tables["post"].columns["views"].server_default is None


async def test_it_can_be_undone(database: Database, database_url: str, tmp_path: Path) -> None:
    """The way back drops the column, and the row stays."""
    await revision("change", tmp_path, database=database, metadata=After.metadata)
    await migrate(database, tmp_path)
    await rollback(database, tmp_path)
    assert await rows(database_url, "SELECT * FROM post") == [(1, "Old")]


async def test_a_column_without_a_default_says_what_to_write(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """Only the developer knows the value; a function that gives another one each time is not called."""
    written = await revision("change", tmp_path, database=database, metadata=Demanding.metadata)
    assert written.path is not None
    assert "server_default" not in written.path.read_text()
    with pytest.raises(MigrationError, match=r"rows that exist need a value.*server_default=") as caught:
        await migrate(database, tmp_path)
    assert str(written.path) in str(caught.value)
    assert await rows(database_url, "SELECT * FROM post") == [(1, "Old")]


async def test_the_developer_fills_it(database: Database, database_url: str, tmp_path: Path) -> None:
    """As the error says: allow NULL, fill, forbid NULL."""
    written = await revision("change", tmp_path, database=database, metadata=Demanding.metadata)
    assert written.path is not None
    text = written.path.read_text().replace("nullable=False", "nullable=True")
    fill = (
        "    op.execute(\"UPDATE post SET body = 'text of ' || title, token = 't' || id\")\n"
        "    with op.batch_alter_table('post') as batch_op:\n"
        "        batch_op.alter_column('body', nullable=False)\n"
        "        batch_op.alter_column('token', nullable=False)\n\n\n"
        "def downgrade"
    )
    written.path.write_text(text.replace("\n\ndef downgrade", fill))
    await migrate(database, tmp_path)
    assert await rows(database_url, "SELECT body, token FROM post") == [("text of Old", "t1")]
    await check(database, tmp_path, metadata=Demanding.metadata)
