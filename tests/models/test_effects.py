"""Effects: what waits for a COMMIT or a ROLLBACK, by transaction and savepoint."""

import gc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession as PlainAsyncSession
from sqlalchemy.orm import Session as PlainSession
from sqlalchemy.orm import registry
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.exceptions import RecordInvalid
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._connection._ambient import current_session
from lineside.models._connection._transactions import transaction
from lineside.models._lifecycle._callbacks import (
    after_commit,
    after_create_commit,
    after_destroy_commit,
    after_rollback,
    after_update_commit,
)
from lineside.models._lifecycle._unit import Unit
from lineside.models._validation._declarations import validates
from tests.models.ways import STYLES, Way, rows

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


@validates("title", length=(1, 30))
class Post(Base, table=True):
    title: str

    @after_create_commit
    def tell_created(self) -> None:
        happened.append(f"created {self.title}")

    @after_update_commit
    def tell_updated(self) -> None:
        happened.append(f"updated {self.title}")

    @after_destroy_commit
    def tell_destroyed(self) -> None:
        happened.append(f"destroyed {self.title}")

    @after_rollback
    def tell_undone(self) -> None:
        happened.append(f"undid {self.title}")

    @after_rollback(on="destroy")
    def tell_back(self) -> None:
        happened.append(f"{self.title} is back")


class Plain(Base, table=True):
    """Has no callbacks."""

    title: str


class Doing(Base, table=True):
    """Does after its commit what a test has put there."""

    title: str

    @after_commit
    async def first(self) -> None:
        happened.append(f"first of {self.title}")
        if "first" in todo:
            await todo.pop("first")(self)

    @after_commit
    async def second(self) -> None:
        happened.append(f"second of {self.title}")
        if "second" in todo:
            await todo.pop("second")(self)


class Child(Base, table=True):
    """Refers to a parent; the database looks at that when it commits."""

    __table_args__ = (
        ForeignKeyConstraint(["parent_id"], ["post.id"], deferrable=True, initially="DEFERRED"),
    )
    parent_id: int
    note: str | None = Field(default=None, unique=True)

    @after_commit
    def tell(self) -> None:
        happened.append("child committed")

    @after_rollback
    def tell_undone(self) -> None:
        happened.append("child undone")


happened: list[str] = []
todo: dict[str, Callable[[Any], Awaitable[Any]]] = {}


@pytest.fixture(autouse=True)
def _forget() -> None:
    happened.clear()
    todo.clear()


@pytest.fixture(params=STYLES)
def way(request: pytest.FixtureRequest, database: Database) -> Way:
    """Give each way of writing in turn."""
    return Way(database, request.param)


async def fail(_record: Any) -> None:
    raise ZeroDivisionError


async def titles(database: Database) -> list[str]:
    """Read what is committed, on another connection."""
    return [title for (title,) in await rows(database, "post", "title")]


class TestCommit:
    async def test_once_and_in_the_order_of_writing(self, way: Way) -> None:
        """A second commit of the same session runs nothing again."""
        async with way.session() as session:
            for title in ("b", "a"):
                session.add(Post(title=title))
                await _settled(session.flush())
            assert happened == []
            await _settled(session.commit())
            assert happened == ["created b", "created a"]
            await _settled(session.commit())
        assert happened == ["created b", "created a"]

    async def test_when_others_can_read_the_rows(self, database: Database) -> None:
        """An effect comes after the COMMIT, not before it."""
        seen: list[list[str]] = []

        async def look(_record: Any) -> None:
            seen.append([title for (title,) in await rows(database, "doing", "title")])

        todo["first"] = look
        await Way(database, "await post.save()").write(Doing(title="a"))
        assert seen == [["a"]]

    async def test_what_happened_to_a_row_counts_as_others_see_it(self, way: Way) -> None:
        """Created and changed is created; created and destroyed is nothing."""
        kept, gone, old, older = (Post(title=title) for title in ("kept", "gone", "old", "older"))
        await way.write(old, older)
        happened.clear()
        async with way.session() as session:
            for post in (kept, gone, old, older):
                session.add(post)
                post.title += "!"
                await _settled(session.flush())
            kept.title += "!"
            await _settled(session.flush())
            for post in (gone, older):
                await _settled(session.delete(post))
                await _settled(session.flush())
        assert happened == ["created kept!!", "updated old!", "destroyed older!"]
        assert await titles(way.database) == ["kept!!", "old!"]

    async def test_two_moments_of_one_method_run_it_once(self, database: Database) -> None:
        """`after_commit` is for every action."""
        doing = Doing(title="a")
        way = Way(database, "await post.save()")
        await way.write(doing)
        await way.destroy(doing)
        assert happened == ["first of a", "second of a"] * 2

    async def test_the_record_knows_what_was_written(self, database: Database) -> None:
        """`saved_changes` are those of the last save."""

        async def look(record: Doing) -> None:
            happened.append(str(record.saved_changes["title"]))

        todo["second"] = look
        await Way(database, "await post.save()").write(Doing(title="a"))
        assert happened[-1] == "(None, 'a')"

    async def test_in_a_begin_block(self, database: Database) -> None:
        """The end of SQLAlchemy's own block is a commit."""
        async with AsyncSession(database.engine) as session:
            async with session.begin():
                session.add(Post(title="a"))
            assert happened == ["created a"]


