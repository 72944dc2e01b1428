"""Callbacks: their moments, their order, and who declares them."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session, registry
from sqlmodel import Field

from lineside.exceptions import CallbackError
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._lifecycle._callbacks import (
    after_commit,
    after_create,
    after_create_commit,
    after_destroy,
    after_destroy_commit,
    after_save,
    after_save_commit,
    after_update,
    after_update_commit,
    after_validation,
    around_create,
    around_destroy,
    around_save,
    around_update,
    before_create,
    before_destroy,
    before_save,
    before_update,
    before_validation,
)
from tests.models.ways import STYLES, Way, rows

pytestmark = pytest.mark.anyio

happened: list[str] = []


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    title: str

    @before_validation
    def one(self) -> None:
        happened.append("before_validation")

    @after_validation
    def two(self) -> None:
        happened.append("after_validation")

    @before_save
    def three(self) -> None:
        happened.append("before_save 1")

    @around_save
    def four(self) -> Iterator[None]:
        happened.append("around_save begins")
        yield
        happened.append("around_save ends")

    @before_save
    def five(self) -> None:
        happened.append("before_save 2")

    @before_create
    def six(self) -> None:
        happened.append("before_create")

    @around_create
    def seven(self) -> Iterator[None]:
        happened.append("around_create begins")
        yield
        happened.append("around_create ends")

    @after_create
    def eight(self) -> None:
        happened.append("after_create")

    @before_update
    def nine(self) -> None:
        happened.append("before_update")

    @around_update
    def ten(self) -> Iterator[None]:
        happened.append("around_update begins")
        yield
        happened.append("around_update ends")

    @after_update
    def eleven(self) -> None:
        happened.append("after_update")

    @after_save
    def twelve(self) -> None:
        happened.append("after_save 1")

    @after_save
    def thirteen(self) -> None:
        happened.append("after_save 2")

    @before_destroy
    def fourteen(self) -> None:
        happened.append("before_destroy")

    @around_destroy
    def fifteen(self) -> Iterator[None]:
        happened.append("around_destroy begins")
        yield
        happened.append("around_destroy ends")

    @after_destroy
    def sixteen(self) -> None:
        happened.append("after_destroy")

    @after_commit
    def seventeen(self) -> None:
        happened.append("after_commit")

    @after_create_commit
    def eighteen(self) -> None:
        happened.append("after_create_commit")

    @after_update_commit
    def nineteen(self) -> None:
        happened.append("after_update_commit")

    @after_save_commit
    def twenty(self) -> None:
        happened.append("after_save_commit")

    @after_destroy_commit
    def twenty_one(self) -> None:
        happened.append("after_destroy_commit")


class Named(Base, table=True):
    """Has its callbacks by name alone."""

    title: str

    def before_save(self) -> None:
        happened.append("before_save")

    def around_save(self) -> Iterator[None]:
        happened.append("around_save begins")
        yield
        happened.append("around_save ends")

    def after_save(self) -> None:
        happened.append("after_save")

    def before_create(self) -> None:
        happened.append("before_create")

    def after_destroy(self) -> None:
        happened.append("after_destroy")

    def after_update_commit(self) -> None:
        happened.append("after_update_commit")


class Awaiting(Base, table=True):
    """Has async callbacks."""

    title: str

    async def before_save(self) -> None:
        # A query: only a session that really awaits gives an answer here.
        self.title = f"{self.title} {await Awaiting.count()}"

    async def around_save(self) -> AsyncIterator[None]:
        happened.append("around_save begins")
        yield
        happened.append(f"around_save ends, {await Awaiting.count()} there")

    async def after_save(self) -> None:
        happened.append("after_save")

    async def after_commit(self) -> None:
        happened.append(f"after_commit, {await Awaiting.count()} there")


class AwaitsAround(Base, table=True):
    title: str

    async def around_create(self) -> AsyncIterator[None]:
        yield


class AwaitsAfter(Base, table=True):
    title: str

    async def after_create(self) -> None:
        pass


class Stamped(Base):
    """A base class that is no table."""

    @before_save
    def stamp(self) -> None:
        happened.append("base stamp")

    def after_save(self) -> None:
        happened.append("base after_save")

    @before_save
    def kept(self) -> None:
        happened.append("base kept")


class Inheriting(Stamped, table=True):
    title: str

    def stamp(self) -> None:
        happened.append("own stamp")

    @before_save
    def added(self) -> None:
        happened.append("own added")

    def after_save(self) -> None:
        super().after_save()
        happened.append("own after_save")


class Mixin:
    """No model at all."""

    @before_save
    def mixed_in(self) -> None:
        happened.append("mixin")


class Mixed(Mixin, Base, table=True):
    title: str


class Moved(Stamped, table=True):
    """Declares an inherited callback again."""

    title: str

    @before_save
    def stamp(self) -> None:
        happened.append("own stamp")


class Conditional(Base, table=True):
    title: str
    published: bool = False

    def is_long(self) -> bool:
        return len(self.title) > 5

    @before_save(if_="published")
    def by_attribute(self) -> None:
        happened.append("published")

    @before_save(unless="is_long")
    def by_method(self) -> None:
        happened.append("short")

    @before_save(if_=lambda self: self.title == "both", unless=lambda self: self.published)
    def by_both(self) -> None:
        happened.append("both")

    @before_validation(on="create")
    def only_on_create(self) -> None:
        happened.append("on create")

    @after_commit(on=["update", "destroy"])
    def on_two(self) -> None:
        happened.append("on update or destroy")

    @before_create
    @after_destroy
    def at_two_moments(self) -> None:
        happened.append("two moments")


class AsksWhether(Base, table=True):
    title: str

    async def wanted(self) -> bool:
        return await AsksWhether.count() == 0

    @before_save(if_="wanted")
    def when_wanted(self) -> None:
        happened.append("wanted")


class Audit(Base, table=True):
    text: str


class Refusing(Base, table=True):
    """Raises at the moment that its title names."""

    title: str
    broken: str = Field(default="")

    def _maybe(self, moment: str) -> None:
        if self.broken == moment:
            raise ZeroDivisionError(moment)

    def before_validation(self) -> None:
        self._maybe("before_validation")

    def after_validation(self) -> None:
        self._maybe("after_validation")

    def before_save(self) -> None:
        self._maybe("before_save")

    def around_save(self) -> Iterator[None]:
        self._maybe("around_save begins")
        yield
        self._maybe("around_save ends")

    def before_create(self) -> None:
        self._maybe("before_create")

    def after_create(self) -> None:
        self._maybe("after_create")

    def before_update(self) -> None:
        self._maybe("before_update")

    def after_update(self) -> None:
        self._maybe("after_update")

    def after_save(self) -> None:
        self._maybe("after_save")

    def before_destroy(self) -> None:
        self._maybe("before_destroy")

    def after_destroy(self) -> None:
        self._maybe("after_destroy")


@pytest.fixture(autouse=True)
def _forget() -> None:
    happened.clear()


@pytest.fixture(params=STYLES)
def way(request: pytest.FixtureRequest, database: Database) -> Way:
    """Give each way of writing in turn."""
    return Way(database, request.param)


def taken() -> list[str]:
    """Return what has happened since the last call."""
    found = happened.copy()
    happened.clear()
    return found


class TestMoments:
    async def test_of_a_new_record(self, way: Way) -> None:
        """As in Rails: save around create, before and after in the order of declaration."""
        await way.write(Post(title="Hello"))
        assert happened == [
            "before_validation",
            "after_validation",
            "before_save 1",
            "around_save begins",
            "before_save 2",
            "before_create",
            "around_create begins",
            "around_create ends",
            "after_create",
            "around_save ends",
            "after_save 1",
            "after_save 2",
            "after_commit",
            "after_create_commit",
            "after_save_commit",
        ]
        assert await rows(way.database, "post", "title") == [("Hello",)]

    async def test_of_a_changed_record(self, way: Way) -> None:
        """Update in place of create."""
        post = Post(title="Hello")
        await way.write(post)
        taken()
        post.title = "Bye"
        await way.write(post)
        assert happened == [
            "before_validation",
            "after_validation",
            "before_save 1",
            "around_save begins",
            "before_save 2",
            "before_update",
            "around_update begins",
            "around_update ends",
            "after_update",
            "around_save ends",
            "after_save 1",
            "after_save 2",
            "after_commit",
            "after_update_commit",
            "after_save_commit",
        ]
        assert await rows(way.database, "post", "title") == [("Bye",)]

    async def test_of_a_destroyed_record(self, way: Way) -> None:
        """Destroying validates nothing and saves nothing."""
        post = Post(title="Hello")
        await way.write(post)
        taken()
        await way.destroy(post)
        assert happened == [
            "before_destroy",
            "around_destroy begins",
            "around_destroy ends",
            "after_destroy",
            "after_commit",
            "after_destroy_commit",
        ]
        assert await rows(way.database, "post", "title") == []

    async def test_save_without_changes_runs_them_all_the_same(self, database: Database) -> None:
        """As in Rails; a plain commit of an unchanged record runs none."""
        way = Way(database, "await post.save()")
        post = Post(title="Hello")
        await way.write(post)
        taken()
        await way.write(post)
        assert happened[0] == "before_validation"
        assert "after_save 2" in taken()
        await Way(database, "add, await commit").write(post)
        assert happened == []

    async def test_save_without_validation_leaves_its_callbacks_out(self, database: Database) -> None:
        """`validate=False` is Rails' ``save(validate: false)``."""
        async with database.session():
            await Post(title="Hello").save(validate=False)
        assert happened[0] == "before_save 1"

    async def test_several_records_of_one_flush(self, database: Database) -> None:
        """Each is prepared, then all are written, then each is finished, in the same order."""
        async with database.session() as session:
            session.add_all([Named(title="a"), Named(title="b")])
            await session.flush()
        prepared = ["before_save", "around_save begins", "before_create"]
        finished = ["around_save ends", "after_save"]
        assert happened == [*prepared, *prepared, *finished, *finished]

    async def test_autoflush_runs_them(self, database: Database) -> None:
        """A query that needs the rows flushes, and a flush is a save."""
        async with database.session() as session:
            session.add(Named(title="a"))
            assert await Named.count() == 1
            assert "after_save" in taken()
        assert happened == []

    async def test_merge_runs_them_for_the_row_that_it_loads(self, database: Database) -> None:
        """`merge` copies onto a record of the session; that is the one which is saved."""
        named = Named(title="a")
        await Way(database, "await post.save()").write(named)
        taken()
        async with database.session() as session:
            copy = Named(id=named.id, title="b", created_at=named.created_at, updated_at=named.updated_at)
            await session.merge(copy)
        assert happened == [
            "before_save",
            "around_save begins",
            "around_save ends",
            "after_save",
            "after_update_commit",
        ]
        assert await rows(database, "named", "title") == [("b",)]


