"""Rows that a query holds until its transaction ends."""

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lineside.exceptions import LinesideError
from lineside.models import Database, Query
from lineside.models._relation._sync_query import SyncQuery
from tests.models.publishing import Author, Comment, Post, posts, saved, titles
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("query", "clause"),
    [
        (Query(Post).lock(), "FOR UPDATE OF post"),
        (Query(Post).lock(nowait=True), "FOR UPDATE OF post NOWAIT"),
        (Query(Post).lock(skip_locked=True), "FOR UPDATE OF post SKIP LOCKED"),
        (Query(Post).lock(read=True), "FOR SHARE OF post"),
        (Query(Post).left_joins("author").lock(), "FOR UPDATE OF post"),
    ],
)
def test_a_lock_is_of_the_rows_of_the_model(query: Query[Post], clause: str) -> None:
    assert str(query.statement().compile(dialect=postgresql.dialect())).endswith(clause)
    assert "FOR " not in str(query.statement().compile(dialect=sqlite.dialect()))


async def test_what_somebody_holds_is_skipped_or_an_error(database: Database) -> None:
    await posts(database, a=1, b=2)
    if database.url.get_backend_name() == "sqlite":
        pytest.skip("a writing transaction is alone there")
    async with database.session():
        await Query(Post).where(title="a").lock().all()
        async with database.session():
            free = Query(Post).order("title").lock(skip_locked=True)
            assert titles(await free.all()) == ["b"]
            assert await free.limit(1).update_all(views=9) == 1
            with pytest.raises(DBAPIError, match="could not obtain lock"):
                await Query(Post).lock(nowait=True).all()


async def test_a_lock_goes_with_all_else_that_a_query_says(database: Database) -> None:
    await saved(database, Author(id=1, name="Ada"), Post(id=1, title="a", views=1, author_id=1))
    await saved(database, Comment(body="x", post_id=1), Comment(body="y", post_id=1))
    async with database.session():
        query = Query(Post).left_joins("author", "comments").distinct().includes("author").lock()
        assert titles(await query.order("author.name").limit(2).all()) == ["a"]
        assert titles(await Query(Post).eager_load("comments").lock().all()) == ["a"]
        assert (await query.count(), await query.exists(), await query.ids()) == (1, True, [1])
        assert await Query(Post).lock().sum("views") == 1
        assert await Query(Post).lock().pluck("title") == ["a"]
        assert await Query(Post).lock().limit(1).sum("views") == 1
        assert await Query(Post).lock().group("title").count() == {"a": 1}


async def test_values_that_are_no_rows_cannot_be_held(database: Database) -> None:
    async with database.session():
        with pytest.raises(TypeError, match="leave lock"):
            await Query(Post).distinct().lock().pluck("title")


async def test_what_is_loaded_gets_the_values_of_now_and_keeps_its_changes(database: Database) -> None:
    first, second = await saved(database, Post(title="a", views=1), Post(title="b", views=1))
    async with database.session():
        loaded = await Query(Post).order("id").all()
        await Query(Post).unscoped().update_all(views=2)
        await loaded[0].reload()
        loaded[1].title = "changed"
        found = await Query(Post).order("id").lock().all()
        assert found[0] is loaded[0]
        assert [(post.title, post.views) for post in found] == [("a", 2), ("changed", 2)]
    async with database.session():
        assert titles(await Query(Post).order("id").all()) == ["a", "changed"]
    assert (first.id, second.id) == (loaded[0].id, loaded[1].id)


def without_flushing(session: Session, changed: int) -> list[tuple[str, int | None]]:
    """Lock both posts as a callback would; one of them has a change, the other one is out of date."""
    posts = SyncQuery(Post).order("id").all(session=session)
    session.connection().execute(text("UPDATE post SET views = 2"))
    posts[changed].title = "changed"
    with session.no_autoflush:
        found = SyncQuery(Post).where(title="a").lock().all(session=session)
        return [(post.title, post.views) for post in found]


async def test_in_a_callback_a_lock_loses_no_change(database: Database) -> None:
    await saved(database, Post(title="a", views=1), Post(title="b", views=1))
    async with database.session() as session:
        assert await session.run_sync(without_flushing, 1) == [("a", 2)]
        await session.rollback()
        with pytest.raises(LinesideError, match="changes of title that a lock would lose"):
            await session.run_sync(without_flushing, 0)
        await session.rollback()
