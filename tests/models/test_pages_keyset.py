"""Pages by cursor: none is skipped and none comes twice, whatever happens to the rows between them."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func

from lineside.models import Database, InvalidCursorError, Query
from tests.models.publishing import STYLES, Ask, Author, Post, Seat, State, posts, saved, titles
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


async def walk(ask: Ask, *order: Any, limit: int = 2, model: Any = Post) -> list[Any]:
    """Go through all pages, and return their records."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = await ask(model, lambda q: q.order(*order).keyset(cursor, limit))  # noqa: B023
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == limit


async def various(database: Database) -> None:
    """Save posts whose columns have ties and NULL, and times that differ by microseconds only."""
    await saved(
        database,
        *(
            Post(
                title="abcdefg"[number],
                views=[3, 1, None, 1, 2**31 - 1, None, -5][number],
                price=[Decimal("0.10"), None, Decimal("9999999999.99"), Decimal("0.1"), None, Decimal(-1), 0][
                    number
                ],
                state=[None, *State, *State, *State][number],
                token=UUID(int=(number * 5 + 3) % 7 << 100),
                is_pinned=number % 2 == 0,
                published_at=[None, *(NOON + timedelta(microseconds=n // 2) for n in range(6))][number],
            )
            for number in range(7)
        ),
    )


@pytest.mark.parametrize(
    "column", ["title", "views", "price", "state", "token", "is_pinned", "published_at", "id"]
)
async def test_pages_are_the_list_cut_in_pieces(ask: Ask, column: str) -> None:
    await various(ask.database)
    for order in (
        (column,),
        (f"-{column}",),
        (column, "-id"),
        (f"-{column}", "title"),
        ("views", f"-{column}"),
    ):
        whole = titles(await ask(Post, lambda q: q.order(*order).order("id").all()))  # noqa: B023
        for limit in (1, 2, 3, 7, 8):
            assert titles(await walk(ask, *order, limit=limit)) == whole, (order, limit)


async def test_a_page_without_an_order_goes_by_key(ask: Ask) -> None:
    await posts(ask.database, a=1, b=2, c=3)
    assert titles(await walk(ask)) == ["a", "b", "c"]
    await saved(ask.database, *(Seat(line=line, number=n) for line in "ba" for n in (2, 1)))
    seats = await walk(ask, model=Seat, limit=1)
    assert [(seat.line, seat.number) for seat in seats] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


async def test_a_last_page_that_is_full_has_no_cursor(ask: Ask) -> None:
    await posts(ask.database, a=1, b=2)
    page = await ask(Post, lambda q: q.keyset(limit=2))
    assert (titles(page.items), page.next_cursor) == (["a", "b"], None)
    empty = await ask(Post, lambda q: q.where(title="x").keyset())
    assert (empty.items, empty.next_cursor) == ([], None)
    assert (await ask(Post, lambda q: q.none().keyset())).items == []


async def test_pages_stay_where_they_are_when_rows_come_and_go(ask: Ask) -> None:
    await posts(ask.database, c=3, d=4, e=5, f=6)
    first = await ask(Post, lambda q: q.order("title").keyset(limit=2))
    await posts(ask.database, a=1, b=2)
    await ask(Post, lambda q: q.where(title=["c", "d"]).delete_all())
    second = await ask(Post, lambda q: q.order("title").keyset(first.next_cursor, 2))
    assert (titles(first.items), titles(second.items)) == (["c", "d"], ["e", "f"])


async def test_a_cursor_narrows_what_the_query_says(ask: Ask) -> None:
    await saved(ask.database, Author(id=1, name="Ada"))
    await saved(
        ask.database,
        *(Post(title=t, views=v, author_id=1) for t, v in zip("abcd", (1, 2, 1, 1), strict=True)),
    )
    question = Query(Post).joins("author").where(views=1).includes("author")
    first = await ask(Post, lambda q: q.merge(question).keyset(limit=2))
    second = await ask(Post, lambda q: q.merge(question).keyset(first.next_cursor, 2))
    assert (titles(first.items), titles(second.items)) == (["a", "c"], ["d"])
    assert second.items[0].author.name == "Ada"


def forged(cursor: str, change: Callable[[bytes], bytes]) -> str:
    """Return a cursor with other contents."""
    content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    return base64.urlsafe_b64encode(change(content)).decode().rstrip("=")


FORGERIES: dict[str, Callable[[str], str]] = {
    "nothing": lambda _: "",
    "something else": lambda _: "abc",
    "no base64": lambda c: c + "!",
    "too short": lambda c: c[:-1],
    "cut": lambda c: c[: len(c) // 2],
    "too long": lambda c: c + "A" * 4,
    "much too long": lambda _: "A" * 5_000,
    "padded": lambda c: c + "====",
    "no ASCII": lambda c: c + "é",
    "with a NUL": lambda c: c + "\x00",
    "no JSON": lambda c: forged(c, lambda _: b"not json"),
    "another version": lambda c: forged(c, lambda data: data.replace(b"[1,", b"[2,", 1)),
    "a list in it": lambda c: forged(c, lambda data: data.replace(b"3,", b"[3],")),
    "an object": lambda c: forged(c, lambda _: b"{}"),
    "NULL for a key": lambda c: forged(c, lambda data: data.replace(b",1]", b",null]")),
    "text for a number": lambda c: forged(c, lambda data: data.replace(b"3,", b'"1 OR 1=1",')),
    "a number past every column": lambda c: forged(
        c, lambda data: data.replace(b"3,", b"1" + b"0" * 30 + b",")
    ),
    "a number that is none": lambda c: forged(c, lambda data: data.replace(b"3,", b"NaN,")),
    "one value more": lambda c: forged(c, lambda data: data.replace(b"3,", b"3,3,")),
    "one value less": lambda c: forged(c, lambda data: data.replace(b"3,", b"")),
    "nested without end": lambda c: forged(c, lambda _: b"[" * 3_000),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_cursor_is_refused(database: Database, name: str) -> None:
    await posts(database, a=3, b=4)
    async with database.session():
        query = Query(Post).order("views")
        cursor = (await query.keyset(limit=1)).next_cursor or ""
        assert titles((await query.keyset(cursor)).items) == ["b"]
        false = FORGERIES[name](cursor)
        assert false != cursor
        with pytest.raises(InvalidCursorError) as error:
            await query.keyset(false)
    assert error.value.status_hint == 422


async def test_a_cursor_of_another_list_is_refused(ask: Ask) -> None:
    await posts(ask.database, a=1, b=2)
    cursor = (await ask(Post, lambda q: q.order("views").keyset(limit=1))).next_cursor
    for order in ((), ("-views",), ("title",), ("views", "title")):
        with pytest.raises(InvalidCursorError):
            await ask(Post, lambda q: q.order(*order).keyset(cursor))  # noqa: B023
    with pytest.raises(InvalidCursorError):
        await ask(Author, lambda q: q.keyset(cursor))


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (lambda q: q.limit(3).keyset(), ValueError, "leave limit"),
        (lambda q: q.offset(3).keyset(), ValueError, "leave limit"),
        (lambda q: q.keyset(limit=0), ValueError, "at least 1"),
        (lambda q: q.keyset(limit=-1), ValueError, "at least 1"),
        (lambda q: q.order(func.lower(Post.title)).keyset(), TypeError, "columns of the model itself"),
        (lambda q: q.joins("author").order("author.name").keyset(), TypeError, "columns of the model itself"),
        (lambda q: q.order(Post.views.asc().nulls_first()).keyset(), TypeError, "NULL as the greatest"),
    ],
)
async def test_what_has_no_cursor_says_so(
    ask: Ask, question: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        await ask(Post, question)
