"""`SoftDelete`: destroyed rows stay, and are hidden."""

from datetime import UTC, datetime
from typing import ClassVar

import pytest
from sqlalchemy import Index, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, Session, create_engine, select

from lineside.exceptions import RecordNotFound
from lineside.models import Database
from lineside.models._association._declared import belongs_to
from lineside.models._base._model import Model
from lineside.models._base._soft_delete import SoftDelete
from lineside.models._connection._ambient import use_session
from lineside.models._exceptions import StaleObjectError
from lineside.models._lifecycle._callbacks import after_commit, after_destroy, before_destroy
from lineside.models._relation._query import Query
from lineside.models._relation._scopes import default_scope

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Blog(Base, table=True):
    name: str = ""
    posts: list["Post"] = Relationship(back_populates="blog")


class Post(SoftDelete, Base, table=True):
    __table_args__ = (
        Index(
            "live_slugs",
            "slug",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    log: ClassVar[list[str]] = []

    title: str = ""
    slug: str | None = None
    blog_id: int | None = Field(default=None, foreign_key="blog.id")
    lock_version: int = 0
    comments_count: int = 0
    blog: Blog | None = Relationship(back_populates="posts")
    comments: list["Comment"] = Relationship(
        back_populates="post", sa_relationship_kwargs={"cascade": "all, delete-orphan"}
    )

    @before_destroy
    def refuse(self) -> None:
        if self.title == "stays":
            raise ZeroDivisionError

    @after_destroy
    def note(self) -> None:
        self.log.append("after_destroy")

    @after_commit(on="destroy")
    def tell(self) -> None:
        self.log.append("after_commit")


@belongs_to("post", counter_cache="comments_count")
class Comment(SoftDelete, Base, table=True):
    body: str = ""
    is_spam: bool = False
    post_id: int | None = Field(default=None, foreign_key="post.id")
    post: Post | None = Relationship(back_populates="comments")

    @default_scope
    def honest(query: Query["Comment"]) -> Query["Comment"]:
        return query.where(is_spam=False)


@pytest.fixture(autouse=True)
def forget() -> None:
    Post.log.clear()


async def deleted_at(database: Database, key: int, table: str = "post") -> object:
    async with database.engine.connect() as connection:
        statement = text(f"select deleted_at from {table} where id = :id")
        return (await connection.execute(statement, {"id": key})).scalar_one()


async def count(database: Database, table: str = "post") -> int:
    async with database.engine.connect() as connection:
        number: int = (await connection.execute(text(f"select count(*) from {table}"))).scalar_one()
        return number


async def make(database: Database, **values: object) -> Post:
    async with database.session():
        return await Post.create(**values)


async def test_destroy_keeps_the_row_with_the_moment(database: Database) -> None:
    before = datetime.now(UTC)
    post = await make(database, title="a")
    async with database.session():
        assert await post.destroy() is post
        assert post.is_destroyed
        assert post.is_deleted
        assert post.deleted_at is not None
        assert before <= post.deleted_at <= post.updated_at
    assert await deleted_at(database, post.id) is not None
    assert post.log == ["after_destroy", "after_commit"]


async def test_a_plain_delete_and_commit_do_the_same(database: Database) -> None:
    post = await make(database, title="a")
    async with database.session() as session:
        await session.delete(await session.get_one(Post, post.id))
    assert await deleted_at(database, post.id) is not None
    assert post.log == ["after_destroy", "after_commit"]


async def test_no_query_of_the_class_finds_it(database: Database) -> None:
    post = await make(database, title="a")
    async with database.session():
        await (await Post.find(post.id)).destroy()
    for session in (database.session(), database.session()):
        async with session:
            with pytest.raises(RecordNotFound):
                await Post.find(post.id)
            assert await Post.find_by(title="a") is None
            assert await Post.first() is None
            assert await Post.all() == []
            assert await Post.count() == 0
            assert not await Post.exists()
            assert await Post.where(title="a").pluck("id") == []
            assert await Post.where(title="a").update_all(title="b") == 0
            assert await Post.where(title="a").delete_all() == 0


async def test_the_deleted_can_be_asked_for(database: Database) -> None:
    gone, kept = await make(database, title="a"), await make(database, title="b")
    async with database.session():
        await gone.destroy()
    async with database.session():
        assert await Post.with_deleted().order("id").ids() == [gone.id, kept.id]
        assert await Post.only_deleted().ids() == [gone.id]
        assert await Post.where(title="a").merge(Post.with_deleted()).ids() == [gone.id]
        assert (await Post.with_deleted().find(gone.id)).is_deleted
        assert await Post.only_deleted().where(title="b").count() == 0
        assert await Post.unscoped().count() == 2


async def test_other_default_scopes_stay(database: Database) -> None:
    async with database.session():
        honest = await Comment.create(body="a")
        await Comment.create(body="b", is_spam=True)
        await honest.destroy()
        assert await Comment.with_deleted().ids() == [honest.id]
        assert await Comment.only_deleted().ids() == [honest.id]
        assert await Comment.all() == []


async def test_associations_load_without_it(database: Database) -> None:
    async with database.session():
        blog = await Blog.create()
        await Post.create(title="gone", blog_id=blog.id)
        await Post.create(title="kept", blog_id=blog.id)
        await (await Post.find_or_raise(title="gone")).destroy()
    async with database.session():
        blog = await Blog.includes("posts").find(blog.id)
        assert [post.title for post in blog.posts] == ["kept"]
    async with database.session() as session:
        titles = await session.run_sync(
            lambda found: [post.title for post in found.get_one(Blog, blog.id).posts]
        )
        assert titles == ["kept"]


async def test_a_cascade_deletes_softly_what_can_be(database: Database) -> None:
    async with database.session():
        post = await Post.create(title="a")
        comment = await Comment.create(post_id=post.id)
    async with database.session():
        await (await Post.find(post.id)).destroy()
    assert await deleted_at(database, comment.id, "comment") is not None


async def test_restore_shows_it_again(database: Database) -> None:
    post = await make(database, title="a")
    async with database.session():
        await post.destroy()
    async with database.session():
        found = await Post.only_deleted().find(post.id)
        assert not found.is_destroyed
        await found.restore()
        assert await Post.find(post.id) is found
    assert await deleted_at(database, post.id) is None


async def test_a_record_can_be_restored_by_the_object_that_destroyed_it(database: Database) -> None:
    post = await make(database, title="a")
    async with database.session():
        await post.destroy()
        with pytest.raises(RecordNotFound):
            await post.update(title="b")
    async with database.session():
        await post.restore()
        assert not post.is_destroyed
        await post.update(title="c")
    async with database.session():
        assert (await Post.find(post.id)).title == "c"


async def test_a_destruction_that_is_taken_back_has_no_effects(database: Database) -> None:
    post = await make(database, title="a")
    async with database.session():
        await post.destroy()
        await post.restore()
    assert post.log == ["after_destroy"]


async def test_really_destroy_deletes_the_row(database: Database) -> None:
    first, second = await make(database), await make(database)
    async with database.session():
        await first.really_destroy()
        assert first.is_destroyed
        await second.destroy()
        await second.really_destroy()
    assert await count(database) == 0


async def test_a_counter_counts_what_is_there(database: Database) -> None:
    async def counted() -> int:
        async with database.session():
            return (await Post.find(post.id)).comments_count

    post = await make(database)
    async with database.session():
        comment = await Comment.create(post_id=post.id)
        await Comment.create(post_id=post.id)
        await comment.destroy()
    assert await counted() == 1
    async with database.session():
        await comment.restore()
        await comment.restore()
    assert await counted() == 2
    async with database.session():
        await comment.destroy()
        await comment.really_destroy()
    assert await counted() == 1
    assert await count(database, "comment") == 1


async def test_a_callback_that_refuses_keeps_it(database: Database) -> None:
    post = await make(database, title="stays")
    async with database.session():
        for method in (post.destroy, post.really_destroy):
            with pytest.raises(ZeroDivisionError):
                await method()
        assert not post.is_destroyed
    async with database.session():
        post.title = "goes"
        await post.save()
        await post.destroy()
    assert await deleted_at(database, post.id) is not None


async def test_a_rollback_brings_it_back(database: Database) -> None:
    post = await make(database, title="a")
    async with database.session() as session:
        mine = await Post.find(post.id)
        async with session.begin_nested() as savepoint:
            await mine.destroy()
            await savepoint.rollback()
        assert not mine.is_destroyed
        await mine.reload()
        assert not mine.is_deleted
    assert await deleted_at(database, post.id) is None
    assert post.log == ["after_destroy"]


async def test_a_stale_destruction_is_refused(database: Database) -> None:
    post = await make(database, title="a")
    key = post.id
    async with database.session():
        await (await Post.find(key)).update(title="b")
    with pytest.raises(StaleObjectError):
        async with database.session():
            await post.destroy()
    assert await deleted_at(database, key) is None


async def test_a_partial_index_frees_a_unique_value(database: Database) -> None:
    first = await make(database, slug="a")
    key = first.id
    async with database.session():
        await first.destroy()
        second = await Post.create(slug="a")
    async with database.session() as session:
        with pytest.raises(IntegrityError):
            await first.restore()
        await session.rollback()
    assert await deleted_at(database, key) is not None
    assert await deleted_at(database, second.id) is None


async def test_destroying_twice_keeps_the_first_moment(database: Database) -> None:
    post = await make(database)
    async with database.session():
        await post.destroy()
        moment = post.deleted_at
    async with database.session():
        again = await Post.with_deleted().find(post.id)
        await again.destroy()
        assert again.deleted_at == moment


def test_a_sync_session_does_the_same() -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session, use_session(session):
        post = Post.sync.create(title="a")
        post.sync.destroy()
        assert Post.sync.count() == 0
        assert session.exec(select(Post)).one().is_deleted
    engine.dispose()
