"""What runs a query: records, values and numbers, with and without ``await``."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, literal_column, text

from lineside.exceptions import RecordNotFound
from lineside.models import Database, UnknownAttributeError
from lineside.models._relation._query import Query
from tests.models.publishing import STYLES, Ask, Post, Seat, posts, saved, spelt, titles
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


ANSWERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "count (GOR-ORM-15)": (lambda q: q.count(), 4),
    "count of a column leaves NULL out": (lambda q: q.count("views"), 3),
    "count of distinct values": (lambda q: q.distinct().count("views"), 2),
    "count of an expression": (lambda q: q.count(Post.views), 3),
    "count of a part": (lambda q: q.limit(3).offset(2).count(), 2),
    "count of no part": (lambda q: q.limit(0).count(), 0),
    "count of a sorted part": (lambda q: q.order("-views").limit(2).count("views"), 1),
    "count of nothing": (lambda q: q.none().count(), 0),
    "sum": (lambda q: q.sum("views"), 5),
    "sum of distinct values": (lambda q: q.distinct().sum("views"), 4),
    "sum of a part": (lambda q: q.order("id").limit(2).sum("views"), 4),
    "sum of no rows": (lambda q: q.where(title="x").sum("views"), 0),
    "sum of nothing": (lambda q: q.none().sum("views"), 0),
    "sum of an expression": (lambda q: q.sum(Post.views * 2), 10),
    "sum of decimals": (lambda q: q.sum("price"), Decimal("1.00")),
    "average": (lambda q: q.where(title=["a", "b"]).average("views"), 2.0),
    "average of decimals": (lambda q: q.average("price"), Decimal("0.5")),
    "average of no rows": (lambda q: q.where(title="x").average("views"), None),
    "average of nothing": (lambda q: q.none().average("views"), None),
    "minimum": (lambda q: q.minimum("views"), 1),
    "minimum of text": (lambda q: q.minimum("title"), "a"),
    "maximum": (lambda q: q.maximum("views"), 3),
    "maximum of no rows": (lambda q: q.where(title="x").maximum("views"), None),
    "exists (GOR-ORM-16)": (lambda q: q.exists(), True),
    "exists with values": (lambda q: q.exists(title="b"), True),
    "exists with an expression": (lambda q: q.exists(Post.views > 3), False),
    "exists behind the end": (lambda q: q.offset(4).exists(), False),
    "exists before the end": (lambda q: q.distinct().offset(3).exists(), True),
    "exists in no part": (lambda q: q.limit(0).exists(), False),
    "exists in nothing": (lambda q: q.none().exists(), False),
    "exists in a locked, sorted query": (lambda q: q.lock().order("views").exists(), True),
    "pluck one": (lambda q: q.order("id").pluck("title"), ["a", "b", "c", "d"]),
    "pluck two": (lambda q: q.order("-id").limit(2).pluck("id", Post.title), [(4, "d"), (3, "c")]),
    "pluck a function": (lambda q: q.order("id").limit(1).pluck(func.upper(Post.title)), ["A"]),
    "pluck distinct values (GOR-ORM-14)": (
        lambda q: q.distinct().order("views").pluck("views"),
        [1, 3, None],
    ),
    "pluck from nothing": (lambda q: q.none().pluck("title"), []),
    "pluck after a selection": (lambda q: q.select("title").order("id").pluck("views"), [3, 1, 1, None]),
    "pluck with loads": (
        lambda q: q.includes("author").eager_load("comments").order("id").pluck("id"),
        [1, 2, 3, 4],
    ),
    "pick": (lambda q: q.order("-title").pick("title"), "d"),
    "pick two": (lambda q: q.order("title").pick("title", "views"), ("a", 3)),
    "pick from no rows": (lambda q: q.where(title="x").pick("title"), None),
    "pick from no part": (lambda q: q.limit(0).pick("title"), None),
    "ids": (lambda q: q.order("-id").ids(), [4, 3, 2, 1]),
    "ids of distinct records": (lambda q: q.distinct().order("-views", "id").ids(), [4, 1, 2, 3]),
    "ids of nothing": (lambda q: q.none().ids(), []),
}


async def four_posts(database: Database) -> None:
    await posts(database, a=3, b=1, c=1, d=None)
    async with database.session():
        await Query(Post).where(title="a").update_all(price="0.25")
        await Query(Post).where(title="b").update_all(price="0.75")


async def test_answers(ask: Ask) -> None:
    await four_posts(ask.database)
    for name, (question, expected) in ANSWERS.items():
        found = await ask(Post, question)
        assert found == expected, name
        assert type(found) is type(expected), name


RECORDS: dict[str, tuple[Callable[[Any], Any], str | None]] = {
    "all (GOR-ORM-08)": (lambda q: q.order("title").all(), "abcd"),
    "all of nothing": (lambda q: q.none().all(), ""),
    "limit and offset (GOR-ORM-12)": (lambda q: q.order("id").limit(2).offset(1).all(), "bc"),
    "offset alone": (lambda q: q.order("id").offset(3).all(), "d"),
    "offset behind the end": (lambda q: q.order("id").offset(9).all(), ""),
    "limit taken back": (lambda q: q.order("id").limit(1).limit(None).offset(1).offset(None).all(), "abcd"),
    "the greatest numbers": (lambda q: q.limit(2**63 - 1).offset(2**63 - 1).all(), ""),
    "first, in order of the key": (lambda q: q.first(), "a"),
    "first, in its order": (lambda q: q.order("-title").first(), "d"),
    "first 2": (lambda q: q.first(2), "ab"),
    "first 0": (lambda q: q.first(0), ""),
    "first 3 of 2": (lambda q: q.limit(2).first(3), "ab"),
    "first of no rows": (lambda q: q.where(title="x").first(), None),
    "last, in order of the key": (lambda q: q.last(), "d"),
    "last, in its order": (lambda q: q.order("-title").last(), "a"),
    "last 2, in its order": (lambda q: q.order("-title").last(2), "ba"),
    "last 0": (lambda q: q.last(0), ""),
    "last of a part": (lambda q: q.order("id").limit(2).last(), "b"),
    "last 0 of a part": (lambda q: q.order("id").limit(2).last(0), ""),
    "last of an unsorted part": (lambda q: q.limit(2).last(), "b"),
    "last of no rows": (lambda q: q.where(title="x").last(), None),
    "take": (lambda q: q.where(title="c").take(), "c"),
    "take 2": (lambda q: q.where(title="c").take(2), "c"),
    "take of no part": (lambda q: q.limit(0).take(), None),
    "find_by (GOR-ORM-07)": (lambda q: q.find_by(title="b"), "b"),
    "find_by with an expression": (lambda q: q.find_by(Post.views > 2), "a"),
    "find_by without a match": (lambda q: q.find_by(title="x"), None),
    "find_or_raise": (lambda q: q.find_or_raise(title="b"), "b"),
    "find (GOR-ORM-06)": (lambda q: q.find(2), "b"),
    "find with text": (lambda q: q.find("2"), "b"),
    "find within conditions": (lambda q: q.where(views=1).find(2), "b"),
    "find several, in the order of the keys": (lambda q: q.find([3, 1, 3, "2"]), "cab"),
    "find none": (lambda q: q.find([]), ""),
}


async def test_records(ask: Ask) -> None:
    await four_posts(ask.database)
    for name, (question, expected) in RECORDS.items():
        found = await ask(Post, question)
        if found is None or not isinstance(found, list):
            assert (found.title if found else found) == expected, name
        else:
            assert "".join(titles(found)) == expected, name


@pytest.mark.parametrize(
    "key",
    [9, 0, -1, 10**30, -(10**30), "abc", "1 OR 1=1", "", "1\x00", None, 1.5, (1, 2), {}, object(), True],
)
async def test_a_key_that_no_row_can_have_is_not_found(ask: Ask, key: Any) -> None:
    await saved(ask.database, Post(id=2, title="a"))
    with pytest.raises(RecordNotFound) as error:
        await ask(Post, lambda q: q.find(key))
    assert error.value.status_hint == 404
    with pytest.raises(RecordNotFound):
        await ask(Post, lambda q: q.find([2, key]))


async def test_what_is_not_found_is_named(ask: Ask) -> None:
    await saved(ask.database, Post(title="a"))
    with pytest.raises(RecordNotFound) as one:
        await ask(Post, lambda q: q.where(title="b").find(1))
    assert one.value.key == 1
    with pytest.raises(RecordNotFound) as several:
        await ask(Post, lambda q: q.find([1, 7, "x"]))
    assert several.value.key == [7, "x"]
    with pytest.raises(RecordNotFound):
        await ask(Post, lambda q: q.find_or_raise(title="b"))


async def test_a_key_of_two_columns(ask: Ask) -> None:
    await saved(ask.database, *(Seat(line=line, number=n) for line in "ab" for n in (1, 2)))
    assert (await ask(Seat, lambda q: q.find(("b", 1)))).line == "b"
    found = await ask(Seat, lambda q: q.find([("b", 2), ("a", 1)]))
    assert [(seat.line, seat.number) for seat in found] == [("b", 2), ("a", 1)]
    assert await ask(Seat, lambda q: q.where(number=2).ids()) == [("a", 2), ("b", 2)]
    assert (await ask(Seat, lambda q: q.last())).number == 2
    assert await ask(Seat, lambda q: q.limit(3).count()) == 3
    with pytest.raises(RecordNotFound):
        await ask(Seat, lambda q: q.find("a"))
    with pytest.raises(RecordNotFound):
        await ask(Seat, lambda q: q.find([("a", 1), ("c", 1)]))


async def test_a_query_is_iterated(ask: Ask) -> None:
    await posts(ask.database, a=1, b=2)
    iterated = await ask(
        Post, lambda q: (q.order("id").__aiter__ if hasattr(q, "__aiter__") else q.order("id").__iter__)()
    )
    assert titles(iterated) == ["a", "b"]


async def test_explain_and_sql_are_for_people(ask: Ask) -> None:
    plan = await ask(Post, lambda q: q.where(title="secret value").explain())
    assert "post" in plan.lower()
    assert "secret value" not in Query(Post).where(title="secret value").to_sql()
    assert "FROM post" in repr(Query(Post))


NO_COLUMNS: tuple[tuple[Any, type[Exception]], ...] = (
    ("titel", UnknownAttributeError),
    ("author", UnknownAttributeError),
    ("-title", UnknownAttributeError),
    (text("views"), TypeError),
    (literal_column("views"), TypeError),
    (func.lower(text("title")), TypeError),
    (Post.author, TypeError),
    (Post, TypeError),
    (1, TypeError),
)


@pytest.mark.parametrize("method", ["pluck", "pick", "count", "sum", "average", "minimum", "maximum"])
async def test_what_is_no_column_is_refused(ask: Ask, method: str) -> None:
    for column, error in NO_COLUMNS:
        for base in (Query(Post), Query(Post).none()):
            with pytest.raises(error):
                await ask(Post, lambda q: getattr(q.merge(base), method)(column))  # noqa: B023


@pytest.mark.parametrize(
    ("method", "column"),
    [
        ("sum", "title"),
        ("sum", "is_pinned"),
        ("average", "token"),
        ("minimum", "is_pinned"),
        ("maximum", "token"),
    ],
)
async def test_what_some_database_cannot_compute_is_refused_by_all(
    ask: Ask, method: str, column: str
) -> None:
    with pytest.raises(
        TypeError, match=rf"{method}\(\) takes (numbers|what can be sorted), and Post.{column} is"
    ):
        await ask(Post, lambda q: getattr(q, method)(column))


@pytest.mark.parametrize("method", ["limit", "offset"])
@pytest.mark.parametrize("count", [-1, 2**63, True, 1.5, "1", "1; DROP TABLE post", text("1")], ids=spelt)
def test_a_limit_is_a_whole_number_that_databases_know(method: str, count: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"{method}\(\) takes a "):
        getattr(Query(Post), method)(count)


@pytest.mark.parametrize("method", ["first", "last", "take"])
@pytest.mark.parametrize("count", [-1, "2", 2**63, True])
async def test_so_is_a_number_of_records(ask: Ask, method: str, count: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="takes a"):
        await ask(Post, lambda q: getattr(q, method)(count))
    with pytest.raises((TypeError, ValueError), match="takes a"):
        await ask(Post, lambda q: getattr(q.limit(3), method)(count))


async def test_pluck_needs_a_column(ask: Ask) -> None:
    with pytest.raises(TypeError, match="takes the columns to return"):
        await ask(Post, lambda q: q.pluck())