class TestRollback:
    async def test_by_an_error(self, way: Way) -> None:
        """None of the commit's effects run, those of the rollback do, latest first."""
        with suppress(ZeroDivisionError):
            async with way.session() as session:
                session.add(Post(title="a"))
                await _settled(session.flush())
                session.add(Post(title="b"))
                await _settled(session.flush())
                raise ZeroDivisionError
        assert happened == ["undid b", "undid a"]
        assert await titles(way.database) == []

    async def test_by_hand(self, way: Way) -> None:
        """What comes afterwards is a transaction of its own."""
        async with way.session() as session:
            session.add(Post(title="a"))
            await _settled(session.flush())
            await _settled(session.rollback())
            assert happened == ["undid a"]
            session.add(Post(title="b"))
        assert happened == ["undid a", "created b"]
        assert await titles(way.database) == ["b"]

    async def test_by_closing_without_a_commit(self, database: Database) -> None:
        """The transaction ends with the session."""
        async with AsyncSession(database.engine) as session:
            session.add(Post(title="a"))
            await session.flush()
        with PlainSession(database.sync_engine) as sync_session:
            sync_session.add(Post(title="b"))
            sync_session.flush()
        assert happened == ["undid a", "undid b"]
        assert await titles(database) == []

    async def test_gives_a_destroyed_record_back(self, way: Way) -> None:
        """Its row is there again, and the record knows it."""
        post = Post(title="a")
        await way.write(post)
        happened.clear()
        with suppress(ZeroDivisionError):
            async with way.session() as session:
                session.add(post)
                await _settled(session.delete(post))
                await _settled(session.flush())
                assert post.is_destroyed
                raise ZeroDivisionError
        assert not post.is_destroyed
        assert post.is_persisted
        assert happened == ["undid a", "a is back"]
        post.title = "b"
        await way.write(post)
        assert await titles(way.database) == ["b"]

    async def test_a_created_record_is_new_again(self, way: Way) -> None:
        """It may be saved once more."""
        post = Post(title="a")
        with suppress(ZeroDivisionError):
            async with way.session() as session:
                session.add(post)
                await _settled(session.flush())
                raise ZeroDivisionError
        assert post.is_new_record
        assert post.id is None  # another session may have got the same one by now
        await way.write(post)
        assert await titles(way.database) == ["a"]
        assert happened == ["undid a", "created a"]

    async def test_of_a_record_that_a_savepoint_had_changed(self, database: Database) -> None:
        """It is new again, too; SQLAlchemy has forgotten its values with the savepoint."""
        async with database.session() as session:
            post = await Post.create(title="a")
            await session.begin_nested()
            await post.update(title="b")
            await session.rollback()
            assert post.is_new_record
            assert post.id is None
            await post.update(title="c")
        assert await titles(database) == ["c"]

    async def test_of_a_flush_that_the_database_refuses(self, database: Database) -> None:
        """Nothing of that flush was written; what came before it was, and is undone."""
        async with database.session() as session:
            await Post.create(title="a")
            session.add(Child(parent_id=1, note="one of its kind"))
            session.add(Child(parent_id=1, note="one of its kind"))
            with pytest.raises(IntegrityError):
                await session.flush()
            await session.rollback()
        assert happened == ["undid a"]

    async def test_by_a_commit_that_fails(self, way: Way) -> None:
        """A constraint that the database checks at the COMMIT."""
        with pytest.raises(IntegrityError):
            await way.write(Child(parent_id=999), Post(title="a"))
        assert happened == ["undid a", "child undone"]
        assert await titles(way.database) == []
        assert await rows(way.database, "child", "parent_id") == []


