"""``update_all`` and ``delete_all``: one statement, read back through a second session."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, literal_column, select, text

from lineside.models import Database, InvalidValueError, UnknownAttributeError
from lineside.models._relation._query import Query
from tests.models.publishing import STYLES, Ask, Author, Post, Seat, State, posts, saved, spelt, statements_of
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


async def stored(database: Database, *columns: str) -> list[Any]:
    async with database.session():
        return await Query(Post).order("title").pluck(*(columns or ("title", "views")))


WRITTEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "all rows": (lambda q: q, "abcd"),
    "some rows": (lambda q: q.where(views=1), "bc"),
    "no rows": (lambda q: q.where(title="x"), ""),
    "nothing": (lambda q: q.none(), ""),
    "a part": (lambda q: q.order("-title").limit(2), "cd"),
    "another part": (lambda q: q.order("title").offset(3), "d"),
    "no part": (lambda q: q.limit(0), ""),
    "over an association": (lambda q: q.joins("author").where(**{"author.name": "Ada"}), "a"),
    "over an association, a part": (lambda q: q.left_joins("author").order("author.name").limit(1), "a"),
    "over many, each once": (lambda q: q.left_joins("comments").distinct().where(views=1), "bc"),
    "held rows": (lambda q: q.where(views=1).lock(), "bc"),
    "rows that nobody holds": (lambda q: q.order("title").limit(1).lock(skip_locked=True), "a"),
    "or": (lambda q: q.where(views=1).or_(views=None), "bcd"),
}


async def four_posts(database: Database) -> None:
    await posts(database, a=3, b=1, c=1, d=None)
    await saved(database, Author(id=1, name="Ada"))
    async with database.session():
        await Query(Post).where(title="a").update_all(author_id=1)


async def test_update_all_writes_the_rows_of_the_query(ask: Ask) -> None:
    await four_posts(ask.database)
    for number, (name, (question, expected)) in enumerate(WRITTEN.items()):
        count = await ask(Post, lambda q: question(q).update_all(price=100 + number))  # noqa: B023
        async with ask.database.session():
            written = await Query(Post).where(price=100 + number).order("title").pluck("title")
        assert ("".join(written), count) == (expected, len(expected)), name


@pytest.mark.parametrize("name", WRITTEN)
async def test_delete_all_deletes_the_rows_of_the_query(ask: Ask, name: str) -> None:
    question, expected = WRITTEN[name]
    await four_posts(ask.database)
    count = await ask(Post, lambda q: question(q).delete_all())
    kept = "".join(await stored(ask.database, "title"))
    assert (kept, count) == ("".join(sorted({*"abcd"} - {*expected})), len(expected))


async def test_values_are_expressions_too(ask: Ask) -> None:
    await posts(ask.database, a=3, b=None)
    await ask(Post, lambda q: q.update_all(views=Post.views + 1, title=func.upper(Post.title)))
    assert await stored(ask.database) == [("A", 4), ("B", None)]
    await ask(Post, lambda q: q.update_all(state="public", views=None))
    assert await stored(ask.database, "state", "views") == [(State.PUBLIC, None)] * 2


async def test_each_is_one_statement(ask: Ask) -> None:
    await posts(ask.database, a=1, b=2)
    with statements_of(ask.database) as log:
        await ask(Post, lambda q: q.where(views=1).update_all(views=7))
    assert len([sql for sql, _ in log if sql.startswith("UPDATE")]) == 1
    assert not [sql for sql, _ in log if sql.startswith("SELECT")]


async def test_neither_runs_callbacks_or_touches_the_time_of_the_last_change(ask: Ask) -> None:
    await posts(ask.database, a=1)
    before = await stored(ask.database, "updated_at")
    await ask(Post, lambda q: q.update_all(views=2))
    assert await stored(ask.database, "updated_at") == before


async def test_loaded_records_follow(database: Database) -> None:
    """As with SQLAlchemy's own bulk statements: a record in the session is not left with what was."""
    await posts(database, a=1, b=2)
    async with database.session() as session:
        a, b = await Query(Post).order("title").all()
        await Query(Post).where(title="a").update_all(views=9)
        assert (a.views, b.views) == (9, 2)
        assert await Query(Post).where(views=9).delete_all() == 1
        assert a not in session
        assert await Query(Post).find_by(id=a.id) is None
        assert await session.scalar(select(func.count()).select_from(Post)) == 1


async def test_a_key_of_two_columns(ask: Ask) -> None:
    await saved(ask.database, *(Seat(line=line, number=n) for line in "ab" for n in (1, 2)))
    assert await ask(Seat, lambda q: q.limit(3).update_all(passenger="x")) == 3
    assert await ask(Seat, lambda q: q.order("-line", "number").limit(1).delete_all()) == 1
    assert await ask(Seat, lambda q: q.order("line", "number").ids()) == [("a", 1), ("a", 2), ("b", 2)]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({}, TypeError),
        ({"titel": 1}, UnknownAttributeError),
        ({"author": None}, UnknownAttributeError),
        ({"metadata": 1}, UnknownAttributeError),
        ({"author.name": "x"}, UnknownAttributeError),
        ({"views": "abc"}, InvalidValueError),
        ({"views": 2**63}, InvalidValueError),
        ({"price": "1e20"}, InvalidValueError),
        ({"title": "\x00"}, InvalidValueError),
        ({"state": "nonsense"}, InvalidValueError),
        ({"views": text("1")}, InvalidValueError),
        ({"views": literal_column("1")}, TypeError),
        ({"title": func.lower(literal_column("title"))}, TypeError),
    ],
    ids=spelt,
)
async def test_what_cannot_be_written_is_refused(
    database: Database, values: dict[str, Any], error: type[Exception]
) -> None:
    await posts(database, a=1)
    async with database.session():
        for query in (Query(Post), Query(Post).none()):
            with pytest.raises(error):
                await query.update_all(**values)
    assert await stored(database) == [("a", 1)]
