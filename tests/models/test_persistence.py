"""Saving, destroying, reloading: what a record's own methods do to its row."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.exceptions import RecordInvalid, RecordNotFound
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._base._record import Record
from lineside.models._exceptions import NoSessionError, UnknownAttributeError
from lineside.models._validation._declarations import validates
from tests.models.ways import Way, rows

pytestmark = pytest.mark.anyio

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Base(Model, registry=registry()):
    pass


class Author(Base, table=True):
    name: str
    posts: list["Post"] = Relationship(back_populates="author")


@validates("title", length=(1, 20))
class Post(Base, table=True):
    title: str
    views: int = 0
    read_at: datetime | None = None
    author_id: int | None = Field(default=None, foreign_key="author.id")
    author: Author | None = Relationship(back_populates="posts")
    happened: ClassVar[list[str]] = []

    def before_save(self) -> None:
        self.happened.append("before_save")

    def before_destroy(self) -> None:
        self.happened.append("before_destroy")


class Existing(Record, registry=Base._sa_registry):
    """Tables that exist already: no `id`, no timestamps."""


class Land(Existing, table=True):
    code: str = Field(primary_key=True)
    name: str


class Seat(Existing, table=True):
    """Its key has two parts."""

    row: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    taken: bool = False


@pytest.fixture(autouse=True)
def _forget() -> None:
    Post.happened.clear()


async def saved(database: Database, **values: Any) -> Post:
    """Save a post in a session of its own."""
    async with database.session():
        return await Post(**{"title": "Hello", **values}).save()


class TestSave:
    async def test_a_new_record_is_inserted(self, database: Database) -> None:
        """It gets its key, and is returned; it has left nothing uncommitted behind the block."""
        async with database.session():
            post = Post(title="Hello")
            assert post.is_new_record
            assert not post.is_persisted
            assert await post.save() is post
            assert post.id is not None
            assert post.is_persisted
            assert post.previously_new_record
        assert await rows(database, "post", "title", "views") == [("Hello", 0)]

    async def test_a_changed_record_is_updated(self, database: Database) -> None:
        """Its key stays."""
        post = await saved(database)
        key = post.id
        async with database.session():
            post.title = "Bye"
            await post.save()
        assert not post.previously_new_record
        assert await rows(database, "post", "id", "title") == [(key, "Bye")]

    async def test_what_else_waits_in_the_session_is_written_too(self, database: Database) -> None:
        """A save is a flush."""
        async with database.session() as session:
            session.add(Author(name="Ada"))
            await Post(title="Hello").save()
            assert await Author.count() == 1

    async def test_what_belongs_to_the_record_is_written_with_it(self, database: Database) -> None:
        """A new author of a new post."""
        async with database.session():
            await Post(title="Hello", author=Author(name="Ada")).save()
        assert await rows(database, "post", "author_id") == await rows(database, "author", "id")

    async def test_a_refused_record_writes_nothing_later(self, database: Database) -> None:
        """It has left the session; its own old row stays as it was."""
        old = await saved(database)
        async with database.session() as session:
            session.add(old)
            old.title = ""
            with pytest.raises(RecordInvalid) as caught:
                await old.save()
            assert caught.value.record is old
            with pytest.raises(RecordInvalid):
                await Post(title="").save()
            await session.commit()
        assert await rows(database, "post", "title") == [("Hello",)]

    async def test_a_refused_record_may_be_corrected(self, database: Database) -> None:
        """The same object, in the same session."""
        async with database.session():
            post = Post(title="")
            with pytest.raises(RecordInvalid):
                await post.save()
            await post.update(title="Hello")
        assert await rows(database, "post", "title") == [("Hello",)]

    async def test_a_destroyed_record_is_not_saved_again(self, database: Database) -> None:
        """Its row is gone."""
        post = await saved(database)
        async with database.session():
            await post.destroy()
            with pytest.raises(RecordNotFound, match="Post"):
                await post.save()

    async def test_without_validation(self, database: Database) -> None:
        """`validate=False` counts for this save only."""
        async with database.session():
            post = await Post(title="").save(validate=False)
            post.views = 1
            with pytest.raises(RecordInvalid):
                await post.save()

    async def test_update_assigns_and_saves(self, database: Database) -> None:
        """Several attributes at once."""
        post = await saved(database)
        async with database.session():
            await post.update(title="Bye", views=3)
        assert await rows(database, "post", "title", "views") == [("Bye", 3)]

    async def test_create_builds_and_saves(self, database: Database) -> None:
        """The record comes back with its key."""
        async with database.session():
            assert (await Post.create(title="Hello", views=2)).id is not None
        assert await rows(database, "post", "title", "views") == [("Hello", 2)]

    async def test_without_a_session_the_error_says_how_to_get_one(self) -> None:
        """It names the call."""
        with pytest.raises(NoSessionError, match=r"Post\.save\(\) needs a session"):
            await Post(title="Hello").save()

    async def test_in_a_session_that_is_named(self, database: Database) -> None:
        """It goes before the ambient one; afterwards the record knows its own."""
        async with database.session(sqlite_begin="DEFERRED") as outer:
            async with database.session(sqlite_begin="DEFERRED"):
                post = await Post.create(title="Hello", session=outer)
                assert post in outer
            await post.update(title="Bye")
        assert await rows(database, "post", "title") == [("Bye",)]


class TestTimestamps:
    async def test_are_set_on_creation(self, database: Database) -> None:
        """Both to the same moment, aware and in UTC."""
        post = await saved(database)
        assert post.created_at == post.updated_at
        assert post.created_at.tzinfo is UTC
        async with database.session():
            again = await Post.find(post.id)
            assert again.created_at == post.created_at
            assert again.created_at.tzinfo is UTC

    async def test_follow_a_change(self, database: Database) -> None:
        """`updated_at` moves, `created_at` stays; without a change both stay."""
        post = await saved(database)
        created = post.created_at
        async with database.session():
            await post.save()
            assert post.updated_at == created
            await post.update(title="Bye")
        assert post.created_at == created
        assert post.updated_at > created

    async def test_set_by_hand_they_are_kept(self, database: Database) -> None:
        """On creation and on change."""
        post = await saved(database, created_at=LONG_AGO, updated_at=LONG_AGO)
        async with database.session():
            later = LONG_AGO + timedelta(days=1)
            await post.update(title="Bye", updated_at=later)
            await post.reload()
        assert (post.created_at, post.updated_at) == (LONG_AGO, later)


class TestDestroy:
    async def test_the_row_is_deleted(self, database: Database) -> None:
        """The object stays, and knows."""
        post = await saved(database)
        async with database.session():
            assert await post.destroy() is post
            assert post.is_destroyed
            assert not post.is_persisted
            assert not post.is_new_record
            assert await Post.count() == 0
        assert await rows(database, "post", "id") == []
        assert post.title == "Hello"

    async def test_a_new_record_is_taken_out_of_the_session(self, database: Database) -> None:
        """There is no row to delete."""
        async with database.session() as session:
            post = Post(title="Hello")
            session.add(post)
            await post.destroy()
        assert await rows(database, "post", "id") == []

    async def test_twice_is_once(self, database: Database) -> None:
        """The second time there is nothing to do, and no callback for it."""
        post = await saved(database)
        async with database.session():
            await post.destroy()
            await post.destroy()
        async with database.session():
            await post.destroy()
        assert Post.happened.count("before_destroy") == 1


class TestReload:
    async def test_reads_the_row_again(self, database: Database) -> None:
        """Changes that were not saved are lost."""
        post = await saved(database)
        async with database.session():
            await Post.where(id=post.id).update_all(title="changed elsewhere")
            post.views = 99
            assert await post.reload() is post
            assert (post.title, post.views) == ("changed elsewhere", 0)
            assert not post.has_changes_to_save

    async def test_with_a_lock(self, database: Database) -> None:
        """`FOR UPDATE`, where the database has it."""
        post = await saved(database)
        async with database.session():
            await post.reload(lock=True)
            assert post.title == "Hello"

    async def test_a_row_that_is_gone(self, database: Database) -> None:
        """Names the model and the key."""
        post = await saved(database)
        async with database.session():
            await Post.where(id=post.id).delete_all()
            with pytest.raises(RecordNotFound, match="Post"):
                await post.reload()

    async def test_a_record_without_a_row(self, database: Database) -> None:
        """There never was one."""
        async with database.session():
            with pytest.raises(RecordNotFound):
                await Post(title="Hello").reload()


class TestTouch:
    async def test_sets_timestamps_alone(self, database: Database) -> None:
        """No callback; what else has changed stays unsaved."""
        post = await saved(database, updated_at=LONG_AGO)
        Post.happened.clear()
        async with database.session():
            post.title = "not saved"
            await post.touch("read_at")
            assert Post.happened == []
            assert post.updated_at == post.read_at
            assert post.attribute_changed("title")
            assert not post.attribute_changed("updated_at")
            await post.reload()
            await post.touch()
        assert await rows(database, "post", "title") == [("Hello",)]
        async with database.session():
            assert (await Post.find(post.id)).updated_at > LONG_AGO

    async def test_a_table_without_timestamps(self, database: Database) -> None:
        """There is nothing to set unless it is named."""
        async with database.session():
            land = await Land(code="de", name="Germany").save()
            with pytest.raises(UnknownAttributeError, match="read_at"):
                await land.touch("read_at")


class TestUpdateColumns:
    async def test_writes_past_everything(self, database: Database) -> None:
        """No validation, no callback, no timestamp; the record has the value and no change."""
        post = await saved(database, updated_at=LONG_AGO)
        Post.happened.clear()
        async with database.session():
            await post.update_columns(title="", views=7)
            assert (post.title, post.views) == ("", 7)
            assert not post.has_changes_to_save
        assert Post.happened == []
        assert await rows(database, "post", "title", "views") == [("", 7)]
        async with database.session():
            assert (await Post.find(post.id)).updated_at == LONG_AGO

    async def test_an_unknown_column(self, database: Database) -> None:
        """The error lists those that there are; a relationship is none."""
        post = await saved(database)
        async with database.session():
            with pytest.raises(UnknownAttributeError, match=r"author.*it has author_id, created_at"):
                await post.update_columns(author=None)

    async def test_a_row_that_is_gone(self, database: Database) -> None:
        """Nothing was written, which is said."""
        post = await saved(database)
        async with database.session():
            await Post.where(id=post.id).delete_all()
            with pytest.raises(RecordNotFound):
                await post.update_columns(views=1)
        async with database.session():
            with pytest.raises(RecordNotFound):
                await Post(title="new").update_columns(views=1)


class TestValid:
    async def test_fills_the_errors(self, database: Database) -> None:
        """And writes nothing, also not with the commit of the block."""
        async with database.session():
            post = Post(title="")
            assert not await post.valid()
            assert post.errors["title"] == ["is too short (minimum is 1 character)"]
            post.title = "Hello"
            assert await post.valid()
            assert not post.errors
        assert await rows(database, "post", "id") == []


class TestRecord:
    async def test_a_key_of_ones_own(self, database: Database) -> None:
        """Everything works without `id` and timestamps."""
        async with database.session():
            land = await Land(code="de", name="Germany").save()
            await land.update(name="Deutschland")
            await land.reload()
            assert (await Land.find("de")).name == "Deutschland"
        assert await rows(database, "land", "code", "name") == [("de", "Deutschland")]
        async with database.session():
            await land.destroy()
        assert await rows(database, "land", "code") == []

    async def test_a_key_of_two_parts(self, database: Database) -> None:
        """Only this row is touched."""
        async with database.session():
            seat = await Seat(row=1, number=2).save()
            await Seat(row=1, number=3).save()
            await seat.update(taken=True)
            await seat.update_columns(taken=False)
            await seat.reload()
            await seat.update(taken=True)
        assert await rows(database, "seat", "row", "number", "taken") == [(1, 2, True), (1, 3, False)]

    async def test_beside_plain_classes_in_one_commit(self, database: Database) -> None:
        """A class of SQLModel itself passes untouched."""
        way = Way(database, "add, await commit")
        await way.write(Land(code="at", name="Austria"), Author(name="Ada"))
        assert await rows(database, "land", "name") == [("Austria",)]
