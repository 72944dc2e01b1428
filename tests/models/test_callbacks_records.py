"""Callbacks that work on records: others, their own, and queries; before and after the row is written."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.exceptions import RecordInvalid
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._connection._ambient import AnySession, current_session
from lineside.models._connection._transactions import transaction
from lineside.models._lifecycle._callbacks import after_commit
from lineside.models._validation._declarations import validates
from tests.models.ways import STYLES, Style, Way, rows

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


@validates("text", length=(1, 30))
class Note(Base, table=True):
    text: str

    @after_commit
    def tell(self) -> None:
        happened.append(f"{self.text} committed")


@validates("title", length=(1, 30))
class Post(Base, table=True):
    """Does at each moment what a test has put there."""

    title: str
    note_id: int | None = Field(default=None, foreign_key="note.id")

    async def _do(self, moment: str) -> None:
        happened.append(f"{self.title} {moment}")
        if moment in todo:
            await todo.pop(moment)(self)

    async def before_validation(self) -> None:
        await self._do("before_validation")

    async def before_save(self) -> None:
        await self._do("before_save")

    async def before_create(self) -> None:
        await self._do("before_create")

    async def after_create(self) -> None:
        await self._do("after_create")

    async def after_save(self) -> None:
        await self._do("after_save")

    async def before_destroy(self) -> None:
        await self._do("before_destroy")

    async def after_destroy(self) -> None:
        await self._do("after_destroy")


class Album(Base, table=True):
    songs: list["Song"] = Relationship(
        back_populates="album", sa_relationship_kwargs={"cascade": "all, delete-orphan"}
    )


class Song(Base, table=True):
    """Lives with its album."""

    title: str
    album_id: int = Field(foreign_key="album.id")
    album: Album = Relationship(back_populates="songs")

    def before_update(self) -> None:
        happened.append(f"{self.title} before_update")

    def before_destroy(self) -> None:
        happened.append(f"{self.title} before_destroy")

    @after_commit(on="destroy")
    def tell(self) -> None:
        happened.append(f"{self.title} destroyed")


class Logged(Base, table=True):
    """Works without `await`, and so in every session."""

    title: str

    def before_save(self) -> None:
        Note.sync.create(text=f"saving {self.title}")

    def after_save(self) -> None:
        note = Note.sync.find_by(text=f"saving {self.title}")
        assert note is not None
        note.sync.update(text=f"saved {self.title}")


happened: list[str] = []
todo: dict[str, Callable[[Post], Awaitable[Any]]] = {}

BEFORE = ["before_validation", "before_save", "before_create"]
AFTER = ["after_create", "after_save"]
EACH = [*BEFORE, *AFTER]


@pytest.fixture(autouse=True)
def _forget() -> None:
    happened.clear()
    todo.clear()


@pytest.fixture(params=STYLES[:2])
def way(request: pytest.FixtureRequest, database: Database) -> Way:
    """Give each way of an async session."""
    return Way(database, request.param)


class TestOtherRecords:
    @pytest.mark.parametrize("moment", EACH)
    async def test_creating_one(self, way: Way, moment: str) -> None:
        """It is of the same transaction, and its own callbacks run once."""

        async def create(post: Post) -> None:
            await Note.create(text="new")

        todo[moment] = create
        await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == [("a",)]
        assert await rows(way.database, "note", "text") == [("new",)]
        assert happened == [*(f"a {moment}" for moment in EACH), "new committed"]

    @pytest.mark.parametrize("moment", AFTER)
    async def test_one_that_refers_to_the_row_just_written(self, way: Way, moment: str) -> None:
        """After the row is written it has its key."""

        async def create(post: Post) -> None:
            await Note.create(text=f"about {post.id}")

        todo[moment] = create
        post = Post(title="a")
        await way.write(post)
        assert await rows(way.database, "note", "text") == [(f"about {post.id}",)]

    async def test_one_that_the_row_refers_to(self, database: Database) -> None:
        """What `save` creates before its own row has its key at once, as in Rails."""

        async def create(post: Post) -> None:
            post.note_id = (await Note.create(text="new")).id

        todo["before_save"] = create
        async with database.session():
            post = await Post(title="a").save()
            assert post.note_id is not None
        assert await rows(database, "post", "note_id") == await rows(database, "note", "id")

    @pytest.mark.parametrize("moment", EACH)
    async def test_adding_one_to_the_session(self, way: Way, moment: str) -> None:
        """`session.add` in a callback is enough: it is written before the commit."""

        async def add(post: Post) -> None:
            current_session().add(Note(text="new"))

        todo[moment] = add
        await way.write(Post(title="a"))
        assert await rows(way.database, "note", "text") == [("new",)]

    @pytest.mark.parametrize("moment", EACH)
    async def test_changing_and_destroying_one(self, way: Way, moment: str) -> None:
        """Both are written with the row."""
        changed, destroyed = Note(text="old"), Note(text="gone")
        await way.write(changed, destroyed)
        happened.clear()

        async def work(post: Post) -> None:
            await changed.update(text="changed")
            await destroyed.destroy()

        todo[moment] = work
        await way.write(Post(title="a"))
        assert await rows(way.database, "note", "text") == [("changed",)]
        assert happened[-2:] == ["changed committed", "gone committed"]

    async def test_a_chain(self, way: Way) -> None:
        """Each post creates the next; all callbacks of each run once."""

        async def create_next(post: Post) -> None:
            if len(post.title) < 5:
                todo["after_create"] = create_next
                await Post.create(title=f"{post.title}a")

        todo["after_create"] = create_next
        await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == [("a" * n,) for n in range(1, 6)]
        assert sorted(happened) == sorted(f"{'a' * n} {moment}" for n in range(1, 6) for moment in EACH)

    @pytest.mark.parametrize("moment", ["before_destroy", "after_destroy"])
    async def test_around_a_destroyed_row(self, way: Way, moment: str) -> None:
        """A tombstone is written with the deletion."""
        post = Post(title="a")
        await way.write(post)

        async def create(post: Post) -> None:
            await Note.create(text=f"{post.title} is gone")

        todo[moment] = create
        await way.destroy(post)
        assert await rows(way.database, "post", "title") == []
        assert await rows(way.database, "note", "text") == [("a is gone",)]

    @pytest.mark.parametrize("moment", EACH)
    async def test_one_that_is_refused_refuses_this_one(self, way: Way, moment: str) -> None:
        """The error is the caller's, and names the record that it is about."""

        async def create(post: Post) -> None:
            await Note.create(text="")

        todo[moment] = create
        with pytest.raises(RecordInvalid, match="Note is invalid"):
            await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == []
        assert await rows(way.database, "note", "text") == []

    @pytest.mark.parametrize("moment", EACH)
    async def test_one_that_is_refused_and_caught(self, way: Way, moment: str) -> None:
        """The callback may go on without it."""

        async def create(post: Post) -> None:
            with pytest.raises(RecordInvalid):
                await Note.create(text="")

        todo[moment] = create
        await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == [("a",)]
        assert await rows(way.database, "note", "text") == []

    @pytest.mark.parametrize("moment", AFTER)
    async def test_in_a_savepoint_that_is_rolled_back(self, way: Way, moment: str) -> None:
        """Only what was in it is undone, with its effects."""

        async def work(post: Post) -> None:
            with suppress(ZeroDivisionError):
                async with transaction():
                    await Note.create(text="undone")
                    raise ZeroDivisionError
            async with transaction():
                await Note.create(text="kept")

        todo[moment] = work
        await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == [("a",)]
        assert await rows(way.database, "note", "text") == [("kept",)]
        assert happened == [*(f"a {moment}" for moment in EACH), "kept committed"]


