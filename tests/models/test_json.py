"""JSON columns: what changes inside a document is noticed, shown and written."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import JSON, text
from sqlalchemy.orm import registry
from sqlmodel import Field, select

from lineside.exceptions import RecordInvalid
from lineside.models import Database
from lineside.models._attribute._json import JSONField
from lineside.models._base._model import Model

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    meta: dict[str, Any] = JSONField(default_factory=dict)
    tags: list[str] = JSONField(default_factory=list)
    extra: Any = Field(default=None, sa_type=JSON, nullable=True)
    note: dict[str, Any] | None = JSONField(default=None)


Row = dict[str, Any]
DOCUMENT = {"a": 1, "deep": {"list": [1, {"x": 1}], "gone": 0}, "many": [3, 1, 2]}


async def row_of(database: Database) -> Row:
    """Read the documents through a connection of its own."""
    async with database.engine.connect() as connection:
        row = (await connection.execute(text("select meta, tags, extra, note from post"))).one()
    return {
        name: json.loads(value) if isinstance(value, str) else value for name, value in row._mapping.items()
    }


async def load(session: Any) -> Post:
    post: Post = (await session.exec(select(Post))).one()
    return post


CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda meta: meta.__setitem__("a", 2),
    "set inside": lambda meta: meta["deep"]["list"][1].__setitem__("x", 2),
    "delete": lambda meta: meta.__delitem__("a"),
    "delete inside": lambda meta: meta["deep"].__delitem__("gone"),
    "pop": lambda meta: meta["deep"].pop("gone"),
    "popitem": lambda meta: meta["deep"]["list"][1].popitem(),
    "clear": lambda meta: meta["deep"].clear(),
    "update": lambda meta: meta["deep"].update({"new": {}}, more=[1]),
    "or": lambda meta: meta["deep"].__ior__({"new": {}}),
    "setdefault": lambda meta: meta["deep"].setdefault("fresh", {}).update(b=1),
    "append": lambda meta: meta["deep"]["list"].append({"y": 1}),
    "append, then inside": lambda meta: (meta["many"].append({}), meta["many"][-1].update(z=[1])),
    "extend": lambda meta: meta["many"].extend([{"y": 1}, 2]),
    "add": lambda meta: meta["many"].__iadd__([4]),
    "times": lambda meta: meta["many"].__imul__(2),
    "insert": lambda meta: meta["many"].insert(0, [9]),
    "item": lambda meta: meta["many"].__setitem__(0, {"q": 1}),
    "slice": lambda meta: meta["many"].__setitem__(slice(0, 2), [[1], {}]),
    "delete item": lambda meta: meta["many"].__delitem__(0),
    "remove": lambda meta: meta["many"].remove(3),
    "pop item": lambda meta: meta["many"].pop(),
    "clear list": lambda meta: meta["many"].clear(),
    "sort": lambda meta: meta["many"].sort(),
    "reverse": lambda meta: meta["many"].reverse(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_every_way_to_change_a_loaded_document_is_written(
    database: Database, change: Callable[[Any], object]
) -> None:
    expected = copy.deepcopy(DOCUMENT)
    change(expected)
    async with database.session():
        await Post.create(meta=DOCUMENT)
    async with database.session() as session:
        post = await load(session)
        change(post.meta)
        assert post.changes == {"meta": (DOCUMENT, expected)}
        await post.save()
        assert post.saved_changes["meta"] == (DOCUMENT, expected)
    assert (await row_of(database))["meta"] == expected


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_document_behaves_as_plain_python_does(change: Callable[[Any], object]) -> None:
    plain = copy.deepcopy(DOCUMENT)
    post = Post(meta=DOCUMENT)
    change(plain)
    change(post.meta)
    assert post.meta == plain
    assert json.dumps(post.meta) == json.dumps(plain)
    assert repr(post.meta) == repr(plain)
    assert post.model_dump()["meta"] == plain


async def test_a_plain_commit_writes_the_change(database: Database) -> None:
    async with database.session() as session:
        session.add(Post(meta=DOCUMENT, tags=["x"]))
    async with database.session() as session:
        post = await load(session)
        post.meta["deep"]["list"].append(2)
        post.tags.append("y")
    row = await row_of(database)
    assert (row["meta"]["deep"]["list"], row["tags"]) == ([1, {"x": 1}, 2], ["x", "y"])


async def test_a_document_is_tracked_from_the_first_moment(database: Database) -> None:
    async with database.session():
        post = await Post.create(meta={"a": {}})
        post.meta["a"]["b"] = 1
        await post.save()
        post.meta = {"c": {}}
        post.meta["c"]["d"] = 1
        await post.save()
        post.meta["c"]["d"] = 2
        assert post.changes == {"meta": ({"c": {"d": 1}}, {"c": {"d": 2}})}
        await post.save()
        await post.reload()
        post.meta["c"]["d"] = 3
        await post.save()
    assert (await row_of(database))["meta"] == {"c": {"d": 3}}


async def test_a_change_that_is_taken_back_is_none(database: Database) -> None:
    async with database.session() as session:
        await Post.create(meta={"a": [1]})
        post = await load(session)
        updated_at = post.updated_at
        post.meta["a"].append(2)
        assert post.has_changes_to_save
        post.meta["a"].pop()
        assert not post.has_changes_to_save
        await post.save()
        assert post.updated_at == updated_at


async def test_reading_changes_nothing(database: Database) -> None:
    async with database.session() as session:
        await Post.create(meta=DOCUMENT, tags=["a"])
        post = await load(session)
        assert [*post.meta, *post.meta["deep"].items(), *post.tags[:]]
        assert post.meta.get("a") == 1
        post.meta.setdefault("a", 2)
        assert not session.dirty


async def test_every_json_column_is_tracked_whatever_its_root(database: Database) -> None:
    async with database.session():
        post = await Post.create(extra=[1])
        for value in ([1], {"a": []}, "text", 7, None):
            await post.update(extra=value)
            assert (await row_of_same(database, post)) == value
        await post.update(extra={"a": []})
        post.extra["a"].append(1)
    assert (await row_of(database))["extra"] == {"a": [1]}


async def row_of_same(database: Database, post: Post) -> Any:
    await post.reload()
    return post.extra


async def test_none_is_null(database: Database) -> None:
    async with database.session():
        await Post.create(note=None)
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from post where note is null"))).scalar() == 1


def test_what_is_put_in_is_copied() -> None:
    shared = {"n": 1}
    first, second = Post(meta={"s": shared, "box": []}), Post()
    second.meta = first.meta
    first.meta["box"].append(first.meta["s"])
    first.meta["s"]["n"] = 2
    assert shared == {"n": 1}
    assert second.meta == {"s": {"n": 1}, "box": []}
    assert first.meta == {"s": {"n": 2}, "box": [{"n": 1}]}


def test_a_copy_is_plain_and_belongs_to_nobody() -> None:
    post = Post(meta=DOCUMENT)
    for copied in (copy.deepcopy(post.meta), copy.copy(post.meta)):
        assert type(copied) is dict
        assert type(copied["deep"]["list"]) is list
        assert copied == DOCUMENT


async def test_a_part_that_was_replaced_changes_nothing(database: Database) -> None:
    async with database.session() as session:
        await Post.create(meta={"a": {"b": 1}})
        post = await load(session)
        part = post.meta["a"]
        post.meta = {}
        await post.save()
        part["b"] = 2
        assert not post.has_changes_to_save
    assert (await row_of(database))["meta"] == {}


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), "a\x00b", "\ud800", {"k\x00": 1}, [[float("-inf")]]],
    ids=["nan", "infinity", "nul", "surrogate", "key", "deep"],
)
async def test_what_is_no_json_is_refused_and_never_reaches_the_database(
    database: Database, value: Any
) -> None:
    async with database.session():
        post = await Post.create()
        post.meta["x"] = [{"y": value}]
        with pytest.raises(RecordInvalid) as caught:
            await post.save()
        assert "meta" in caught.value.errors  # type: ignore[operator]
    assert (await row_of(database))["meta"] == {}


async def test_a_wrong_root_is_an_error_of_its_field(database: Database) -> None:
    async with database.session():
        with pytest.raises(RecordInvalid, match="valid dictionary"):
            await Post.create(meta=[1])
