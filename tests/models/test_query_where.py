"""Conditions: which rows ``where``, ``not_`` and ``or_`` keep, and what they refuse."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, literal_column, text
from sqlalchemy.orm import registry

from lineside.models import Database, InvalidValueError, Range, UnknownAttributeError
from lineside.models._base._model import Model
from lineside.models._relation._query import Query
from tests.models.publishing import STYLES, Ask, Author, Comment, Post, Seat, State, saved, spelt, titles
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio

NOON = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
TOKEN = UUID(int=7)


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


KEPT: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a value": (lambda q: q.where(views=1), "b"),
    "several names are all meant": (lambda q: q.where(views=1, title="b"), "b"),
    "several calls are all meant (GOR-ORM-09)": (lambda q: q.where(views=1).where(title="a"), ""),
    "nothing": (lambda q: q.where(), "abcd"),
    "None is NULL": (lambda q: q.where(views=None), "d"),
    "a list": (lambda q: q.where(views=[0, 1]), "ab"),
    "a tuple": (lambda q: q.where(views=(0, 1)), "ab"),
    "a set": (lambda q: q.where(views={0, 1}), "ab"),
    "an empty list": (lambda q: q.where(views=[]), ""),
    "a list with None": (lambda q: q.where(views=[0, None]), "ad"),
    "a range": (lambda q: q.where(views=range(1, 2)), "b"),
    "a range with steps": (lambda q: q.where(views=range(0, 8, 7)), "ac"),
    "an empty range": (lambda q: q.where(views=range(3, 3)), ""),
    "a Range with both ends": (lambda q: q.where(views=Range(0, 1)), "ab"),
    "a Range without its end": (lambda q: q.where(views=Range(0, 1, exclude_end=True)), "a"),
    "a Range without a start": (lambda q: q.where(views=Range(end=1)), "ab"),
    "a Range without an end": (lambda q: q.where(views=Range(1)), "bc"),
    "a Range without either": (lambda q: q.where(views=Range()), "abc"),
    "a numeric string": (lambda q: q.where(views="1"), "b"),
    "an enum": (lambda q: q.where(state=State.PUBLIC), "a"),
    "the value of an enum": (lambda q: q.where(state="public"), "a"),
    "a decimal": (lambda q: q.where(price=Decimal("1.50")), "a"),
    "a decimal as text": (lambda q: q.where(price="1.50"), "a"),
    "a UUID": (lambda q: q.where(token=TOKEN), "a"),
    "a UUID as text": (lambda q: q.where(token=str(TOKEN)), "a"),
    "a time with microseconds": (lambda q: q.where(published_at=NOON), "a"),
    "a time as text": (lambda q: q.where(published_at=NOON.isoformat()), "a"),
    "an expression": (lambda q: q.where(Post.views > 0), "bc"),
    "a function": (lambda q: q.where(func.upper(Post.title) == "B"), "b"),
    "another column": (lambda q: q.where(views=Post.views), "abc"),
    "expressions and names": (lambda q: q.where(Post.views > 0, title="c"), "c"),
    "not a value, and no NULL": (lambda q: q.not_(views=1), "ac"),
    "not NULL": (lambda q: q.not_(views=None), "abc"),
    "not both": (lambda q: q.not_(views=1, title="b"), "acd"),
    "not one of a list": (lambda q: q.not_(views=[0, 1]), "c"),
    "not one of no list": (lambda q: q.not_(views=[]), "abcd"),
    "not nothing": (lambda q: q.not_(), "abcd"),
    "this or that (GOR-ORM-10)": (lambda q: q.where(views=0).or_(views=7), "ac"),
    "all so far, or this": (lambda q: q.where(views=0).where(title="x").or_(views=7), "c"),
    "or all of these": (lambda q: q.where(views=0).or_(views=7, title="x"), "a"),
    "or a query": (lambda q: q.where(views=0).or_(Query(Post).where(views=7)), "ac"),
    "or a query for all": (lambda q: q.where(views=0).or_(Query(Post)), "abcd"),
    "or a query for nothing": (lambda q: q.where(views=0).or_(Query(Post).none()), "a"),
    "all or this": (lambda q: q.or_(views=7), "abcd"),
    "or without anything": (lambda q: q.where(views=0).or_(), "a"),
    "nothing or this": (lambda q: q.none().or_(views=7), "c"),
    "none": (lambda q: q.none(), ""),
    "none of some": (lambda q: q.where(views=0).none(), ""),
    "a query as a value": (lambda q: q.where(id=Query(Post).where(views=7)), "c"),
    "a query of one column": (lambda q: q.where(title=Query(Post).where(views=7).select("title")), "c"),
    "a number past every column": (lambda q: q.where(views=10**30), ""),
    "not a number past every column": (lambda q: q.not_(views=10**30), "abc"),
    "one of a list past every column": (lambda q: q.where(views=[10**30]), ""),
    "not one of a list past every column": (lambda q: q.not_(views=[10**30]), "abc"),
    "not one of a list partly past it": (lambda q: q.not_(views=[1, 10**30]), "ac"),
    "a Range past every column": (lambda q: q.where(views=Range(-(10**30), 10**30)), "abc"),
    "not in a Range past every column": (lambda q: q.not_(views=Range(10**30)), "abc"),
    "a number past this column": (lambda q: q.where(views=2**40), ""),
    "text with NUL": (lambda q: q.where(title="\x00"), ""),
    "text that is no Unicode": (lambda q: q.where(title="\ud800"), ""),
}


async def four_posts(database: Database) -> None:
    await saved(
        database,
        Post(title="a", views=0, state=State.PUBLIC, price=Decimal("1.50"), token=TOKEN, published_at=NOON),
        Post(title="b", views=1, state=State.DRAFT),
        Post(title="c", views=7),
        Post(title="d"),
    )


async def test_what_is_kept(ask: Ask) -> None:
    await four_posts(ask.database)
    for name, (question, expected) in KEPT.items():
        found = titles(await ask(Post, lambda q: question(q).order("title").all()))  # noqa: B023
        assert "".join(found) == expected, name


def test_a_builder_changes_no_query_but_makes_a_new_one() -> None:
    base = Query(Post)
    narrowed = base.where(views=1)
    assert narrowed is not base
    assert "WHERE" not in base.to_sql()
    assert "WHERE" in narrowed.to_sql()


async def test_an_associated_record_is_a_value(ask: Ask) -> None:
    (ada, alan) = await saved(ask.database, Author(name="Ada"), Author(name="Alan"))
    await saved(ask.database, Post(title="a", author=ada), Post(title="b", author=alan), Post(title="c"))
    assert titles(await ask(Post, lambda q: q.where(author=ada).all())) == ["a"]
    assert titles(await ask(Post, lambda q: q.where(author=[ada, alan]).order("title").all())) == ["a", "b"]
    assert titles(await ask(Post, lambda q: q.where(author=None).all())) == ["c"]
    assert titles(await ask(Post, lambda q: q.not_(author=None).order("title").all())) == ["a", "b"]
    assert titles(await ask(Post, lambda q: q.where(author=[]).all())) == []
    assert titles(await ask(Post, lambda q: q.where(author=[ada, None]).order("title").all())) == ["a", "c"]
    post = (await ask(Post, lambda q: q.where(title="b").all()))[0]
    assert [a.name for a in await ask(Author, lambda q: q.where(posts=post).all())] == ["Alan"]
    without = await ask(Author, lambda q: q.where(posts=None).all())
    assert without == []


async def test_a_record_of_another_class_or_without_a_row_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a Author or None"):
        Query(Post).where(author=Post(title="a"))
    with pytest.raises(TypeError, match="save this Author first"):
        Query(Post).where(author=Author(name="new"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"views": "abc"}, r"Post\.views: .*valid integer"),
        ({"id": "abc"}, r"Post\.id: .*valid integer"),
        ({"views": 1.5}, r"Post\.views: .*valid integer"),
        ({"views": ["abc"]}, r"Post\.views: .*valid integer"),
        ({"views": Range("abc")}, r"Post\.views: .*valid integer"),
        ({"views": float("nan")}, r"Post\.views"),
        ({"title": 1}, r"Post\.title: .*valid string"),
        ({"title": b"\xff"}, r"Post\.title"),
        ({"title": {"a": 1}}, r"Post\.title"),
        ({"token": "abc"}, r"Post\.token: .*valid UUID"),
        ({"state": "PUBLIC"}, r"Post\.state: .*'draft' or 'public'"),
        ({"price": "abc"}, r"Post\.price: .*valid decimal"),
        ({"price": "NaN"}, r"Post\.price"),
        ({"published_at": "abc"}, r"Post\.published_at"),
        ({"is_pinned": "maybe"}, r"Post\.is_pinned: .*valid boolean"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message) as error:
        Query(Post).where(**values)
    assert error.value.status_hint == 422


@pytest.mark.parametrize("method", ["where", "not_", "or_"])
def test_an_unknown_column_is_refused_with_the_known_ones(method: str) -> None:
    with pytest.raises(
        UnknownAttributeError, match=re.escape("Post has no attribute 'titel'; it has ")
    ) as error:
        getattr(Query(Post), method)(titel="a")
    assert {"title", "views", "author_id"} <= {*error.value.known}


@pytest.mark.parametrize("method", ["where", "not_", "or_"])
@pytest.mark.parametrize(
    "criterion",
    [
        "views = 1",
        text("views = 1"),
        literal_column("views") == 1,
        func.lower(literal_column("title")) == "a",
        True,
        None,
        1,
        Post,
        Post.author,
    ],
    ids=spelt,
)
def test_sql_as_text_and_what_is_no_condition_are_refused(method: str, criterion: Any) -> None:
    with pytest.raises(TypeError, match="takes"):
        getattr(Query(Post), method)(criterion)


def test_a_query_for_another_class_is_no_condition() -> None:
    with pytest.raises(TypeError, match=r"Post.*Comment"):
        Query(Post).where(views=1).or_(Query(Comment).where(body="a"))


async def test_a_list_is_as_long_as_every_database_takes(ask: Ask) -> None:
    await four_posts(ask.database)
    assert await ask(Post, lambda q: q.where(views=range(1, 10**6)).count()) == 2
    assert await ask(Post, lambda q: q.where(views=[*range(30_000)]).count()) == 3
    with pytest.raises(InvalidValueError, match="30001 values are too many; ask in parts"):
        await ask(Post, lambda q: q.where(views=[*range(30_001)]).count())


def test_a_query_as_a_value_has_one_column() -> None:
    for query in (Query(Post).select("id", "title"), Query(Seat)):
        with pytest.raises(TypeError, match="has one column, not 2"):
            Query(Post).where(id=query)


def test_a_class_without_a_table_says_what_is_missing() -> None:
    class Draft(Model, registry=registry()):
        title: str

    with pytest.raises(Exception, match=r"class Draft\(Model, table=True\)"):
        Query(Draft).where(title="a")
