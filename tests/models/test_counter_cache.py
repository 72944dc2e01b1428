"""Owners that count their records, and change when those do: exact, whatever happens at the same time."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import delete, event, text
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.exceptions import ConfigurationError, RecordNotFound
from lineside.models import Database
from lineside.models._association._counter_cache import reset_counters
from lineside.models._association._declared import belongs_to, has_many
from lineside.models._base._model import Model
from lineside.models._connection._transactions import transaction
from lineside.models._exceptions import UnknownAttributeError
from tests.models.ways import STYLES, Way, rows

pytestmark = pytest.mark.anyio


seen: list[int] = []


class Base(Model, registry=registry()):
    pass


@has_many("comments", dependent="destroy")
class Post(Base, table=True):
    title: str = ""
    comments_count: int = 0
    comments: list["Comment"] = Relationship(back_populates="post")
    notes: list["Note"] = Relationship(back_populates="post")


class User(Base, table=True):
    name: str = ""
    comments_count: int | None = None


@belongs_to("post", counter_cache="comments_count")
@belongs_to("user", counter_cache="comments_count")
class Comment(Base, table=True):
    body: str = ""
    post_id: int | None = Field(default=None, foreign_key="post.id")
    user_id: int | None = Field(default=None, foreign_key="user.id")
    post: Post | None = Relationship(back_populates="comments")
    user: User | None = Relationship()

    def after_create(self) -> None:
        if self.post is not None:
            seen.append(self.post.comments_count)


@belongs_to("post", touch=True)
class Note(Base, table=True):
    body: str = ""
    post_id: int | None = Field(default=None, foreign_key="post.id")
    post: Post | None = Relationship(back_populates="notes")


@pytest.fixture(params=STYLES)
def way(request: pytest.FixtureRequest, database: Database) -> Way:
    return Way(database, request.param)


async def posts(database: Database, *titles: str) -> list[Post]:
    async with database.session() as session:
        found = [Post(title=title) for title in titles]
        session.add_all(found)
    return found


async def counts(database: Database, table: str = "post") -> list[int]:
    return [row[1] for row in await rows(database, table, "id", "comments_count")]


class TestCounting:
    """One more, one less, or both."""

    async def test_of_created_and_destroyed_records(self, way: Way, database: Database) -> None:
        (post,) = await posts(database, "post")
        comments = [Comment(post_id=post.id) for _ in range(3)]
        await way.write(*comments)
        assert await counts(database) == [3]
        await way.destroy(comments[0])
        assert await counts(database) == [2]

    async def test_of_a_record_that_moves(self, way: Way, database: Database) -> None:
        here, there = await posts(database, "here", "there")
        comment = Comment(post_id=here.id)
        await way.write(comment)
        comment.post_id = there.id
        await way.write(comment)
        assert await counts(database) == [0, 1]
        comment.post_id = None
        await way.write(comment)
        assert await counts(database) == [0, 0]

    async def test_of_records_given_as_objects(self, way: Way, database: Database) -> None:
        here, there = Post(title="here"), Post(title="there")
        comment = Comment(post=here)
        await way.write(here, there, comment)
        assert await counts(database) == [1, 0]
        comment.post = there
        await way.write(comment)
        assert await counts(database) == [0, 1]

    async def test_by_several_owners_from_a_column_that_was_empty(self, database: Database) -> None:
        (post,) = await posts(database, "post")
        async with database.session() as session:
            user = User(comments_count=None)
            session.add(user)
            await session.flush()
            session.add(Comment(post_id=post.id, user_id=user.id))
        assert await counts(database) == [1]
        assert await counts(database, '"user"') == [1]

    async def test_of_records_that_go_with_their_owner(self, way: Way, database: Database) -> None:
        (post,) = await posts(database, "post")
        user = User()
        await way.write(user)
        await way.write(*(Comment(post_id=post.id, user_id=user.id) for _ in range(3)))
        await way.destroy(post)
        assert await rows(database, "comment", "id") == []
        assert await counts(database, '"user"') == [0]

    async def test_not_of_a_change_that_stays_with_the_owner(self, way: Way, database: Database) -> None:
        (post,) = await posts(database, "post")
        comment = Comment(post_id=post.id)
        await way.write(comment)
        comment.body = "changed"
        await way.write(comment)
        assert await counts(database) == [1]

    async def test_of_many_records_is_one_statement(self, database: Database) -> None:
        (post,) = await posts(database, "post")
        statements: list[str] = []

        def note(_c: object, _u: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        async with database.session() as session:
            session.add_all(Comment(post_id=post.id) for _ in range(20))
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        assert sum(statement.startswith("UPDATE") for statement in statements) == 1
        assert await counts(database) == [20]


class TestExactness:
    """The number is that of the rows, always."""

    async def test_with_many_sessions_at_once(self, database: Database) -> None:
        (post,) = await posts(database, "post")

        async def write(number: int) -> None:
            async with database.session() as session:
                comments = [Comment(post_id=post.id) for _ in range(3)]
                session.add_all(comments)
                await session.flush()
                if number % 2:
                    await session.delete(comments[0])

        await asyncio.gather(*(write(number) for number in range(10)))
        [(rows_there,)] = await rows(database, "comment", "count(*)")
        assert await counts(database) == [rows_there] == [25]

    async def test_when_two_sessions_destroy_the_same_record(self, database: Database) -> None:
        (post,) = await posts(database, "post")
        comment = Comment(post_id=post.id)
        async with database.session() as session:
            session.add_all([comment, Comment(post_id=post.id)])

        async with database.engine.begin() as other:
            # As another session's destroy would: the row, and the number.
            await other.execute(text(f"DELETE FROM comment WHERE id = {comment.id}"))
            await other.execute(text("UPDATE post SET comments_count = comments_count - 1"))
        async with database.session() as session:
            with pytest.warns(SAWarning, match="0 were matched"):
                await comment.destroy(session=session)
        assert await counts(database) == [1]

    @pytest.mark.filterwarnings("ignore:DELETE statement on table")
    async def test_when_pairs_of_sessions_destroy_the_same_records_at_once(self, database: Database) -> None:
        (post,) = await posts(database, "post")
        async with database.session() as session:
            session.add_all(Comment(post_id=post.id) for _ in range(7))

        async def loaded() -> list[Comment]:
            async with database.session():
                return await Comment.query().order("id").limit(6).all()

        async def destroy(comment: Comment) -> None:
            async with database.session() as session:
                await comment.destroy(session=session)

        mine, others = await loaded(), await loaded()
        pairs = [comment for pair in zip(mine, others, strict=True) for comment in pair]
        await asyncio.gather(*(destroy(comment) for comment in pairs))
        assert await counts(database) == [1]

    async def test_when_another_session_has_moved_the_record(self, database: Database) -> None:
        here, there, elsewhere = await posts(database, "here", "there", "elsewhere")
        comment = Comment(post_id=here.id)
        async with database.session() as session:
            session.add(comment)
        async with database.session() as session:
            # The state in memory says "here", and is no more true.
            stale = await session.merge(comment, load=False)
            await session.commit()
            async with database.session() as other:
                moved = await other.get(Comment, comment.id)
                moved.post_id = there.id
            stale.post_id = elsewhere.id
        assert await counts(database) == [0, 0, 1]

    async def test_after_a_rollback(self, database: Database) -> None:
        (post,) = await posts(database, "post")
        with suppress(RuntimeError):
            async with database.session() as session:
                session.add(Comment(post_id=post.id))
                await session.flush()
                raise RuntimeError
        assert await counts(database) == [0]

    async def test_after_a_savepoint_is_rolled_back(self, database: Database) -> None:
        (post,) = await posts(database, "post")
        async with database.session() as session:
            owner = await session.get(Post, post.id)
            session.add(Comment(post_id=post.id))
            await session.flush()
            with suppress(RuntimeError):
                async with transaction():
                    session.add_all([Comment(post_id=post.id), Comment(post_id=post.id)])
                    await session.flush()
                    assert owner.comments_count == 3
                    raise RuntimeError
            assert owner.comments_count == 1
        assert await counts(database) == [1]


class TestInMemory:
    """An owner that is loaded in the same session follows, and is not changed by that."""

    async def test_the_number_follows(self, database: Database) -> None:
        (post,) = await posts(database, "post")
        async with database.session() as session:
            owner = await session.get(Post, post.id)
            comment = Comment(post_id=post.id)
            await comment.save()
            assert owner.comments_count == 1
            assert not owner.has_changes_to_save
            await comment.destroy()
            assert owner.comments_count == 0

    async def test_callbacks_find_it_counted(self, database: Database) -> None:
        seen.clear()
        (post,) = await posts(database, "post")
        async with database.session() as session:
            owner = await session.get(Post, post.id)
            await Comment(post=owner).save()
        assert seen == [1]


class TestTouch:
    """The owner's ``updated_at`` follows its records."""

    @pytest.fixture
    async def post(self, database: Database) -> Post:
        (post,) = await posts(database, "post")
        return post

    async def changed_at(self, database: Database) -> Any:
        return (await rows(database, "post", "updated_at"))[0][0]

    async def test_by_create_change_and_destroy(self, way: Way, database: Database, post: Post) -> None:
        moments = [await self.changed_at(database)]
        note = Note(post_id=post.id)
        await way.write(note)
        moments.append(await self.changed_at(database))
        note.body = "changed"
        await way.write(note)
        moments.append(await self.changed_at(database))
        await way.destroy(note)
        moments.append(await self.changed_at(database))
        assert sorted(set(moments)) == moments

    async def test_not_by_a_save_without_changes(self, database: Database, post: Post) -> None:
        note = Note(post_id=post.id)
        async with database.session() as session:
            await note.save()
            await session.commit()
            before = await self.changed_at(database)
            await note.save()
        assert await self.changed_at(database) == before


class TestResetCounters:
    """Counting anew, after bulk statements."""

    async def test_counts_the_rows(self, database: Database) -> None:
        first, second = await posts(database, "first", "second")
        async with database.session() as session:
            session.add_all([*(Comment(post_id=first.id) for _ in range(3)), Comment(post_id=second.id)])
            await session.flush()
            await session.exec(delete(Comment).where(Comment.id == 1))
            owner = await session.get(Post, first.id)
            await session.run_sync(lambda s: reset_counters(s, Post, first.id, "comments"))
            assert owner.comments_count == 2
        assert await counts(database) == [2, 1]

    async def test_of_no_row(self, database: Database) -> None:
        async with database.session() as session:
            with pytest.raises(RecordNotFound):
                await session.run_sync(lambda s: reset_counters(s, Post, 404, "comments"))

    async def test_of_what_is_not_counted(self, database: Database) -> None:
        async with database.session() as session:
            with pytest.raises(ConfigurationError, match=r"Post.notes has no counter cache.*on Note"):
                await session.run_sync(lambda s: reset_counters(s, Post, 1, "notes"))
            with pytest.raises(UnknownAttributeError, match="it has comments, notes"):
                await session.run_sync(lambda s: reset_counters(s, Post, 1, "comment"))
