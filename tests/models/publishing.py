"""The tables that the tests of queries share, and a way to ask each question with and without ``await``."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import Enum
from inspect import isawaitable
from typing import Any, Final, Optional
from uuid import UUID, uuid4

from sqlalchemy import event
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.models._base._model import Model
from lineside.models._base._record import Record
from lineside.models._connection._database import Database
from lineside.models._relation._query import Query
from lineside.models._relation._sync_query import SyncQuery

_TABLES: Final = registry()


def spelt(value: object) -> str:
    """Name a parameter of a test: the same in every process, which addresses of objects are not."""
    return re.sub(r" (object )?at 0x[0-9a-f]+", "", repr(value))


class Base(Model, registry=_TABLES):
    pass


class Bare(Record, registry=_TABLES):
    pass


class State(Enum):
    DRAFT = "draft"
    PUBLIC = "public"


class Country(Base, table=True):
    name: str
    authors: list["Author"] = Relationship(back_populates="country")


class Author(Base, table=True):
    name: str
    password_digest: str = "digest"
    country_id: int | None = Field(default=None, foreign_key="country.id")
    country: Country | None = Relationship(back_populates="authors")
    posts: list["Post"] = Relationship(
        back_populates="author", sa_relationship_kwargs={"foreign_keys": "Post.author_id"}
    )


class Post(Base, table=True):
    title: str
    views: int | None = None
    price: Decimal | None = Field(default=None, max_digits=12, decimal_places=2)
    state: State | None = None
    token: UUID = Field(default_factory=uuid4)
    is_pinned: bool = False
    published_at: datetime | None = None
    author_id: int | None = Field(default=None, foreign_key="author.id")
    editor_id: int | None = Field(default=None, foreign_key="author.id")
    author: Author | None = Relationship(
        back_populates="posts", sa_relationship_kwargs={"foreign_keys": "Post.author_id"}
    )
    editor: Author | None = Relationship(sa_relationship_kwargs={"foreign_keys": "Post.editor_id"})
    comments: list["Comment"] = Relationship(back_populates="post")


class Comment(Base, table=True):
    body: str
    post_id: int = Field(foreign_key="post.id")
    parent_id: int | None = Field(default=None, foreign_key="comment.id")
    post: Post = Relationship(back_populates="comments")
    parent: Optional["Comment"] = Relationship(sa_relationship_kwargs={"remote_side": "Comment.id"})


class Seat(Bare, table=True):
    """A table with a key of two columns."""

    line: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    passenger: str | None = None


STYLES: Final = ("await", "sync")


class Ask:
    """Asks a question with `Query` or with `SyncQuery`, in a session of its own that commits.

    Args:
        database: The database.
        style: One of `STYLES`.
    """

    def __init__(self, database: Database, style: str) -> None:
        self.database = database
        self._is_sync = style == "sync"

    async def __call__(self, model: type, question: Callable[[Any], Any]) -> Any:
        """Give the query for a class to the question, and return what is answered."""
        if self._is_sync:
            with self.database.sync_session():
                found = question(SyncQuery(model))
                return list(found) if isinstance(found, Iterator) else found
        async with self.database.session():
            found = question(Query(model))
            if isinstance(found, AsyncIterator):
                return [item async for item in found]
            return await found if isawaitable(found) else found


@contextmanager
def statements_of(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that reach a database in a block, with their parameters."""
    log: list[tuple[str, Any]] = []
    engines = (database.engine.sync_engine, database.sync_engine)

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        log.append((statement, parameters))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield log
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


async def saved(database: Database, *records: Any) -> tuple[Any, ...]:
    """Save records in a session of their own."""
    async with database.session():
        for record in records:
            await record.save()
    return records


async def posts(database: Database, **views: int | None) -> None:
    """Save posts with these titles and views."""
    await saved(database, *(Post(title=title, views=count) for title, count in views.items()))


def titles(records: list[Any]) -> list[str]:
    """Return the titles of posts."""
    return [record.title for record in records]