class TestCascades:
    """What SQLAlchemy deletes by itself is destroyed."""

    @pytest.mark.parametrize("style", STYLES)
    async def test_of_an_orphan(self, database: Database, style: Style) -> None:
        """A record that was taken out of a collection with delete-orphan."""
        way = Way(database, style)
        album = Album(songs=[Song(title="a"), Song(title="b")])
        await way.write(album)
        song = album.songs.pop()
        await way.write(album)
        assert happened == ["b before_destroy", "b destroyed"]
        assert song.is_destroyed
        assert await rows(database, "song", "title") == [("a",)]

    @pytest.mark.parametrize("style", STYLES)
    async def test_of_a_parent(self, database: Database, style: Style) -> None:
        """Its children go first."""
        way = Way(database, style)
        album = Album(songs=[Song(title="a"), Song(title="b")])
        await way.write(album)
        await way.destroy(album)
        assert sorted(happened) == ["a before_destroy", "a destroyed", "b before_destroy", "b destroyed"]
        assert await rows(database, "song", "title") == []


class TestWithoutAwait:
    @pytest.mark.parametrize("style", STYLES)
    async def test_in_every_session(self, database: Database, style: Style) -> None:
        """A sync callback works on records by `sync`, also when an async session runs it."""
        await Way(database, style).write(Logged(title="a"))
        assert await rows(database, "note", "text") == [("saved a",)]


class TestOwnRecord:
    @pytest.mark.parametrize("moment", BEFORE)
    async def test_changing_it_before_the_row_is_written(self, way: Way, moment: str) -> None:
        """The row has the value."""

        async def change(post: Post) -> None:
            post.title = "changed"

        todo[moment] = change
        await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == [("changed",)]

    @pytest.mark.parametrize("moment", BEFORE)
    async def test_saving_it_before_the_row_is_written(self, way: Way, moment: str) -> None:
        """That is under way already: nothing runs twice."""

        async def save(post: Post) -> None:
            await post.save()

        todo[moment] = save
        await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == [("a",)]
        assert happened == [f"a {moment}" for moment in EACH]

    @pytest.mark.parametrize("moment", AFTER)
    async def test_saving_it_after_the_row_is_written(self, way: Way, moment: str) -> None:
        """That is an update, inside of the same transaction."""

        async def update(post: Post) -> None:
            await post.update(title="b")

        todo[moment] = update
        await way.write(Post(title="a"))
        assert await rows(way.database, "post", "title") == [("b",)]
        assert "b before_validation" in happened

    @pytest.mark.parametrize("moment", AFTER)
    async def test_destroying_it_after_the_row_is_written(self, way: Way, moment: str) -> None:
        """It leaves no row, and no effect of a commit."""

        async def destroy(post: Post) -> None:
            await post.destroy()

        todo[moment] = destroy
        post = Post(title="a")
        await way.write(post)
        assert await rows(way.database, "post", "title") == []
        assert post.is_destroyed