class TestDeclarations:
    async def test_a_well_known_name_needs_no_decorator(self, way: Way) -> None:
        """Its moment is its name."""
        named = Named(title="a")
        await way.write(named)
        assert taken() == [
            "before_save",
            "around_save begins",
            "before_create",
            "around_save ends",
            "after_save",
        ]
        named.title = "b"
        await way.write(named)
        assert taken()[-1] == "after_update_commit"
        await way.destroy(named)
        assert taken() == ["after_destroy"]

    async def test_a_base_class_goes_first_and_an_override_keeps_its_place(self, way: Way) -> None:
        """An overridden method is the callback that it overrides; `super()` reaches it."""
        await way.write(Inheriting(title="a"))
        assert happened == ["own stamp", "base kept", "own added", "base after_save", "own after_save"]

    async def test_declared_again_it_moves_to_the_end(self, database: Database) -> None:
        """The latest declaration decides."""
        await Way(database, "await post.save()").write(Moved(title="a"))
        assert happened == ["base kept", "own stamp", "base after_save"]

    async def test_a_mixin_may_declare_them(self, database: Database) -> None:
        """It need not be a model."""
        await Way(database, "await post.save()").write(Mixed(title="a"))
        assert happened == ["mixin"]

    async def test_an_around_without_yield_is_refused(self) -> None:
        """The error names the method and the rule."""

        class Alone(Model, registry=registry()):
            pass

        class NoYield(Alone, table=True):
            @around_save
            def wrap(self) -> None:
                pass

        with Session() as session, pytest.raises(CallbackError, match=r"NoYield\.wrap .*one `yield`"):
            NoYield().sync.save(session=session)

    async def test_a_before_with_yield_is_refused(self) -> None:
        """A generator would never run."""

        class Alone(Model, registry=registry()):
            pass

        class Yields(Alone, table=True):
            def before_save(self) -> Iterator[None]:
                yield

        with Session() as session, pytest.raises(CallbackError, match=r"Yields\.before_save .*no other"):
            Yields().sync.save(session=session)


