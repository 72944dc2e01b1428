"""`increment`, `decrement` and `toggle`: the database counts, so that two at once both count."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import select

from lineside.exceptions import RecordNotFound
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import StaleObjectError, UnknownAttributeError

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    views: int = 0
    score: float | None = None
    pinned: bool | None = None
    title: str = ""


class Account(Base, table=True):
    balance: int = 0
    lock_version: int = 0


async def row_of(database: Database, columns: str = "views, score, pinned") -> tuple[object, ...]:
    async with database.engine.connect() as connection:
        return tuple((await connection.execute(text(f"select {columns} from post"))).one())


async def test_they_change_the_row_and_the_record(database: Database) -> None:
    async with database.session():
        post = await Post.create()
        assert await post.increment("views") is post
        await post.increment("views", 5)
        await post.decrement("views", 2)
        await post.increment("score", 0.5)
        await post.toggle("pinned")
        assert (post.views, post.score, post.pinned) == (4, 0.5, True)
        assert not post.has_changes_to_save
    assert await row_of(database) == (4, 0.5, True)
    async with database.session() as session:
        session.add(post)
        await post.toggle("pinned")
        assert post.pinned is False
    assert await row_of(database) == (4, 0.5, False)


async def test_two_at_once_both_count(database: Database) -> None:
    async with database.session():
        key = (await Post.create()).id

    async def count() -> None:
        for _ in range(50):
            async with database.session() as session:
                post = (await session.exec(select(Post).where(Post.id == key))).one()
                await post.increment("views")

    await asyncio.gather(count(), count())
    assert await row_of(database, "views") == (100,)


async def test_they_save_nothing_else_and_leave_the_timestamps(database: Database) -> None:
    async with database.session():
        post = await Post.create(title="a")
        before = post.updated_at
        post.title = "not saved"
        await post.increment("views")
        assert (post.updated_at, post.title) == (before, "not saved")
        post.title = "a"
    assert await row_of(database, "title") == ("a",)


async def test_touch_sets_the_timestamp(database: Database) -> None:
    async with database.session():
        post = await Post.create()
        before = post.updated_at
        await post.increment("views", touch=True)
        assert post.updated_at > before
        before = post.updated_at
        await post.toggle("pinned", touch=True)
        assert post.updated_at > before


async def test_who_loaded_the_row_before_notices(database: Database) -> None:
    async with database.session():
        mine = await Account.create(balance=1)
    async with database.session() as session:
        theirs = (await session.exec(select(Account))).one()
        await theirs.increment("balance")
        assert theirs.lock_version == 1
        await theirs.update(balance=theirs.balance + 1)
        assert theirs.lock_version == 2
    with pytest.raises(StaleObjectError):
        async with database.session():
            await mine.update(balance=100)


async def test_what_is_not_there_is_named(database: Database) -> None:
    async with database.session() as session:
        post = await Post.create()
        with pytest.raises(UnknownAttributeError, match="'vews'"):
            await post.increment("vews")
        with pytest.raises(RecordNotFound):
            await Post().increment("views")
        await session.exec(text("delete from post"))  # type: ignore[call-overload]
        with pytest.raises(RecordNotFound):
            await post.toggle("pinned")
