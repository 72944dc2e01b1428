"""Records whose way to the database is broken off: nothing is lost, nothing is told that did not happen."""

import asyncio
import logging
import pickle  # noqa: TID251 - applications may pickle what is theirs
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, ClassVar

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, InvalidRequestError, PendingRollbackError
from sqlalchemy.orm import registry
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.exceptions import CallbackError, RecordInvalid, RecordNotFound
from lineside.models import (
    Database,
    InvalidValueError,
    Model,
    Record,
    current_session,
    transaction,
    use_session,
    validates,
)
from tests.models.ways import STYLES, Style, Way, rows

pytestmark = pytest.mark.anyio

TABLES = registry()


class Base(Model, registry=TABLES):
    pass


class Bare(Record, registry=TABLES):
    pass


class Broken(Exception):
    """What a callback raises."""


@validates("name", length=(1, 20))
class Note(Base, table=True):
    """Does around its save what a test has put there."""

    name: str = Field(unique=True)
    size: int = 0
    told: ClassVar[list[tuple[str, int]]] = []
    before: ClassVar[Any] = None
    after: ClassVar[Any] = None

    async def before_save(self) -> None:
        if Note.before is not None:
            await Note.before(self)

    async def before_destroy(self) -> None:
        if Note.before is not None:
            await Note.before(self)

    async def after_save(self) -> None:
        if Note.after is not None:
            await Note.after(self)

    def after_commit(self) -> None:
        Note.told.append((self.name, self.size))


class Undone(Base, table=True):
    """Reads itself when it is rolled back."""

    name: str
    told: ClassVar[list[str]] = []
    after: ClassVar[Any] = None
    is_failing: ClassVar[bool] = False

    async def after_save(self) -> None:
        if Undone.after is not None:
            await Undone.after()

    def after_rollback(self) -> None:
        Undone.told.append(self.name)
        if Undone.is_failing:
            raise ZeroDivisionError


class Failing(Base, table=True):
    name: str

    def after_rollback(self) -> None:
        raise ZeroDivisionError


class Late(Base, table=True):
    name: str

    async def after_commit(self) -> None:
        await asyncio.sleep(0)


class LateUndo(Base, table=True):
    name: str

    async def after_rollback(self) -> None:
        await asyncio.sleep(0)


class LateUpdate(Base, table=True):
    name: str

    async def after_update(self) -> None:
        await asyncio.sleep(0)


class Bones(Bare, table=True):
    """Has no timestamps."""

    id: int = Field(default=None, primary_key=True)
    size: int = 0


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    Note.told.clear()
    Undone.told.clear()
    Note.before = Note.after = Undone.after = None
    Undone.is_failing = False


async def _raise() -> None:
    raise Broken


