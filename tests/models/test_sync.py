"""``Post.sync`` and ``post.sync``: the same model without ``await``."""

from datetime import UTC, datetime
from typing import ClassVar

import pytest
from sqlalchemy.orm import Session as PlainSession
from sqlalchemy.orm import registry
from sqlmodel import Session, col, select

from lineside.exceptions import RecordInvalid, RecordNotFound
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._connection._ambient import current_session
from lineside.models._exceptions import ForbiddenAttributesError, NoSessionError
from lineside.models._validation._declarations import validates
from tests.models.ways import rows

pytestmark = pytest.mark.anyio

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Base(Model, registry=registry()):
    pass


@validates("title", length=(1, 20))
class Post(Base, table=True):
    permit: ClassVar[list[str]] = ["title"]
    title: str
    views: int = 0
    seen: ClassVar[list[object]] = []

    def before_save(self) -> None:
        self.seen.append(current_session())


@pytest.fixture(autouse=True)
def _forget() -> None:
    Post.seen.clear()


async def test_a_whole_life(database: Database) -> None:
    """Create, find, update, reload, touch, destroy."""
    with database.sync_session():
        post = Post.sync.create(title="Hello", updated_at=LONG_AGO)
        assert Post.sync.find(post.id) is post
        assert post.sync.update(title="Bye") is post
        post.sync.update_columns(views=7)
        post.views = 99
        assert post.sync.reload().views == 7
        post.sync.update_columns(updated_at=LONG_AGO)
        assert post.sync.touch().updated_at > LONG_AGO
        assert post.sync.valid()
    assert await rows(database, "post", "title", "views") == [("Bye", 7)]
    with database.sync_session():
        assert post.sync.destroy().is_destroyed
    assert await rows(database, "post", "id") == []


async def test_what_is_refused(database: Database) -> None:
    """The same errors."""
    with database.sync_session():
        with pytest.raises(RecordInvalid):
            Post.sync.create(title="")
        with pytest.raises(RecordNotFound):
            Post.sync.find(1)
        with pytest.raises(ForbiddenAttributesError):
            Post.sync.create({"views": 3})
        post = Post(title="")
        assert not post.sync.valid()
        assert "title" in post.errors
    assert await rows(database, "post", "id") == []


async def test_in_a_session_that_is_named(database: Database) -> None:
    """Also one of SQLAlchemy itself, which the record then knows."""
    with PlainSession(database.sync_engine) as session:
        post = Post(title="Hello")
        post.sync.save(session=session)
        post.sync.update(title="Bye")
        session.commit()
    assert await rows(database, "post", "title") == [("Bye",)]


async def test_callbacks_find_the_session_that_writes(database: Database) -> None:
    """It is the ambient one inside them."""
    with Session(database.sync_engine) as session:
        Post(title="Hello").sync.save(session=session)
        assert Post.seen == [session]


async def test_sqlmodels_own_code_on_the_same_rows(database: Database) -> None:
    """`session.add`, `session.exec(select(...))` and ours work side by side in one transaction."""
    with database.sync_session() as session:
        session.add(Post(title="added"))
        Post.sync.create(title="created")
        found = session.exec(select(Post).order_by(col(Post.title))).all()
        assert [post.title for post in found] == ["added", "created"]
        assert Post.sync.find(found[0].id) is found[0]


async def test_without_a_session(database: Database) -> None:
    """The error says which call needed one; an async session around is none."""
    with pytest.raises(NoSessionError, match=r"sync.*needs a session"):
        Post(title="Hello").sync.save()
    async with database.session():
        with pytest.raises(NoSessionError, match="AsyncSession"):
            Post(title="Hello").sync.save()


async def test_a_record_of_an_async_session(database: Database) -> None:
    """It cannot be saved without `await`: the error says so, and the session goes on."""
    async with database.session():
        post = await Post.create(title="Hello")
        post.title = "Bye"
        with pytest.raises(NoSessionError, match="await"):
            post.sync.save()
        await post.save()
    assert await rows(database, "post", "title") == [("Bye",)]


async def test_await_on_a_sync_session(database: Database) -> None:
    """The async methods work there, too: nothing waits."""
    with database.sync_session():
        post = await Post.create(title="Hello")
        await post.update(title="Bye")
        assert await Post.count() == 1
    assert await rows(database, "post", "title") == [("Bye",)]
