"""Associations in queries: joined for conditions and orders, or loaded along."""

from collections.abc import Callable
from typing import Any

import pytest

from lineside.models import Database, UnknownAttributeError
from lineside.models._relation._query import Query
from tests.models.publishing import STYLES, Ask, Author, Comment, Country, Post, saved, statements_of, titles
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


async def a_blog(database: Database) -> None:
    """Save two authors, a post of each, one edited post, one of nobody, and three comments on the first."""
    await saved(
        database,
        Country(id=1, name="GB"),
        Author(id=1, name="Ada", country_id=1),
        Author(id=2, name="Alan"),
        Post(id=1, title="a", views=1, author_id=1, editor_id=2),
        Post(id=2, title="b", views=2, author_id=2),
        Post(id=3, title="c", views=3),
        Comment(id=1, body="x", post_id=1),
        Comment(id=2, body="y", post_id=1, parent_id=1),
        Comment(id=3, body="z", post_id=1),
    )


ADA, ALAN = {"author.name": "Ada"}, {"author.name": "Alan"}
FOUND: dict[str, tuple[Callable[[Any], Any], str]] = {
    "an inner join needs a match (GOR-ORM-19)": (lambda q: q.joins("author").order("id"), "ab"),
    "a condition by name": (lambda q: q.joins("author").where(**ADA), "a"),
    "a condition by expression": (lambda q: q.joins("author").where(Author.name == "Ada"), "a"),
    "by attribute": (lambda q: q.joins(Post.author).where(Author.name == "Ada"), "a"),
    "nested": (lambda q: q.joins("author.country").where(**{"author.country.name": "GB"}), "a"),
    "an order": (lambda q: q.joins("author").order("-author.name"), "ba"),
    "an outer join keeps all": (lambda q: q.left_joins("author").order("author.name"), "abc"),
    "those without a match": (lambda q: q.left_joins("author").where(**{"author.id": None}), "c"),
    "an inner join after an outer one": (lambda q: q.left_joins("author").joins("author").order("id"), "ab"),
    "an outer join after an inner one": (lambda q: q.joins("author").left_joins("author").order("id"), "ab"),
    "through an outer join": (lambda q: q.left_joins("author.country").order("id"), "abc"),
    "one table twice": (
        lambda q: q.joins("author", "editor").where(**{"author.name": "Ada", "editor.name": "Alan"}),
        "a",
    ),
    "one table twice, the other way": (
        lambda q: q.joins("author", "editor").where(**{"editor.name": "Ada"}),
        "",
    ),
    "a record for each match": (lambda q: q.joins("comments"), "aaa"),
    "each record once": (lambda q: q.joins("comments").distinct(), "a"),
    "each record once, sorted": (lambda q: q.left_joins("comments").distinct().order("-title"), "cba"),
    "each record once, sorted by its author": (
        lambda q: q.left_joins("comments", "author").distinct().order("-author.name"),
        "cba",
    ),
    "each record once, a part": (lambda q: q.left_joins("comments").distinct().order("id").limit(2), "ab"),
    "each record once, conditions on many": (
        lambda q: q.joins("comments").where(**{"comments.body": ["x", "y"]}).distinct(),
        "a",
    ),
    "a table joined to itself": (
        lambda q: q.joins("comments.parent").where(**{"comments.parent.body": "x"}),
        "a",
    ),
    "a merged join": (lambda q: q.merge(Query(Post).joins("author").where(**ADA)), "a"),
    "a merged join that is there": (
        lambda q: q.joins("author").merge(Query(Post).joins("author").where(**ADA)),
        "a",
    ),
    "a merged inner join": (
        lambda q: q.left_joins("author").merge(Query(Post).joins("author")).order("id"),
        "ab",
    ),
    "or, with the same joins": (
        lambda q: q.joins("author").where(title="a").or_(Query(Post).joins("author").where(**ALAN)),
        "ab",
    ),
    "nothing found": (lambda q: q.joins("comments").none(), ""),
}


