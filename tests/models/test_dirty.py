"""Dirty tracking: what has changed since the row was read, and what the last save wrote."""

from typing import ClassVar

import pytest
from sqlalchemy.ext.asyncio import AsyncSession as PlainAsyncSession
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, select

from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._lifecycle._state import Changes

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Author(Base, table=True):
    name: str


class Post(Base, table=True):
    title: str
    body: str | None = None
    author_id: int | None = Field(default=None, foreign_key="author.id")
    author: Author | None = Relationship()
    seen: ClassVar[list[tuple[str, Changes, Changes]]] = []

    def before_save(self) -> None:
        self.seen.append(("before_save", _titles(self.changes), _titles(self.saved_changes)))

    def after_save(self) -> None:
        self.seen.append(("after_save", _titles(self.changes), _titles(self.saved_changes)))

    def after_commit(self) -> None:
        self.seen.append(("after_commit", _titles(self.changes), _titles(self.saved_changes)))


def _titles(changes: Changes) -> Changes:
    return {name: change for name, change in changes.items() if name == "title"}


@pytest.fixture(autouse=True)
def _forget() -> None:
    Post.seen.clear()


async def stored(database: Database) -> int:
    """Insert a post, and return its key."""
    async with database.session():
        return (await Post(title="old", body="text").save()).id


def test_of_a_new_record() -> None:
    """Everything that is set has changed from None; what is None has not."""
    post = Post(title="new")
    assert post.changes == {"title": (None, "new")}
    assert post.has_changes_to_save
    assert post.attribute_changed("title")
    assert not post.attribute_changed("body")
    assert post.attribute_was("title") is None
    assert post.saved_changes == {}


async def test_of_a_loaded_record(database: Database) -> None:
    """Nothing at first; then what was assigned, with what it was; nothing again when it is put back."""
    key = await stored(database)
    async with database.session():
        post = await Post.find(key)
        assert not post.has_changes_to_save
        assert post.changes == post.saved_changes == {}
        post.title, post.body = "new", None
        assert post.changes == {"title": ("old", "new"), "body": ("text", None)}
        assert post.attribute_was("title") == "old"
        assert post.attribute_was("author_id") is None
        post.title = "newer"
        assert post.changes["title"] == ("old", "newer")
        post.title = "old"
        assert post.changes == {"body": ("text", None)}
        post.body = "text"
        assert not post.has_changes_to_save


async def test_assigning_the_same_value_is_no_change(database: Database) -> None:
    """No UPDATE, and `updated_at` stays."""
    key = await stored(database)
    async with database.session():
        post = await Post.find(key)
        before = post.updated_at
        post.title = "old"
        assert not post.has_changes_to_save
        await post.save()
        assert post.updated_at == before
        assert post.saved_changes == {}


async def test_a_save_moves_them(database: Database) -> None:
    """What was `changes` is `saved_changes`, timestamps included; the next save replaces them."""
    async with database.session():
        post = await Post(title="old").save()
        assert not post.has_changes_to_save
        assert post.saved_changes["title"] == (None, "old")
        assert set(post.saved_changes) == {"id", "title", "created_at", "updated_at"}
        assert post.saved_change_to_attribute("title")
        assert not post.saved_change_to_attribute("body")
        await post.update(body="text")
        assert set(post.saved_changes) == {"body", "updated_at"}
        await post.save()
        assert post.saved_changes == {}


async def test_inside_of_callbacks(database: Database) -> None:
    """Before the row is written they are `changes`, afterwards `saved_changes`, also after the commit."""
    async with database.session():
        post = await Post(title="old").save()
        Post.seen.clear()
        await post.update(title="new")
    change = {"title": ("old", "new")}
    assert Post.seen == [
        ("before_save", change, {"title": (None, "old")}),
        ("after_save", {}, change),
        ("after_commit", {}, change),
    ]


async def test_of_a_record_that_a_commit_has_expired(database: Database) -> None:
    """An assignment without reading first: the old value is not known, and nothing is read for it."""
    key = await stored(database)
    async with PlainAsyncSession(database.engine) as session:
        post = (await session.scalars(select(Post).where(Post.id == key))).one()
        await session.commit()
        assert post.changes == {}
        post.title = "new"
        assert post.changes == {"title": (None, "new")}
        await session.commit()
        assert post.saved_changes["title"] == (None, "new")


async def test_of_an_attribute_that_was_not_loaded(database: Database) -> None:
    """It has no change, and asking for the changes does not load it."""
    key = await stored(database)
    async with database.session():
        post = await Post.where(id=key).select("title").first()
        assert post is not None
        assert post.changes == {}
        assert "body" not in post.__dict__
        post.body = "new"
        assert post.changes == {"body": (None, "new")}
        await post.save()
    async with database.session():
        assert (await Post.find(key)).body == "new"


async def test_a_reload_forgets_them(database: Database) -> None:
    """As the values themselves."""
    key = await stored(database)
    async with database.session():
        post = await Post.find(key)
        post.title = "new"
        await post.reload()
        assert post.changes == {}


async def test_a_related_record_shows_in_its_foreign_key(database: Database) -> None:
    """The key is written by the flush, and so it is in `saved_changes`."""
    key = await stored(database)
    async with database.session():
        author = await Author(name="Ada").save()
        post = await Post.find(key)
        post.author = author
        await post.save()
        assert post.saved_changes["author_id"] == (None, author.id)


def test_of_an_unknown_attribute() -> None:
    """The error lists those that there are."""
    post = Post(title="new")
    with pytest.raises(UnknownAttributeError, match=r"titel.*title"):
        post.attribute_changed("titel")
    with pytest.raises(UnknownAttributeError):
        post.attribute_was("titel")
    with pytest.raises(UnknownAttributeError):
        post.saved_change_to_attribute("titel")
