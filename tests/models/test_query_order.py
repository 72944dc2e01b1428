"""Order: the same on every database, NULL included; and columns left out by ``select``."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, literal_column, text

from lineside.models import Database, StrictLoadingViolationError, UnknownAttributeError
from lineside.models._relation._query import Query
from tests.models.publishing import STYLES, Ask, Author, Comment, Post, posts, saved, spelt, titles
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


ORDERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "by a name": (lambda q: q.order("title"), "abcd"),
    "by a name, descending": (lambda q: q.order("-title"), "dcba"),
    "NULL is the greatest": (lambda q: q.order("views", "title"), "bcad"),
    "NULL is the greatest, descending": (lambda q: q.order("-views", "title"), "dabc"),
    "by several (GOR-ORM-11)": (lambda q: q.order("views", "-title"), "cbad"),
    "in several calls": (lambda q: q.order("views").order("-title"), "cbad"),
    "by an attribute": (lambda q: q.order(Post.views, Post.title), "bcad"),
    "by an attribute, descending": (lambda q: q.order(Post.views.desc(), Post.title), "dabc"),
    "by an expression": (lambda q: q.order(func.coalesce(Post.views, 2), "title"), "bcda"),
    "by an expression of NULL": (lambda q: q.order(-Post.views, "title"), "abcd"),
    "with NULL where it is told": (
        lambda q: q.order(Post.views.asc().nulls_first(), "title"),
        "dbca",
    ),
    "by a condition": (lambda q: q.order(Post.title != "c", "title"), "cabd"),
    "by something else": (lambda q: q.order("views").reorder("-title"), "dcba"),
    "reversed": (lambda q: q.order("title").reverse_order(), "dcba"),
    "reversed, with NULL": (lambda q: q.order("views", "title").reverse_order(), "dacb"),
    "reversed twice": (lambda q: q.order("-views", "title").reverse_order().reverse_order(), "dabc"),
    "reversed with NULL where it is told": (
        lambda q: q.order(Post.views.desc().nulls_last(), "title").reverse_order(),
        "dcba",
    ),
    "reversed without an order": (lambda q: q.reverse_order(), "dcba"),
    "by nothing more": (lambda q: q.order().order("title"), "abcd"),
}


async def test_orders(ask: Ask) -> None:
    await posts(ask.database, a=3, b=1, c=1, d=None)
    for name, (question, expected) in ORDERS.items():
        found = await ask(Post, lambda q: question(q).all())  # noqa: B023
        assert "".join(titles(found)) == expected, name


async def test_reorder_by_nothing_sorts_by_nothing() -> None:
    assert "ORDER BY" not in Query(Post).order("title").reorder().to_sql()


@pytest.mark.parametrize("method", ["order", "reorder"])
@pytest.mark.parametrize(
    ("column", "error"),
    [
        ("titel", UnknownAttributeError),
        ("--title", UnknownAttributeError),
        ("title DESC", UnknownAttributeError),
        ("title, views", UnknownAttributeError),
        ("Title", UnknownAttributeError),
        ("", UnknownAttributeError),
        ("-", UnknownAttributeError),
        ("author", UnknownAttributeError),
        ("authors.name", UnknownAttributeError),
        ("author.", TypeError),
        ("author.name", TypeError),
        (text("title"), TypeError),
        (literal_column("title"), TypeError),
        (literal_column("title").desc(), TypeError),
        (func.lower(text("title")), TypeError),
        (Post.author, TypeError),
        (None, TypeError),
        (1, TypeError),
        (["title"], TypeError),
    ],
    ids=spelt,
)
def test_what_is_no_column_is_refused(method: str, column: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        getattr(Query(Post), method)(column)


def test_a_column_of_an_association_names_the_join_it_needs() -> None:
    with pytest.raises(TypeError, match=r"""'author\.name' needs its association: add \.joins\("author"\)"""):
        Query(Post).order("author.name")
    with pytest.raises(UnknownAttributeError, match="Author has no attribute 'nobody'"):
        Query(Post).order("author.nobody.name")
    with pytest.raises(UnknownAttributeError, match="Author has no attribute 'nam'"):
        Query(Post).joins("author").order("author.nam")


async def test_a_selection_loads_nothing_else(ask: Ask) -> None:
    """GOR-ORM-13."""
    await saved(ask.database, Post(title="a", views=3, author=Author(name="Ada")))
    for columns in (("title",), (Post.title,)):
        post = await ask(Post, lambda q: q.select(*columns).first())  # noqa: B023
        assert (post.title, post.id) == ("a", 1)
        with pytest.raises(StrictLoadingViolationError, match="views"):
            _ = post.views
    both = await ask(Post, lambda q: q.select("title").select("views").first())
    assert (both.title, both.views) == ("a", 3)


async def test_a_selection_goes_with_loads_orders_and_parts(ask: Ask) -> None:
    await saved(ask.database, Post(title="a", views=3, author=Author(name="Ada")), Post(title="b"))
    question = Query(Post).select("title").includes("author", "comments").order("views").limit(1)
    post = await ask(Post, lambda q: q.merge(question).first())
    assert (post.title, post.author.name, post.comments) == ("a", "Ada", [])


@pytest.mark.parametrize("column", ["titel", "author", Post.author, Comment.id, text("title"), 1], ids=spelt)
def test_a_selection_is_of_the_columns_of_the_model(column: Any) -> None:
    with pytest.raises((UnknownAttributeError, TypeError)):
        Query(Post).select(column)
