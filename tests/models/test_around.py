"""Around callbacks: what stands behind ``yield`` runs once the row is written, ``finally`` always."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.exceptions import CallbackError, RecordInvalid
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._lifecycle._callbacks import around_create, around_save
from lineside.models._validation._declarations import validates
from tests.models.ways import STYLES, Way, rows

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Owner(Base, table=True):
    name: str


class Held(Base):
    """What two around callbacks do, each with a ``finally``."""

    title: str
    owner_id: int | None = Field(default=None, foreign_key="owner.id")
    broken: str = ""

    def _reach(self, place: str) -> None:
        happened.append(place)
        if self.broken == place:
            raise ZeroDivisionError(place)


class Sync(Held, table=True):
    @around_save
    def outer(self) -> Iterator[None]:
        self._reach("outer begins")
        try:
            yield
            self._reach(f"outer ends, id {self.id is not None}")
        finally:
            happened.append("outer finally")

    @around_save
    def inner(self) -> Iterator[None]:
        self._reach("inner begins")
        try:
            yield
            self._reach("inner ends")
        finally:
            happened.append("inner finally")

    def before_create(self) -> None:
        self._reach("before_create")

    def after_create(self) -> None:
        self._reach("after_create")


class Async(Held, table=True):
    @around_save
    async def outer(self) -> AsyncIterator[None]:
        self._reach("outer begins")
        try:
            yield
            self._reach(f"outer ends, id {self.id is not None}")
        finally:
            happened.append("outer finally")

    @around_save
    async def inner(self) -> AsyncIterator[None]:
        self._reach("inner begins")
        try:
            yield
            self._reach("inner ends")
        finally:
            happened.append("inner finally")

    def before_create(self) -> None:
        self._reach("before_create")

    def after_create(self) -> None:
        self._reach("after_create")


@validates("name", length=(1, 10))
class Refused(Base, table=True):
    name: str


class Catching(Base, table=True):
    """Tries to go on without the row."""

    title: str

    @around_create
    def wrap(self) -> Iterator[None]:
        try:
            yield
        except GeneratorExit:
            happened.append("closed")
            raise


class Twice(Base, table=True):
    @around_save
    def wrap(self) -> Iterator[None]:
        yield
        yield


class TwiceAsync(Base, table=True):
    @around_save
    async def wrap(self) -> AsyncIterator[None]:
        yield
        yield


class Never(Base, table=True):
    @around_save
    def wrap(self) -> Iterator[None]:
        if self.id is not None:
            yield


happened: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    happened.clear()


@pytest.fixture(params=[(Sync, style) for style in STYLES] + [(Async, style) for style in STYLES[:2]])
def case(request: pytest.FixtureRequest, database: Database) -> tuple[Any, Way]:
    """Give a model and a way to write it."""
    model, style = request.param
    return model, Way(database, style)


ENDED = ["inner finally", "outer finally"]


async def test_the_first_declared_is_the_outermost(case: tuple[Any, Way]) -> None:
    """Second halves run in reverse, when the row has its key."""
    model, way = case
    await way.write(model(title="a"))
    assert happened == [
        *("outer begins", "inner begins", "before_create", "after_create"),
        *("inner ends", "inner finally", "outer ends, id True", "outer finally"),
    ]


@pytest.mark.parametrize(
    ("place", "reached"),
    [
        ("inner begins", ["outer begins", "inner begins", "outer finally"]),
        ("before_create", ["outer begins", "inner begins", "before_create", *ENDED]),
        ("after_create", ["outer begins", "inner begins", "before_create", "after_create", *ENDED]),
        (
            "inner ends",
            ["outer begins", "inner begins", "before_create", "after_create", "inner ends", *ENDED],
        ),
    ],
)
async def test_an_error_ends_those_that_have_begun(
    case: tuple[Any, Way], place: str, reached: list[str]
) -> None:
    """Innermost first, at once, whatever raised."""
    model, way = case
    with pytest.raises(ZeroDivisionError, match=place):
        await way.write(model(title="a", broken=place))
    assert happened == reached
    assert await rows(way.database, model.__tablename__, "title") == []


async def test_a_row_that_the_database_refuses_ends_them(case: tuple[Any, Way]) -> None:
    """Their second halves do not run, only what is in `finally`."""
    model, way = case
    with pytest.raises(IntegrityError):
        await way.write(model(title="a", owner_id=999))
    assert happened == ["outer begins", "inner begins", "before_create", *ENDED]


async def test_another_record_that_is_refused_ends_them(database: Database) -> None:
    """There is no flush, so there is nothing around which they could be."""
    with pytest.raises(RecordInvalid):
        await Way(database, "add, await commit").write(Sync(title="a"), Refused(name=""))
    assert happened == ["outer begins", "inner begins", "before_create", *ENDED]


async def test_an_error_of_one_record_ends_those_of_the_others(database: Database) -> None:
    """All rows of the flush are rolled back."""
    with pytest.raises(ZeroDivisionError):
        await Way(database, "add, await commit").write(Sync(title="a", broken="inner ends"), Sync(title="b"))
    assert happened.count("inner finally") == happened.count("outer finally") == 2
    assert await rows(database, "sync", "title") == []


async def test_it_is_closed_as_python_closes_generators(database: Database) -> None:
    """Which tells it apart from an error of its own."""
    async with database.session() as session:
        session.add(Catching(title="a"))
        session.add(Sync(title="b", owner_id=999))
        with pytest.raises(IntegrityError):
            await session.flush()
        await session.rollback()
    assert "closed" in happened


@pytest.mark.parametrize("model", [Twice, TwiceAsync])
async def test_yielding_twice_is_an_error(database: Database, model: Any) -> None:
    """The row is not written."""
    with pytest.raises(CallbackError, match="yielded twice; yield once"):
        await Way(database, "await post.save()").write(model())
    assert await rows(database, model.__tablename__, "id") == []


async def test_ending_without_yield_is_an_error(database: Database) -> None:
    """To refuse, a callback raises; silence would be taken for consent."""
    with pytest.raises(CallbackError, match="ended without `yield`; yield once"):
        await Way(database, "await post.save()").write(Never())
    assert await rows(database, "never", "id") == []