class TestConditions:
    async def test_if_and_unless(self, way: Way) -> None:
        """By attribute, by method, by function, and both together."""
        await way.write(Conditional(title="x"))
        assert taken() == ["on create", "short", "two moments"]
        await way.write(Conditional(title="both", published=True))
        assert taken() == ["on create", "published", "short", "two moments"]
        await way.write(Conditional(title="both"))
        assert taken() == ["on create", "short", "both", "two moments"]
        await way.write(Conditional(title="longer than five"))
        assert taken() == ["on create", "two moments"]

    async def test_on(self, way: Way) -> None:
        """A moment may be narrowed to actions, and a method may have two moments."""
        record = Conditional(title="x")
        await way.write(record)
        taken()
        record.title = "longer"
        await way.write(record)
        assert taken() == ["on update or destroy"]
        await way.destroy(record)
        assert taken() == ["two moments", "on update or destroy"]

    async def test_a_condition_may_be_async(self, database: Database) -> None:
        """It may ask the database."""
        way = Way(database, "await post.save()")
        await way.write(AsksWhether(title="a"))
        assert taken() == ["wanted"]
        await way.write(AsksWhether(title="b"))
        assert taken() == []


class TestAsync:
    @pytest.mark.parametrize("style", STYLES[:2])
    async def test_they_are_awaited(self, database: Database, style: Any) -> None:
        """Inside the flush, in the session that writes, before and after the row."""
        way = Way(database, style)
        await way.write(Awaiting(title="a"))
        await way.write(Awaiting(title="b"))
        assert await rows(database, "awaiting", "title") == [("a 0",), ("b 1",)]
        assert happened == [
            "around_save begins",
            "around_save ends, 1 there",
            "after_save",
            "after_commit, 1 there",
            "around_save begins",
            "around_save ends, 2 there",
            "after_save",
            "after_commit, 2 there",
        ]

    @pytest.mark.parametrize("style", STYLES[2:])
    @pytest.mark.parametrize("model", [Awaiting, AwaitsAround, AwaitsAfter, AsksWhether])
    async def test_a_sync_session_refuses_them(self, database: Database, style: Any, model: Any) -> None:
        """The error names the callback and both ways out; nothing is written, nothing left unawaited."""
        with pytest.raises(CallbackError, match="async, and this session is a sync Session"):
            await Way(database, style).write(model(title="a"))
        assert await rows(database, model.__tablename__, "title") == []