class TestQueries:
    @pytest.mark.parametrize("moment", BEFORE)
    async def test_before_the_row_is_written(self, way: Way, moment: str) -> None:
        """A query does not see the record that it runs for, and does not flush it."""

        async def count(post: Post) -> None:
            happened.append(f"{await Post.count()} there")

        todo[moment] = count
        await way.write(Post(title="a"))
        assert "0 there" in happened

    @pytest.mark.parametrize("moment", AFTER)
    async def test_after_the_row_is_written(self, way: Way, moment: str) -> None:
        """A query of the same session sees it."""

        async def count(post: Post) -> None:
            happened.append(f"{await Post.count()} there")

        todo[moment] = count
        await way.write(Post(title="a"))
        assert "1 there" in happened


class TestSession:
    @pytest.mark.parametrize("moment", EACH)
    async def test_the_ambient_one_is_that_which_writes(self, database: Database, moment: str) -> None:
        """Also where another one is ambient outside, and it is so again afterwards."""
        found: list[AnySession] = []

        async def look(post: Post) -> None:
            found.append(current_session())

        todo[moment] = look
        async with database.session(sqlite_begin="DEFERRED") as writing, database.session() as other:
            writing.add(Post(title="a"))
            await writing.flush()
            assert current_session() is other
        assert found == [writing]

    async def test_two_sessions_do_not_mix(self, database: Database) -> None:
        """What one rolls back the other keeps."""
        async with database.session(sqlite_begin="DEFERRED") as kept:
            kept.add(Post(title="kept"))
            async with database.session(sqlite_begin="DEFERRED") as dropped:
                dropped.add(Post(title="dropped"))
                await dropped.rollback()
        assert await rows(database, "post", "title") == [("kept",)]
        assert not any("dropped" in line for line in happened)

    @pytest.mark.parametrize("moment", EACH)
    async def test_a_cancelled_callback(self, database: Database, moment: str) -> None:
        """Nothing is written, the connection goes back clean, and the record may be saved again."""
        reached = anyio.Event()

        async def wait(post: Post) -> None:
            reached.set()
            await anyio.sleep_forever()

        todo[moment] = wait
        post = Post(title="a")

        async def save() -> None:
            async with database.session() as session:
                await post.save(session=session)

        task = asyncio.create_task(save())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await rows(database, "post", "title") == []
        await save()
        assert await rows(database, "post", "title") == [("a",)]


class TestRefused:
    """What a callback has written beside a record that is then refused."""

    async def test_the_old_row_of_a_refused_update_stays(self, database: Database) -> None:
        """A flush that a callback causes writes nothing of the record that is still being checked."""
        post = Post(title="good")
        await Way(database, "await post.save()").write(post)

        async def create(post: Post) -> None:
            await Note.create(text="new")

        async with database.session() as session:
            session.add(post)
            todo["before_validation"] = create
            with pytest.raises(RecordInvalid):
                await post.update(title="")
        assert await rows(database, "post", "title") == [("good",)]

    async def test_one_invalid_record_does_not_hold_another_back(self, database: Database) -> None:
        """A save that failed for another record's sake may be tried again."""
        async with database.session() as session:
            bad = Note(text="")
            session.add(bad)
            post = Post(title="a")
            with pytest.raises(RecordInvalid, match="Note"):
                await post.save()
            bad.text = "good now"
            await post.save()
            assert post.is_persisted
        assert await rows(database, "post", "title") == [("a",)]
        assert await rows(database, "note", "text") == [("good now",)]

    async def test_a_prepared_record_that_leaves_has_no_effects(self, database: Database) -> None:
        """What was prepared beside a refused record, and then taken out, was never written."""
        async with database.session() as session:
            good, bad = Note(text="prepared"), Note(text="")
            session.add_all([good, bad])
            with pytest.raises(RecordInvalid):
                await session.flush()
            session.expunge(good)
            session.expunge(bad)
            await Note.create(text="written")
        assert await rows(database, "note", "text") == [("written",)]
        assert happened == ["written committed"]

    async def test_an_insert_that_the_database_refuses(self, way: Way) -> None:
        """The session goes on after the savepoint, without the record and its effects."""
        async with way.session() as session:
            await Note.create(text="before")
            with suppress(IntegrityError):
                async with transaction():
                    session.add(Post(title="a", note_id=999))
                    session.add(Note(text="undone"))
                    await session.flush()
                    pytest.fail("the database has no such note")
            await Note.create(text="after")
        assert await rows(way.database, "post", "title") == []
        assert await rows(way.database, "note", "text") == [("after",), ("before",)]
        assert happened[-2:] == ["before committed", "after committed"]
        assert "a after_create" not in happened
