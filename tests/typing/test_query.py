"""What a type checker infers of queries; this file is checked and never run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_type

from sqlalchemy import func
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, col

from lineside.models import (
    GroupedQuery,
    KeysetPage,
    Model,
    Page,
    Query,
    Range,
    SyncGroupedQuery,
    SyncQuery,
    default_scope,
    scope,
)
from lineside.models._base._sync_record import SyncModel


class Base(Model, registry=registry()):
    """Tables of this file."""


class Author(Base, table=True):
    """The owner of posts."""

    name: str


class Post(Base, table=True):
    """A model with scopes."""

    title: str
    views: int = 0
    published_at: datetime | None = None
    author_id: int | None = Field(default=None, foreign_key="author.id")
    author: Author | None = Relationship()

    @scope
    @staticmethod
    def published(query: Query["Post"]) -> Query["Post"]:
        """Have no arguments."""
        return query.not_(published_at=None)

    @scope
    @staticmethod
    def popular(query: Query["Post"], views: int = 10, *, strictly: bool = False) -> Query["Post"]:
        """Have arguments."""
        return query.where(col(Post.views) > views if strictly else col(Post.views) >= views)

    @default_scope
    @staticmethod
    def newest(query: Query["Post"]) -> Query["Post"]:
        """Hold for all."""
        return query.order("-created_at")


@dataclass
class Row:
    """A group."""

    title: str
    count: int


def builders() -> None:
    """Each gives a query for the same class."""
    assert_type(Post.where(title="a"), Query[Post])
    assert_type(Post.where(col(Post.views) > 1).order("-views", Post.title), Query[Post])
    assert_type(Post.query().not_(views=Range(1, 2)).or_(views=1).limit(1).offset(1), Query[Post])
    assert_type(Post.includes("author").joins("author").left_joins("author"), Query[Post])
    assert_type(Post.unscoped().distinct().none().lock().select("title"), Query[Post])
    assert_type(Post.published(), Query[Post])
    assert_type(Post.popular(5), Query[Post])
    assert_type(Post.popular(views=5, strictly=True).scopes("published"), Query[Post])
    assert_type(Post.published().merge(Post.popular()), Query[Post])
    assert_type(Post.sync.where(title="a").order("title"), SyncModel[Post])
    assert_type(SyncQuery(Post).where(title="a"), SyncQuery[Post])
    assert_type(Post.query().group("title"), GroupedQuery[Post])
    assert_type(Post.query().group("title").having(func.count() > 1), GroupedQuery[Post])
    assert_type(Post.sync.group("title"), SyncGroupedQuery[Post])


async def terminals() -> None:
    """What is awaited gives records, values and numbers."""
    assert_type(await Post.all(), list[Post])
    assert_type(await Post.where(views=1).all(), list[Post])
    assert_type(await Post.find(1), Post)
    assert_type(await Post.find([1, 2]), list[Post])
    assert_type(await Post.query().find(1), Post)
    assert_type(await Post.query().find([1, 2]), list[Post])
    assert_type(await Post.find_by(title="a"), Post | None)
    assert_type(await Post.find_or_raise(title="a"), Post)
    assert_type(await Post.first(), Post | None)
    assert_type(await Post.query().first(), Post | None)
    assert_type(await Post.query().first(3), list[Post])
    assert_type(await Post.query().last(3), list[Post])
    assert_type(await Post.query().take(), Post | None)
    assert_type(await Post.count(), int)
    assert_type(await Post.exists(title="a"), bool)
    assert_type(await Post.query().pluck(col(Post.title)), list[str])
    assert_type(await Post.query().pluck(col(Post.title), col(Post.views)), list[tuple[str, int]])
    assert_type(
        await Post.query().pluck(col(Post.title), col(Post.views), col(Post.published_at)),
        list[tuple[str, int, datetime | None]],
    )
    assert_type(await Post.query().pluck("title"), list[Any])
    assert_type(await Post.query().page(1, 20), Page[Post])
    assert_type(await Post.query().keyset(None, 20), KeysetPage[Post])
    assert_type(await Post.where(views=1).update_all(views=2), int)
    assert_type(await Post.where(views=1).delete_all(), int)
    assert_type(await Post.query().group("title").count(), dict[Any, int])
    assert_type(await Post.query().group("title").into(Row, count=func.count()), list[Row])
    async for post in Post.query():
        assert_type(post, Post)
    async for batch in Post.query().in_batches(10):
        assert_type(batch, list[Post])


def without_await() -> None:
    """The same, at once."""
    assert_type(Post.sync.where(title="a").all(), list[Post])
    assert_type(Post.sync.find(1), Post)
    assert_type(Post.sync.find([1]), list[Post])
    assert_type(Post.sync.first(), Post | None)
    assert_type(Post.sync.last(2), list[Post])
    assert_type(Post.sync.pluck(col(Post.title)), list[str])
    assert_type(Post.sync.page(), Page[Post])
    assert_type(Post.sync.group("title").into(Row, count=func.count()), list[Row])
    for post in Post.sync.where(views=1):
        assert_type(post, Post)
    for batch in Post.sync.in_batches():
        assert_type(batch, list[Post])


# Each of these is an error to a type checker; an ignore that is not needed would be one, too.
async def mistakes() -> None:
    """What is refused before it runs."""
    Post.query().limit("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Post.popular("5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Post.published(5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Post.query().merge(Author.query())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await Post.query().first("1")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def on_the_class() -> None:
    """The class begins queries itself, and runs them."""
    assert_type(Post.not_(views=1), Query[Post])
    assert_type(Post.limit(1), Query[Post])
    assert_type(Post.select("title"), Query[Post])
    assert_type(await Post.where(views=1), list[Post])
    assert_type(await Post.pluck(col(Post.title)), list[str])
    assert_type(await Post.pluck("title"), list[Any])
    assert_type(await Post.keyset(), KeysetPage[Post])
    assert_type(await Post.where(views=1).destroy_all(), list[Post])
    assert_type(Post.sync.query().destroy_all(), list[Post])


async def shown() -> Page[Post.Out]:
    """A page of records is a page of what is shown of them: FastAPI makes the one of the other."""
    return await Post.query().page()


async def shown_by_cursor() -> KeysetPage[Post.Out]:
    """So is a page by cursor."""
    return await Post.keyset()
