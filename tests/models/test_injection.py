"""No text that is not the name of a column ever reaches a database, whatever it says (WEAK-GOR-01)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError

from lineside.exceptions import RecordNotFound
from lineside.models import Database, InvalidCursorError, InvalidValueError, Query, UnknownAttributeError
from tests.models.payloads import PAYLOADS
from tests.models.publishing import Ask, Author, Post, posts, saved, statements_of
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio

NAMES = (UnknownAttributeError, TypeError)
PLACES: dict[str, tuple[Callable[[Any, str], Any], tuple[type[Exception], ...]]] = {
    "order": (lambda q, p: q.order(p).all(), NAMES),
    "order, descending": (lambda q, p: q.order(f"-{p}").all(), NAMES),
    "order behind another": (lambda q, p: q.order("title", p).all(), NAMES),
    "order of an association": (lambda q, p: q.joins("author").order(f"author.{p}").all(), NAMES),
    "reorder": (lambda q, p: q.reorder(p).all(), NAMES),
    "select": (lambda q, p: q.select(p).all(), NAMES),
    "pluck": (lambda q, p: q.pluck(p), NAMES),
    "pluck behind another": (lambda q, p: q.pluck("title", p), NAMES),
    "pick": (lambda q, p: q.pick(p), NAMES),
    "count": (lambda q, p: q.count(p), NAMES),
    "sum": (lambda q, p: q.sum(p), NAMES),
    "average": (lambda q, p: q.average(p), NAMES),
    "minimum": (lambda q, p: q.minimum(p), NAMES),
    "maximum": (lambda q, p: q.maximum(p), NAMES),
    "group": (lambda q, p: q.group(p).count(), NAMES),
    "group and sum": (lambda q, p: q.group("title").sum(p), NAMES),
    "having": (lambda q, p: q.group("title").having(p).count(), NAMES),
    "into": (lambda q, p: q.group("title").into(dict, total=p), NAMES),
    "joins": (lambda q, p: q.joins(p).all(), NAMES),
    "joins, nested": (lambda q, p: q.joins(f"author.{p}").all(), NAMES),
    "left_joins": (lambda q, p: q.left_joins(p).all(), NAMES),
    "includes": (lambda q, p: q.includes(p).all(), NAMES),
    "includes, nested": (lambda q, p: q.includes(f"author.{p}").all(), NAMES),
    "preload": (lambda q, p: q.preload(p).all(), NAMES),
    "eager_load": (lambda q, p: q.eager_load(p).all(), NAMES),
    "scopes": (lambda q, p: q.scopes(p).all(), NAMES),
    "where as an expression": (lambda q, p: q.where(p).all(), NAMES),
    "where as a name": (lambda q, p: q.where(**{p: 1}).all(), NAMES),
    "where of an association": (lambda q, p: q.joins("author").where(**{f"author.{p}": 1}).all(), NAMES),
    "not_": (lambda q, p: q.not_(**{p: 1}).all(), NAMES),
    "or_": (lambda q, p: q.where(views=1).or_(**{p: 1}).all(), NAMES),
    "find_by": (lambda q, p: q.find_by(**{p: 1}), NAMES),
    "exists": (lambda q, p: q.exists(**{p: 1}), NAMES),
    "update_all": (lambda q, p: q.update_all(**{p: 1}), NAMES),
    "limit": (lambda q, p: q.limit(p).all(), (TypeError,)),
    "offset": (lambda q, p: q.offset(p).all(), (TypeError,)),
    "a cursor": (lambda q, p: q.order("title").keyset(p or "-"), (InvalidCursorError,)),
}
# Names that are right where they stand, so that a payload is none there.
VALID = {
    "order of an association": {"password_digest"},
    "where of an association": {"password_digest"},
}


def test_there_are_enough() -> None:
    assert len(PAYLOADS) >= 200
    assert not {*PAYLOADS} & {*Post.model_fields, "author", "editor", "comments"}


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_no_name_is_refused_before_the_database(database: Database, place: str) -> None:
    question, refusals = PLACES[place]
    await posts(database, a=1)
    async with database.session() as session:
        await session.connection()
        with statements_of(database) as log:
            for payload in PAYLOADS:
                if payload in VALID.get(place, ()):
                    continue
                with pytest.raises(refusals) as error:
                    await question(Query(Post), payload)
                assert not isinstance(error.value, SQLAlchemyError), payload
            assert log == []
        assert await Query(Post).pluck("title") == ["a"]


async def test_the_log_sees_what_does_reach_the_database(database: Database) -> None:
    async with database.session() as session:
        await session.connection()
        with statements_of(database) as log:
            await Query(Post).order("title").all()
        assert [statement.count("ORDER BY") for statement, _ in log] == [1]


async def test_a_payload_as_a_value_is_a_value(database: Database) -> None:
    """It is found back as it is, and the statements are the same ones for each."""
    kept = [payload for payload in PAYLOADS if "\x00" not in payload and "\ud800" not in payload]
    await saved(database, *(Post(title=payload) for payload in kept))
    asked: set[str] = set()
    async with database.session():
        for payload in kept:
            with statements_of(database) as log:
                assert await Query(Post).where(title=payload).pluck("title") == [payload]
                assert await Query(Post).where(title=[payload]).count() == 1
            asked |= {statement for statement, _ in log if "post" in statement}
        assert await Query(Post).where(title=PAYLOADS).count() == len(kept)
        assert await Query(Post).where(title="%").count() == 1
        assert await Query(Post).where(title="_").count() == 1
    assert len(asked) == 2


async def test_a_value_that_no_database_can_hold_is_found_nowhere(database: Database) -> None:
    await posts(database, a=1)
    async with database.session():
        for payload in PAYLOADS:
            if "\x00" in payload or "\ud800" in payload:
                assert await Query(Post).where(title=payload).all() == []
                with pytest.raises(InvalidValueError):
                    await Query(Post).update_all(title=payload)


async def test_a_payload_as_a_key_or_number_is_refused(database: Database) -> None:
    await posts(database, a=1)
    numbers = {"0", "1", "-1"}
    async with database.session() as session:
        await session.connection()
        with statements_of(database) as log:
            for payload in PAYLOADS:
                if payload in numbers:
                    continue
                with pytest.raises(RecordNotFound):
                    await Query(Post).find(payload)
                with pytest.raises(InvalidValueError):
                    Query(Post).where(views=payload)
                with pytest.raises(InvalidValueError):
                    await Query(Post).update_all(views=payload)
        assert log == []


async def test_without_await_the_same_is_refused(database: Database) -> None:
    ask = Ask(database, "sync")
    await saved(database, Author(name="a"))
    for place in ("order", "pluck", "sum", "group", "joins", "includes", "update_all", "a cursor"):
        question, refusals = PLACES[place]
        for payload in PAYLOADS[::9]:
            with pytest.raises(refusals):
                await ask(Post, lambda q: question(q, payload))  # noqa: B023