class TestSavepoints:
    async def test_released_they_wait_for_the_transaction(self, database: Database) -> None:
        """In the order of writing, over all levels."""
        async with database.session():
            await Post.create(title="a")
            async with transaction():
                await Post.create(title="b")
                async with transaction():
                    await Post.create(title="c")
                await Post.create(title="d")
            await Post.create(title="e")
            assert happened == []
        assert happened == [f"created {title}" for title in "abcde"]

    async def test_rolled_back_they_are_gone(self, database: Database) -> None:
        """At once the effects of the rollback; at the commit nothing of it."""
        async with database.session():
            await Post.create(title="kept")
            with suppress(ZeroDivisionError):
                async with transaction():
                    await Post.create(title="gone")
                    raise ZeroDivisionError
            assert happened == ["undid gone"]
        assert happened == ["undid gone", "created kept"]
        assert await titles(database) == ["kept"]

    async def test_released_inside_of_one_that_is_rolled_back(self, database: Database) -> None:
        """The outer one takes the inner one along."""
        async with database.session():
            with suppress(ZeroDivisionError):
                async with transaction():
                    await Post.create(title="outer")
                    async with transaction():
                        await Post.create(title="inner")
                    assert happened == []
                    raise ZeroDivisionError
        assert happened == ["undid inner", "undid outer"]
        assert await titles(database) == []

    async def test_rolled_back_inside_of_one_that_is_released(self, database: Database) -> None:
        """Only the inner one is gone."""
        async with database.session(), transaction():
            await Post.create(title="outer")
            with suppress(ZeroDivisionError):
                async with transaction():
                    await Post.create(title="inner")
                    raise ZeroDivisionError
        assert happened == ["undid inner", "created outer"]
        assert await titles(database) == ["outer"]

    async def test_a_record_of_both_levels(self, database: Database) -> None:
        """What the savepoint did to it is undone, what was done before it stays."""
        async with database.session():
            post = await Post.create(title="a")
            with suppress(ZeroDivisionError):
                async with transaction():
                    await post.destroy()
                    raise ZeroDivisionError
            assert post.is_persisted
        assert happened == ["undid a", "a is back", "created a"]
        assert await titles(database) == ["a"]

    async def test_an_update_in_a_savepoint_of_a_row_of_the_transaction(self, database: Database) -> None:
        """Created is created, once."""
        async with database.session():
            post = await Post.create(title="a")
            async with transaction():
                await post.update(title="b")
        assert happened == ["created b"]

    async def test_of_a_sync_session(self, database: Database) -> None:
        """The same without `await`."""
        with database.sync_session():
            Post.sync.create(title="kept")
            with transaction():
                Post.sync.create(title="released")
            with suppress(ZeroDivisionError), transaction():
                Post.sync.create(title="gone")
                raise ZeroDivisionError
        assert happened == ["undid gone", "created kept", "created released"]
        assert await titles(database) == ["kept", "released"]

    async def test_of_sqlalchemy_itself(self, database: Database) -> None:
        """`begin_nested` is a savepoint like ours."""
        async with AsyncSession(database.engine) as session:
            nested = await session.begin_nested()
            session.add(Post(title="gone"))
            await session.flush()
            await nested.rollback()
            async with session.begin_nested():
                session.add(Post(title="kept"))
            await session.commit()
        assert happened == ["undid gone", "created kept"]

    async def test_left_open_at_the_commit(self, database: Database) -> None:
        """`session.commit()` releases what is open inside."""
        async with AsyncSession(database.engine) as session:
            session.add(Post(title="outer"))
            await session.begin_nested()
            session.add(Post(title="inner"))
            await session.commit()
        assert happened == ["created outer", "created inner"]
        assert await titles(database) == ["inner", "outer"]


class TestFailingEffects:
    async def test_one_does_not_stop_the_others(self, database: Database) -> None:
        """Each stands for itself: the transaction is over. The error is raised when all have run."""
        todo["first"] = fail
        with pytest.raises(ZeroDivisionError):
            await Way(database, "await post.save()").write(Doing(title="a"), Doing(title="b"))
        assert happened == ["first of a", "second of a", "first of b", "second of b"]
        assert await rows(database, "doing", "title") == [("a",), ("b",)]

    async def test_several_come_as_a_group(self, database: Database) -> None:
        """None of the errors is lost."""
        todo["first"] = todo["second"] = fail
        with pytest.raises(ExceptionGroup, match="effects after the transaction") as caught:
            await Way(database, "await post.save()").write(Doing(title="a"))
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError] * 2

    async def test_what_another_effect_wrote_is_kept(self, database: Database) -> None:
        """It is no part of the one that failed."""

        async def write(_record: Any) -> None:
            await Post.create(title="written by an effect")

        todo["first"], todo["second"] = write, fail
        with pytest.raises(ZeroDivisionError):
            await Way(database, "await post.save()").write(Doing(title="a"))
        assert await titles(database) == ["written by an effect"]
        assert "created written by an effect" in happened

    async def test_what_it_wrote_itself_is_not(self, database: Database) -> None:
        """An effect that raises takes its own writing back."""

        async def write_and_fail(_record: Any) -> None:
            await Post.create(title="half")
            raise ZeroDivisionError

        async def write(_record: Any) -> None:
            await Post.create(title="whole")

        todo["first"], todo["second"] = write_and_fail, write
        with pytest.raises(ZeroDivisionError):
            await Way(database, "await post.save()").write(Doing(title="a"))
        assert await titles(database) == ["whole"]

    async def test_the_session_goes_on(self, database: Database) -> None:
        """Whoever catches the error has a session that works."""
        async with database.session() as session:
            todo["first"] = fail
            await Doing(title="a").save()
            with pytest.raises(ZeroDivisionError):
                await session.commit()
            await Post.create(title="later")
        assert await titles(database) == ["later"]