async def test_what_is_found(ask: Ask) -> None:
    await a_blog(ask.database)
    for name, (question, expected) in FOUND.items():
        found = "".join(titles(await ask(Post, lambda q: question(q).all())))  # noqa: B023
        assert found == expected, name
        assert await ask(Post, lambda q: question(q).count()) == len(expected), name  # noqa: B023
        assert await ask(Post, lambda q: question(q).exists()) is bool(expected), name  # noqa: B023


async def test_values_of_associations(ask: Ask) -> None:
    await a_blog(ask.database)
    rows = await ask(Post, lambda q: q.joins("author").order("id").pluck("title", "author.name"))
    assert rows == [("a", "Ada"), ("b", "Alan")]
    assert await ask(Post, lambda q: q.joins("comments").sum("views")) == 3
    assert await ask(Post, lambda q: q.joins("comments").maximum("comments.body")) == "z"
    assert await ask(Post, lambda q: q.joins("comments").distinct().order("title").pluck("title")) == ["a"]
    counts = await ask(Post, lambda q: q.joins("author").group("author.name").count())
    assert counts == {"Ada": 1, "Alan": 1}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            lambda q: q.or_(Query(Post).joins("author").where(**ADA)),
            r'add \.joins\("author"\)',
        ),
        (lambda q: q.or_(Query(Post).limit(1)), r"leave its limit\(\) and offset\(\) out"),
        (
            lambda q: q.joins("editor").merge(Query(Post).joins("author")),
            "joined differently in both",
        ),
        (lambda q: q.joins("editor", "author").merge(Query(Post).joins("author")), "joined differently"),
        (lambda q: q.joins("comments").distinct().order("comments.body").statement(), "a record has several"),
        (lambda q: q.merge(Query(Author)), "a query for Post takes nothing of one for Author"),
        (lambda q: q.joins(1), "associations are names or attributes"),
        (lambda q: q.includes(["author"]), "associations are names or attributes"),
        (lambda q: q.joins(Comment.parent), "Comment.parent is no association of Post"),
        (lambda q: q.includes(Comment.post), "Comment.post is no association of Post"),
    ],
)
def test_what_cannot_be_meant_is_refused(question: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        question(Query(Post).where(title="a"))


@pytest.mark.parametrize("method", ["joins", "left_joins", "includes", "preload", "eager_load"])
@pytest.mark.parametrize(
    "name", ["auther", "title", "author.nobody", "author.name", "", ".", "author.", "author..country"]
)
def test_an_unknown_association_is_refused_with_the_known_ones(method: str, name: str) -> None:
    with pytest.raises(UnknownAttributeError, match="it has "):
        getattr(Query(Post), method)(name)


@pytest.mark.parametrize(("method", "queries"), [("includes", 4), ("preload", 4), ("eager_load", 1)])
async def test_associations_are_loaded_along(ask: Ask, method: str, queries: int) -> None:
    """GOR-ORM-18: how many queries there are does not depend on how many records there are."""
    await a_blog(ask.database)
    with statements_of(ask.database) as log:
        found = await ask(Post, lambda q: getattr(q, method)("author.country", "comments").order("id").all())
    assert len([statement for statement, _ in log if "FROM " in statement]) == queries
    assert [post.author and post.author.name for post in found] == ["Ada", "Alan", None]
    assert found[0].author.country.name == "GB"
    assert [len(post.comments) for post in found] == [3, 0, 0]


async def test_loaded_along_with_a_part_each_record_comes_once(ask: Ask) -> None:
    await a_blog(ask.database)
    for method in ("includes", "eager_load"):
        found = await ask(Post, lambda q: getattr(q, method)("comments").order("id").limit(2).all())  # noqa: B023
        assert titles(found) == ["a", "b"]
        assert len(found[0].comments) == 3
