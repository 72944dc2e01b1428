"""Queries with awkward values: refused alike on every database, or found."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import registry
from sqlmodel import Field, col, select

from lineside import strict_json
from lineside.models import (
    Database,
    InvalidCursorError,
    InvalidValueError,
    JSONField,
    Model,
    Query,
    Range,
    allow_n_plus_one,
    scope,
)
from lineside.models._connection._parameters import TooManyValuesError

pytestmark = pytest.mark.anyio

NAIVE = [datetime(2026, 1, 1), "2026-01-01", "2026-01-01T00:00:00"]  # noqa: DTZ001
MANY = range(10**6, 10**6 + 40_000)


class Base(Model, registry=registry()):
    pass


class Note(Base, table=True):
    name: str = ""
    size: int = 0
    content: bytes = b""


class Sheet(Base, table=True):
    data: dict[str, Any] = JSONField(default_factory=dict)
    tags: list[Any] = JSONField(default_factory=list)
    old: list[Any] = Field(default_factory=list, sa_type=JSON)


class Shouted(Base, table=True):
    model_config = {"ignored_types": (hybrid_property,)}

    title: str

    @scope
    @staticmethod
    def titled(query: Query["Shouted"], title: str) -> Query["Shouted"]:
        return query.where(title=title)

    @hybrid_property
    def shout(self) -> str:
        return self.title.upper()

    @shout.inplace.expression
    @classmethod
    def _shout(cls) -> Any:
        return func.upper(cls.title)


class Pair(Base, table=True):
    id: int = Field(primary_key=True)
    other: int = Field(primary_key=True)


# -- times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NAIVE, ids=str)
async def test_a_time_without_a_zone_is_an_invalid_value(database: Database, value: Any) -> None:
    async with database.session():
        for said in (value, [value], Range(value)):
            with pytest.raises(InvalidValueError, match="timezone info; add one, such as"):
                await Note.where(created_at=said).count()


async def test_a_time_with_a_zone_is_compared(database: Database) -> None:
    async with database.session():
        await Note.create()
        assert await Note.where(created_at=Range("2026-01-01T00:00:00Z")).count() == 1
        assert await Note.where(created_at=Range(None, datetime(2000, 1, 1, tzinfo=UTC))).count() == 0


async def test_a_cursor_with_a_time_without_a_zone_is_invalid(database: Database) -> None:
    async with database.session():
        for name in "ab":
            await Note.create(name=name)
        query = Note.order("created_at")
        cursor = (await query.keyset(limit=1)).next_cursor
        assert cursor is not None
        version, order, _ = strict_json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        forged = strict_json.dumps([version, order, ["2026-01-01T00:00:00", 1]])
        with pytest.raises(InvalidCursorError):
            await query.keyset(base64.urlsafe_b64encode(forged).decode().rstrip("="))


# -- bytes -----------------------------------------------------------------------------------------


async def test_pages_go_by_bytes_that_are_no_text(database: Database) -> None:
    async with database.session():
        for content in (b"\xff\x00", b"", b"\xff\x01", b"plain", b"\xff\x00"):
            await Note.create(content=content)
        found: list[bytes] = []
        after: str | None = None
        with allow_n_plus_one():
            while not found or after:
                page = await Note.order("content").keyset(after, limit=1)
                found, after = [*found, page.items[0].content], page.next_cursor
    assert found == [b"", b"plain", b"\xff\x00", b"\xff\x00", b"\xff\x01"]


async def test_a_cursor_with_bytes_that_are_no_base64_is_invalid(database: Database) -> None:
    async with database.session():
        for _ in range(2):
            await Note.create(content=b"\xff")
        cursor = (await Note.order("content").keyset(limit=1)).next_cursor
        assert cursor is not None
        version, order, _ = strict_json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        for value in ("\u00e9", "a", 7, [1]):
            forged = strict_json.dumps([version, order, [value, 1]])
            with pytest.raises(InvalidCursorError):
                await Note.order("content").keyset(base64.urlsafe_b64encode(forged).decode().rstrip("="))


# -- long lists ------------------------------------------------------------------------------------


async def test_a_list_longer_than_a_statement_takes_is_refused_in_few_words(database: Database) -> None:
    async with database.session():
        for use in (
            lambda: Note.where(id=list(MANY)).ids(),
            lambda: Note.find(list(MANY)),
            lambda: Note.where(id=list(MANY)).update_all(size=1),
            lambda: Pair.find([(number, 1) for number in MANY]),
        ):
            with pytest.raises(InvalidValueError, match="ask in parts of 30000") as caught:
                await use()
            assert len(str(caught.value)) < 200


async def test_a_statement_with_too_many_values_in_all_is_refused_in_few_words(database: Database) -> None:
    half = list(MANY[:20_000])
    async with database.session() as session:
        for use in (
            lambda: Note.where(id=half, size=half).ids(),
            lambda: database.raw("SELECT id FROM note WHERE id IN :ids", ids=list(MANY)),
            lambda: session.exec(select(Note).where(col(Note.id).in_(MANY))),
        ):
            with pytest.raises(TooManyValuesError, match="ask in parts") as caught:
                await use()
            assert len(str(caught.value)) < 200


async def test_many_rows_are_still_inserted_at_once(database: Database) -> None:
    async with database.session():
        assert await Note.insert_all([{"name": "a"}] * 12_000) == 12_000


# -- documents -------------------------------------------------------------------------------------


async def test_a_list_is_compared_with_a_column_of_lists_as_a_whole(database: Database) -> None:
    async with database.session():
        await Sheet.create(tags=["x"])
        await Sheet.create(tags=["x", ["y", 1, None]])
        await Sheet.create(tags=[])
        assert await Sheet.where(tags=["x"]).pluck("tags") == [["x"]]
        assert await Sheet.where(tags=["x", ["y", 1, None]]).pluck("tags") == [["x", ["y", 1, None]]]
        assert await Sheet.where(tags=[]).pluck("tags") == [[]]
        assert await Sheet.where(tags=["y"]).count() == 0
        assert await Sheet.query().not_(tags=["x"]).count() == 2


async def test_documents_that_databases_compare_differently_are_refused(database: Database) -> None:
    async with database.session():
        with pytest.raises(InvalidValueError, match=r'as in where\(Sheet\.data\["key"\]'):
            Sheet.where(data={"a": 1})
        with pytest.raises(InvalidValueError, match="objects"):
            Sheet.where(tags=[{"a": 1}])
        with pytest.raises(InvalidValueError, match="no ranges"):
            Sheet.where(tags=Range(["a"]))
        with pytest.raises(InvalidValueError, match="declare the column with JSONField"):
            Sheet.where(old=["a"])
        await Sheet.create(data={"key": "value"})
        assert await Sheet.where(col(Sheet.data)["key"].as_string() == "value").count() == 1


async def test_documents_are_neither_grouped_nor_the_greatest(database: Database) -> None:
    async with database.session():
        with pytest.raises(TypeError, match="holds documents"):
            Sheet.query().group("tags")
        with pytest.raises(TypeError, match="what can be sorted"):
            await Sheet.query().maximum("tags")


# -- hybrid properties -----------------------------------------------------------------------------


async def test_a_query_takes_a_hybrid_property_as_an_expression(database: Database) -> None:
    async with database.session():
        await Shouted.create(title="b")
        await Shouted.create(title="a")
        assert await Shouted.order(Shouted.shout).pluck(Shouted.shout) == ["A", "B"]
        assert await Shouted.where(Shouted.shout == "B").count() == 1
        assert await Shouted.query().maximum(Shouted.shout) == "B"
        assert await Shouted.query().group(Shouted.shout).count() == {"A": 1, "B": 1}


async def test_scopes_stand_beside_ignored_types_of_ones_own(database: Database) -> None:
    async with database.session():
        await Shouted.create(title="a")
        assert await Shouted.titled("a").count() == 1