class TestInFlight:
    async def test_a_record_that_another_session_refused_is_saved_by_its_own(
        self, database: Database
    ) -> None:
        """A refused save leaves nothing behind that would make the next one silent."""
        async with database.session():
            note = await Note.create(name="a")
            async with database.session(sqlite_begin="DEFERRED") as other:
                note.size = -1
                with pytest.raises(InvalidRequestError, match="already attached"):
                    await note.save(session=other)
            note.size = 2
            await note.save()
        assert await rows(database, "note", "size") == [(2,)]

    async def test_a_record_that_a_broken_session_refused_is_written_by_the_next(
        self, database: Database
    ) -> None:
        """The transaction of the first one is lost, the record is not."""
        async with database.session():
            await Note.create(name="taken")
        note = Note(name="a")

        async def work() -> None:
            async with database.session():
                with pytest.raises(IntegrityError):
                    await Note.create(name="taken")
                await note.save()

        with pytest.raises(PendingRollbackError):
            await work()
        async with database.session():
            await note.save()
        assert await rows(database, "note", "name") == [("a",), ("taken",)]

    @pytest.mark.parametrize("is_added", [False, True])
    async def test_a_record_whose_session_a_callback_closed_is_written_by_the_next(
        self, database: Database, is_added: bool
    ) -> None:
        """Also where a flush had found it."""

        async def close(_note: Note) -> None:
            await current_session().close()  # type: ignore[misc] # async here

        note = Note(name="a")
        Note.before = close
        style: Style = "add, await commit" if is_added else "await post.save()"
        with pytest.raises(InvalidRequestError):
            await Way(database, style).write(note)
        Note.before = None
        async with database.session():
            await note.save()
        assert await rows(database, "note", "name") == [("a",)]

    async def test_a_record_whose_destruction_was_refused_is_destroyed_later(
        self, database: Database
    ) -> None:
        """Its own session does it."""
        async with database.session():
            note = await Note.create(name="a")
            async with database.session(sqlite_begin="DEFERRED") as other:
                with pytest.raises(InvalidRequestError, match="already attached"):
                    await note.destroy(session=other)
            await note.destroy()
        assert await rows(database, "note", "name") == []

    async def test_a_record_that_a_callback_keeps_from_being_deleted_is_destroyed_later(
        self, database: Database
    ) -> None:
        """A deletion that a flush has begun, and a callback has taken back."""

        async def keep(note: Note) -> None:
            current_session().add(note)

        async with database.session() as session:
            note = await Note.create(name="a")
            Note.before = keep
            await session.delete(note)
            await session.flush()
            assert not note.is_destroyed
            Note.before = None
            await note.destroy()
        assert await rows(database, "note", "name") == []

    async def test_skipping_validations_is_for_one_save_only(self, database: Database) -> None:
        """Also when that save was refused before it began."""
        async with database.session():
            note = await Note.create(name="a")
            async with database.session(sqlite_begin="DEFERRED") as other:
                with pytest.raises(InvalidRequestError, match="already attached"):
                    await note.save(session=other, validate=False)
            note.name = ""
            with pytest.raises(RecordInvalid):
                await note.save()


class TestPhantoms:
    @pytest.mark.filterwarnings("ignore:Attribute history events", "ignore:Usage of the")
    async def test_tasks_that_share_a_session_tell_only_what_is_written(self, database: Database) -> None:
        """Those who are refused because another task flushes have written nothing."""

        async def pause(_note: Note) -> None:
            await asyncio.sleep(0)

        async with database.session():
            notes = [await Note.create(name=f"{number}") for number in range(3)]
        Note.told.clear()
        Note.before = Note.after = pause
        async with database.session() as session:
            session.add_all(notes)
            done = await asyncio.gather(*(note.update(size=1) for note in notes), return_exceptions=True)
        refused = [error for error in done if isinstance(error, InvalidRequestError)]
        assert len(refused) == 2
        assert all("a session of its own" in note for error in refused for note in error.__notes__)
        assert sorted(Note.told) == [row for row in await rows(database, "note", "name", "size") if row[1]]

    async def test_what_a_callback_takes_out_of_the_session_is_not_told(self, database: Database) -> None:
        """It was ready for the flush, and is no part of it."""

        async def expunge(note: Note) -> None:
            current_session().expunge(note)

        async with database.session() as session:
            gone = Note(name="gone")
            Note.before = expunge
            session.add(gone)
            await session.flush()
            Note.before = None
            assert not gone.saved_changes
            await Note.create(name="next")
        assert await rows(database, "note", "name") == [("next",)]
        assert Note.told == [("next", 0)]

    async def test_a_record_that_another_ones_callback_deletes_is_told_as_deleted(
        self, database: Database
    ) -> None:
        """Though the flush had prepared it to be updated."""
        async with database.session() as session:
            first, second = await Note.create(name="1"), await Note.create(name="2")
            await session.commit()

            async def delete(note: Note) -> None:
                if note is second:
                    await session.delete(first)

            Note.told.clear()
            Note.before = delete
            first.size = second.size = 1
            await session.flush()
            assert first.is_destroyed
            assert not second.is_destroyed
        assert await rows(database, "note", "name") == [("2",)]

    async def test_what_another_listener_refuses_is_prepared_again(self, database: Database) -> None:
        """What changed meanwhile is validated, too."""

        def refuse(*_given: object) -> None:
            raise Broken

        async with database.session() as session:
            note = Note(name="a")
            session.add(note)
            event.listen(session.sync_session, "before_flush", refuse)
            with pytest.raises(Broken):
                await session.flush()
            event.remove(session.sync_session, "before_flush", refuse)
            note.name = ""
            with pytest.raises(RecordInvalid):
                await session.flush()
            await session.rollback()

    async def test_a_session_whose_block_has_ended_says_what_to_open(self, database: Database) -> None:
        """SQLAlchemy says that it is closed."""
        async with database.session() as session:
            pass
        with pytest.raises(InvalidRequestError) as caught:
            await Note.create(name="a", session=session)
        assert "open another session" in caught.value.__notes__[0]


