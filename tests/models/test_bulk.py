"""`insert_all` and `upsert_all`: many rows in one statement, past validations and callbacks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import Index, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, UniqueConstraint

from lineside.exceptions import ConfigurationError, RecordInvalid
from lineside.models import Database
from lineside.models._attribute._enums import EnumField
from lineside.models._attribute._json import JSONField
from lineside.models._base._model import Model, UUIDModel
from lineside.models._base._record import Record
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._lifecycle._callbacks import before_save
from lineside.models._validation._declarations import validates
from lineside.models._validation._normalizes import normalizes

pytestmark = pytest.mark.anyio


class Status(StrEnum):
    DRAFT = "draft"


class Base(Record, registry=registry()):
    pass


@validates("title", presence=True)
@normalizes("slug", with_=str.lower)
class Post(Model, Base, table=True):
    __table_args__ = (
        UniqueConstraint("shelf", "place"),
        Index(
            "live_names",
            "name",
            unique=True,
            sqlite_where=text("views > 0"),
            postgresql_where=text("views > 0"),
        ),
    )

    slug: str = Field(unique=True)
    title: str = "untitled"
    views: int = 0
    shelf: int | None = None
    place: int | None = None
    name: str | None = None
    status: Status = EnumField(Status, default=Status.DRAFT)
    meta: dict[str, Any] = JSONField(default_factory=dict)
    seen_at: datetime | None = None
    lock_version: int = 0

    @before_save
    def never(self) -> None:
        raise AssertionError("a bulk statement calls nothing")


class Event(UUIDModel, Base, table=True):
    name: str = ""


async def rows_of(database: Database, columns: str) -> list[tuple[Any, ...]]:
    async with database.engine.connect() as connection:
        result = await connection.execute(text(f"select {columns} from post order by slug"))
        return [tuple(row) for row in result]


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """Give the list of statements that write, as they happen."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT"):
            seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_rows_are_inserted_with_defaults_and_timestamps(database: Database) -> None:
    before = datetime.now(UTC)
    async with database.session():
        assert await Post.insert_all([{"slug": "A", "title": ""}, {"slug": "b", "views": "7"}]) == 2
    assert await rows_of(database, "slug, title, views, status, lock_version") == [
        ("a", "", 0, "draft", 0),
        ("b", "untitled", 7, "draft", 0),
    ]
    async with database.session() as session:
        post = await session.get(Post, 1)
        assert post is not None
        assert post.created_at == post.updated_at >= before
        assert post.meta == {}


async def test_one_statement_takes_many_rows(database: Database, statements: list[str]) -> None:
    async with database.session():
        rows = ({"slug": f"{number:05}", "meta": {"n": number}} for number in range(500))
        assert await Post.insert_all(rows, on_duplicate="skip") == 500
    assert len(statements) == 1
    assert len(await rows_of(database, "id")) == 500


async def test_more_rows_than_one_statement_can_take(database: Database) -> None:
    async with database.session():
        rows = [{"slug": f"{number:05}"} for number in range(5_000)]
        assert await Post.upsert_all(rows, unique_by="slug") == 5_000
        assert await Post.insert_all(rows, on_duplicate="skip") == 0


async def test_a_duplicate_refuses_all_rows(database: Database) -> None:
    async with database.session() as session:
        with pytest.raises(IntegrityError):
            await Post.insert_all([{"slug": "a"}, {"slug": "A"}])
        await session.rollback()
    assert await rows_of(database, "slug") == []


async def test_duplicates_can_be_skipped_and_are_not_counted(database: Database) -> None:
    async with database.session():
        await Post.insert_all([{"slug": "a", "views": 1}])
        assert await Post.insert_all([{"slug": "a"}, {"slug": "b"}, {"slug": "b"}], on_duplicate="skip") == 1
    assert await rows_of(database, "slug, views") == [("a", 1), ("b", 0)]


async def test_nothing_is_nothing(database: Database, statements: list[str]) -> None:
    async with database.session():
        assert await Post.insert_all([]) == 0
        assert await Post.upsert_all([]) == 0
    assert statements == []