class TestEffectsThatWrite:
    async def test_is_a_transaction_of_its_own(self, database: Database) -> None:
        """Committed when they have run, with effects of its own."""

        async def write(_record: Any) -> None:
            await Post.create(title="written by an effect")

        todo["first"] = write
        await Way(database, "await post.save()").write(Doing(title="a"))
        assert await titles(database) == ["written by an effect"]
        assert happened == ["first of a", "created written by an effect", "second of a"]

    async def test_what_breaks_its_validations_is_an_error(self, database: Database) -> None:
        """The row that was committed stays."""

        async def write(_record: Any) -> None:
            await Post.create(title="")

        todo["first"] = write
        with pytest.raises(RecordInvalid):
            await Way(database, "await post.save()").write(Doing(title="a"))
        assert await rows(database, "doing", "title") == [("a",)]

    async def test_saving_the_same_record(self, database: Database) -> None:
        """Its own effects run for that save, too."""

        async def update(record: Doing) -> None:
            await record.update(title="b")

        todo["first"] = update
        await Way(database, "await post.save()").write(Doing(title="a"))
        assert await rows(database, "doing", "title") == [("b",)]
        assert happened == ["first of a", "first of b", "second of b", "second of b"]


class TestOtherSessions:
    @pytest.mark.parametrize("expire_on_commit", [True, False])
    async def test_a_plain_async_session(self, database: Database, expire_on_commit: bool) -> None:
        """Of SQLAlchemy's own class, also where a commit expires what is loaded."""
        async with PlainAsyncSession(database.engine, expire_on_commit=expire_on_commit) as session:
            post, doing = Post(title="a"), Doing(title="b")
            session.add_all([post, doing])
            await session.commit()
            assert happened == ["created a", "first of b", "second of b"]
            await session.delete(post)
            await session.delete(doing)
            await session.commit()
        assert happened[3:] == ["destroyed a", "first of b", "second of b"]
        assert await titles(database) == []

    @pytest.mark.parametrize("expire_on_commit", [True, False])
    async def test_a_plain_sync_session(self, database: Database, expire_on_commit: bool) -> None:
        """The same without `await`."""
        with PlainSession(database.sync_engine, expire_on_commit=expire_on_commit) as session:
            post = Post(title="a")
            session.add(post)
            session.commit()
            post.title = "b"
            session.commit()
            session.delete(post)
            session.commit()
        assert happened == ["created a", "updated b", "destroyed b"]

    async def test_a_session_that_joins_a_transaction(self, database: Database) -> None:
        """Its commit is a savepoint's release, as in tests; it counts as its commit."""
        async with database.engine.connect() as connection:
            outer = await connection.begin()
            async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
                session.add(Post(title="a"))
                await session.commit()
                assert happened == ["created a"]
            await outer.rollback()
        assert await titles(database) == []

    async def test_the_ambient_session_of_an_effect(self, database: Database) -> None:
        """Is the one that was committed."""
        found: list[object] = []

        async def look(_record: Any) -> None:
            found.append(current_session())

        todo["first"] = look
        async with AsyncSession(database.engine, expire_on_commit=False) as session:
            session.add(Doing(title="a"))
            await session.commit()
            assert found == [session]


class TestFunctions:
    async def test_of_a_transaction(self, database: Database) -> None:
        """Any function may wait for a commit or a rollback, without a record."""
        async with database.session() as session:
            effects = Unit.of(session.sync_session).effects
            effects.after_commit(session.sync_session, lambda: happened.append("committed"))
            with suppress(ZeroDivisionError):
                async with transaction():
                    effects.after_commit(session.sync_session, lambda: happened.append("never"))
                    effects.after_rollback(session.sync_session, lambda: happened.append("undone"))
                    raise ZeroDivisionError
            session.add(Post(title="a"))
            assert happened == ["undone"]
        assert happened == ["undone", "created a", "committed"]


async def _settled(result: Any) -> Any:
    return await result if hasattr(result, "__await__") else result


async def test_a_long_transaction_does_not_hold_what_it_has_written(database: Database) -> None:
    """Only records whose callbacks wait for its end are kept: an import of a million others is cheap."""
    async with database.session():
        plain = [weakref.ref(await Plain.create(title=f"{number}")) for number in range(20)]
        waiting = [weakref.ref(await Post.create(title=f"{number}")) for number in range(20)]
        gc.collect()
        assert [ref for ref in plain if ref() is not None] == []
        assert [ref for ref in waiting if ref() is None] == []