class TestAsyncOnSync:
    @pytest.mark.parametrize("model", [Late, LateUndo])
    @pytest.mark.parametrize("style", STYLES[2:])
    async def test_an_effect_is_refused_before_anything_is_written(
        self, database: Database, model: Any, style: Style
    ) -> None:
        """After the COMMIT it would be too late to say so."""
        with pytest.raises(CallbackError, match="is async"):
            await Way(database, style).write(model(name="a"))
        assert await rows(database, model.__tablename__, "name") == []

    async def test_a_callback_of_another_action_is_none_of_this_one(self, database: Database) -> None:
        """Creating is possible where only updating waits."""
        with database.sync_session():
            record = LateUpdate.sync.create(name="a")
        with pytest.raises(CallbackError, match=r"LateUpdate\.after_update"), database.sync_session():
            record.sync.update(name="b")
        assert await rows(database, "lateupdate", "name") == [("a",)]


class TestRollbackEffects:
    async def test_one_that_reads_its_record_does_not_hide_the_error(self, database: Database) -> None:
        """It sees what the record held when it was rolled back."""
        async with database.session():
            record = await Undone.create(name="a")
        Undone.after = _raise
        with pytest.raises(Broken):
            await _update(database, record.id)
        assert Undone.told == ["b"]

    async def test_one_that_reads_its_record_after_the_block_has_failed(self, database: Database) -> None:
        """There was no flush that failed: closing the session rolls back."""
        async with database.session():
            record = await Undone.create(name="a")
        with pytest.raises(Broken):
            await _update(database, record.id, then=_raise)
        assert Undone.told == ["b"]

    async def test_the_record_itself_is_read_again_from_its_row(self, database: Database) -> None:
        """What an effect was shown of a closed session's record is no value of its row."""
        async with database.session():
            record = await Undone.create(name="a")
        found = record
        Undone.after = _raise
        with suppress(Broken):
            async with database.session():
                found = await Undone.find(record.id)
                await found.update(name="b")
        Undone.after = None
        async with database.session() as session:
            session.add(found)
            await session.refresh(found)
            assert found.name == "a"

    async def test_one_that_reads_its_record_does_not_swallow_a_cancellation(
        self, database: Database
    ) -> None:
        """A task that is cancelled in the middle of a flush ends as cancelled."""
        async with database.session():
            record = await Undone.create(name="a")
        begun = asyncio.Event()

        async def wait() -> None:
            begun.set()
            await asyncio.Event().wait()

        Undone.after = wait
        task = asyncio.create_task(_update(database, record.id))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert Undone.told == ["b"]

    @pytest.mark.parametrize("is_flushing", [False, True])
    async def test_one_that_fails_is_logged_beside_the_error_on_its_way(
        self, database: Database, is_flushing: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The block's error is what the caller gets."""
        Undone.is_failing = True
        Undone.after = _raise if is_flushing else None
        with pytest.raises(Broken), caplog.at_level(logging.ERROR, "lineside.models"):
            await _create_and_raise(database.session())
        assert _logged(caplog) == [ZeroDivisionError]

    @pytest.mark.parametrize("how", ["transaction()", "begin_nested()", "begin()"])
    async def test_one_that_fails_at_the_end_of_a_block(
        self, database: Database, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The same, of a savepoint and of a block that SQLAlchemy offers."""
        Undone.is_failing = True
        async with AsyncSession(database.engine) as session:
            begin = {"transaction()": lambda: transaction(session)}.get(how) or getattr(session, how[:-2])
            with use_session(session), pytest.raises(Broken):
                await _create_and_raise(begin())
        assert _logged(caplog) == [ZeroDivisionError]

    async def test_one_that_fails_is_noted_on_the_error_on_its_way(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Where Python can tell which that is: in a sync session."""

        def work() -> None:
            with database.sync_session():
                Failing.sync.create(name="a")
                raise Broken

        with pytest.raises(Broken) as caught, caplog.at_level(logging.ERROR, "lineside.models"):
            work()
        assert caught.value.__notes__ == [
            "After the rollback an effect failed as well, with ZeroDivisionError."
        ]

    async def test_one_that_fails_with_no_error_on_its_way_is_an_error(self, database: Database) -> None:
        """As of a rollback by hand."""
        Undone.is_failing = True
        async with database.session() as session:
            await Undone.create(name="a")
            with pytest.raises(ZeroDivisionError):
                await session.rollback()


class TestPickled:
    async def test_a_saved_record_can_be_pickled_as_a_plain_one_can(self, database: Database) -> None:
        """For a cache or another process; it is the same record there."""
        async with database.session():
            note = await Note.create(name="a")
        copy = _pickled(note)
        assert (copy.name, copy.id, copy.is_persisted) == ("a", note.id, True)
        async with database.session():
            await copy.update(size=3)
        assert await rows(database, "note", "name", "size") == [("a", 3)]

    async def test_an_invalid_record_keeps_its_errors(self, database: Database) -> None:
        """Errors that are found later show the value of the copy."""
        async with database.session():
            note = Note(name="")
            assert not await note.valid()
        copy = _pickled(note)
        assert copy.errors.messages == note.errors.messages
        copy.errors.add("name")
        assert copy.errors.details()[-1]["input"] == ""


class TestColumns:
    async def test_a_merged_record_keeps_when_it_was_created(self, database: Database) -> None:
        """The constructor leaves timestamps empty; the row has them."""
        async with database.session() as session:
            note = await Note.create(name="a")
            created_at, updated_at = note.created_at, note.updated_at
            merged = await session.merge(Note(id=note.id, name="a", size=5))
            await session.flush()
            assert merged.created_at == created_at
            assert merged.updated_at > updated_at
        assert await rows(database, "note", "name", "size") == [("a", 5)]

    async def test_update_columns_takes_what_its_columns_take(self, database: Database) -> None:
        """Values are cast and checked as `update_all` does it."""
        async with database.session():
            note = await Note.create(name="a")
            for value in ("many", 2**63):
                with pytest.raises(InvalidValueError, match="size"):
                    await note.update_columns(size=value)
            with pytest.raises(InvalidValueError, match="update_all"):
                await note.update_columns(size=Note.__table__.c.size + 1)  # type: ignore[attr-defined]
            await note.update_columns(size="7")
            assert note.size == 7
        assert await rows(database, "note", "size") == [(7,)]

    async def test_touching_a_column_of_another_type_is_refused(self, database: Database) -> None:
        """A name is no timestamp because somebody touches it."""
        async with database.session():
            note = await Note.create(name="a")
            with pytest.raises(InvalidValueError, match="name"):
                await note.touch("name")

    async def test_touching_what_has_no_timestamps_touches_nothing(self, database: Database) -> None:
        """Nor does writing no columns write any."""
        async with database.session():
            bones = await Bones.create(size=1)
            await bones.touch()
            await bones.update_columns()
            with pytest.raises(RecordNotFound):
                await Bones().update_columns()
        assert await rows(database, "bones", "size") == [(1,)]


async def _update(database: Database, key: int, then: Callable[[], Awaitable[None]] | None = None) -> None:
    async with database.session():
        found = await Undone.find(key)
        await found.update(name="b")
        if then is not None:
            await then()


async def _create_and_raise(block: AbstractAsyncContextManager[Any]) -> None:
    async with block:
        await Undone.create(name="a")
        await _raise()


def _logged(caplog: pytest.LogCaptureFixture) -> list[type[BaseException] | None]:
    return [record.exc_info[0] for record in caplog.records if record.exc_info]


def _pickled(record: Any) -> Any:
    return pickle.loads(pickle.dumps(record))