CREATING = ["before_validation", "after_validation", "before_save", "around_save begins", "before_create"]
CREATED = ["after_create", "around_save ends", "after_save"]


class TestExceptions:
    @pytest.mark.parametrize("moment", [*CREATING, *CREATED])
    async def test_when_creating(self, way: Way, moment: str) -> None:
        """It is the caller's, and nothing of the session is written."""
        with pytest.raises(ZeroDivisionError, match=moment):
            await way.write(Audit(text="first"), Refusing(title="a", broken=moment), Audit(text="last"))
        assert await rows(way.database, "refusing", "title") == []
        assert await rows(way.database, "audit", "text") == []

    @pytest.mark.parametrize("moment", ["before_save", "before_update", "after_update", "after_save"])
    async def test_when_updating(self, way: Way, moment: str) -> None:
        """The row stays as it was."""
        record = Refusing(title="a")
        await way.write(record)
        record.title, record.broken = "b", moment
        with pytest.raises(ZeroDivisionError, match=moment):
            await way.write(record)
        assert await rows(way.database, "refusing", "title") == [("a",)]

    @pytest.mark.parametrize("moment", ["before_destroy", "after_destroy"])
    async def test_when_destroying(self, way: Way, moment: str) -> None:
        """The row stays, and the record knows it."""
        record = Refusing(title="a", broken=moment)
        await way.write(record)
        with pytest.raises(ZeroDivisionError, match=moment):
            await way.destroy(record)
        assert await rows(way.database, "refusing", "title") == [("a",)]
        assert record.is_persisted

    @pytest.mark.parametrize("moment", CREATING)
    async def test_a_refused_record_leaves_the_session(self, database: Database, moment: str) -> None:
        """Whoever catches the error may go on: a later commit writes nothing of it."""
        async with database.session():
            refused = Refusing(title="a", broken=moment)
            with pytest.raises(ZeroDivisionError):
                await refused.save()
            await Audit(text="went on").save()
            assert refused.is_new_record
        assert await rows(database, "refusing", "title") == []
        assert await rows(database, "audit", "text") == [("went on",)]

    @pytest.mark.parametrize("moment", [*CREATING, *CREATED])
    async def test_the_session_works_after_a_rollback(self, way: Way, moment: str) -> None:
        """The same session, and the same record."""
        record = Refusing(title="a", broken=moment)
        async with way.session() as session:
            session.add(record)
            with pytest.raises(ZeroDivisionError):
                await _settled(session.flush())
            await _settled(session.rollback())
            record.broken = ""
            session.add(record)
            session.add(Audit(text="too"))
        assert await rows(way.database, "refusing", "title") == [("a",)]
        assert await rows(way.database, "audit", "text") == [("too",)]


async def _settled(result: Any) -> Any:
    return await result if hasattr(result, "__await__") else result