async def test_an_upsert_updates_what_exists(database: Database) -> None:
    async with database.session():
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        await Post.insert_all([{"slug": "a", "title": "old", "views": 1, "created_at": long_ago}])
        rows = [{"slug": "A", "title": "new"}, {"slug": "b", "title": "b"}]
        assert await Post.upsert_all(rows, unique_by="slug") == 2
    assert await rows_of(database, "slug, title, views, lock_version") == [
        ("a", "new", 1, 1),
        ("b", "b", 0, 0),
    ]
    async with database.session() as session:
        post = await session.get(Post, 1)
        assert post is not None
        assert post.created_at == long_ago < post.updated_at


async def test_an_upsert_goes_by_the_key_unless_told(database: Database) -> None:
    async with database.session():
        await Post.insert_all([{"id": 1, "slug": "a"}])
        await Post.upsert_all([{"id": 1, "slug": "b"}, {"id": 2, "slug": "c"}])
    assert await rows_of(database, "id, slug") == [(1, "b"), (2, "c")]


async def test_an_upsert_goes_by_several_columns_or_a_partial_index(database: Database) -> None:
    async with database.session():
        await Post.upsert_all([{"slug": "a", "shelf": 1, "place": 1, "name": "n", "views": 1}])
        await Post.upsert_all([{"slug": "b", "shelf": 1, "place": 1}], unique_by=("place", "shelf"))
        await Post.upsert_all([{"slug": "c", "name": "n", "views": 2}], unique_by="name")
    assert await rows_of(database, "slug, views") == [("c", 2)]


async def test_only_the_named_columns_are_taken_over(database: Database) -> None:
    async with database.session():
        await Post.insert_all([{"slug": "a", "title": "old", "views": 1}])
        await Post.upsert_all(
            [{"slug": "a", "title": "new", "views": 9}], unique_by="slug", update_only="views"
        )
    assert await rows_of(database, "title, views") == [("old", 9)]


async def test_a_row_with_nothing_to_take_over_stays(database: Database) -> None:
    async with database.session():
        await Post.insert_all([{"slug": "a", "views": 1}])
        assert await Post.upsert_all([{"slug": "a"}], unique_by="slug") == 0
        assert await Post.upsert_all([{"slug": "a", "views": 2}], unique_by="slug", update_only=()) == 0
    assert await rows_of(database, "views, lock_version") == [(1, 0)]


async def test_what_waits_is_written_first(database: Database) -> None:
    async with database.session() as session:
        session.add(Event(name="first"))
        await Event.insert_all([{"name": "second"}])
    async with database.engine.connect() as connection:
        names = (await connection.execute(text("select name from event order by id"))).scalars().all()
    assert names == ["first", "second"]


async def test_unknown_names_and_wrong_types_are_refused(database: Database, statements: list[str]) -> None:
    async with database.session():
        with pytest.raises(UnknownAttributeError, match="'titel'"):
            await Post.insert_all([{"slug": "a", "titel": "x"}])
        with pytest.raises(UnknownAttributeError, match="'slag'"):
            await Post.upsert_all([{"slug": "a"}], unique_by="slag")
        with pytest.raises(UnknownAttributeError, match="'vews'"):
            await Post.upsert_all([{"slug": "a"}], unique_by="slug", update_only="vews")
        with pytest.raises(RecordInvalid, match=r"Views: .*valid integer"):
            await Post.insert_all([{"slug": "a", "views": "many"}])
        with pytest.raises(RecordInvalid, match="add one, such as"):
            await Post.insert_all([{"slug": "a", "seen_at": datetime(2026, 1, 1)}])  # noqa: DTZ001
    assert statements == []


async def test_columns_without_a_unique_index_are_refused(database: Database) -> None:
    async with database.session():
        with pytest.raises(
            ConfigurationError, match=r"no unique index of title; it has id \| name \| shelf, place \| slug"
        ):
            await Post.upsert_all([{"slug": "a"}], unique_by="title")
