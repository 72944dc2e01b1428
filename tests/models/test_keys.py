"""UUIDv7 and ULID keys: known before the INSERT, and sorted in the order of creation."""

import os
import re
import threading
import time
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import Field, select

from lineside.exceptions import RecordNotFound
from lineside.models import Database
from lineside.models._attribute import _keys
from lineside.models._attribute._keys import GrowingNumbers, ulid, uuid7
from lineside.models._base._model import ULIDModel, UUIDModel
from lineside.models._base._record import Record

pytestmark = pytest.mark.anyio

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Base(Record, registry=registry()):
    pass


class Invoice(UUIDModel, Base, table=True):
    number: int = 0


class Parcel(ULIDModel, Base, table=True):
    number: int = 0


class Stop(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    parcel_id: str = Field(foreign_key="parcel.id")


def test_a_uuid_has_the_layout_of_rfc_9562() -> None:
    before = time.time_ns() // 1_000_000
    key = uuid7()
    after = time.time_ns() // 1_000_000
    assert (key.version, key.variant) == (7, "specified in RFC 4122")
    assert before <= key.int >> 80 <= after


def test_a_ulid_has_the_layout_of_its_specification() -> None:
    before = time.time_ns() // 1_000_000
    key = ulid()
    after = time.time_ns() // 1_000_000
    assert re.fullmatch(f"[0-7][{CROCKFORD}]{{25}}", key)
    milliseconds = 0
    for character in key[:10]:
        milliseconds = milliseconds * 32 + CROCKFORD.index(character)
    assert before <= milliseconds <= after


@pytest.mark.parametrize("make", [uuid7, ulid])
def test_keys_of_several_threads_grow_and_never_repeat(make: object) -> None:
    made: list[list[object]] = [[] for _ in range(4)]

    def work(mine: list[object]) -> None:
        mine.extend(make() for _ in range(5_000))  # type: ignore[operator]

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in made)  # type: ignore[type-var]
    assert len({key for mine in made for key in mine}) == 20_000


@pytest.mark.parametrize("clock", [[5_000_000, 5_000_000, 5_000_000], [5_000_000, 4_000_000, 3_000_000]])
def test_numbers_grow_when_the_clock_stands_or_goes_back(
    monkeypatch: pytest.MonkeyPatch, clock: list[int]
) -> None:
    numbers = GrowingNumbers(74)
    monkeypatch.setattr(_keys.time, "time_ns", iter(clock).__next__)
    first, second, third = numbers.next(), numbers.next(), numbers.next()
    assert first < second < third
    assert first >> 74 == third >> 74 == 5
    # A step of one would tell the next key.
    assert second - first != 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_goes_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_keys.time, "time_ns", lambda: 10**18)
    uuid7()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(_keys._uuids._last).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"0"
    os.close(reader)
    os.close(writer)


def test_a_key_is_known_before_the_insert() -> None:
    assert isinstance(Invoice().id, UUID)
    assert len(Parcel().id) == 26
    assert Invoice().is_new_record


def test_a_key_of_your_own_is_kept() -> None:
    key = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    assert Invoice(id=key).id == key


@pytest.mark.parametrize("model", [Invoice, Parcel])
async def test_rows_sort_in_the_order_of_creation(database: Database, model: type[Invoice | Parcel]) -> None:
    async with database.session():
        for number in range(50):
            await model.create(number=number)
    async with database.session() as session:
        rows = (await session.exec(select(model).order_by(model.id))).all()  # type: ignore[arg-type]
    assert [row.number for row in rows] == list(range(50))


async def test_keys_are_stored_as_the_database_does_it_best(database: Database) -> None:
    async with database.session():
        invoice, parcel = await Invoice.create(), await Parcel.create()
    async with database.engine.connect() as connection:
        stored = (await connection.execute(text("select id from invoice"))).scalar_one()
        assert stored in (invoice.id, invoice.id.hex)
        assert (await connection.execute(text("select id from parcel"))).scalar_one() == parcel.id


async def test_a_key_joins_a_foreign_key_of_plain_text(database: Database) -> None:
    async with database.session() as session:
        parcel = await Parcel.create()
        await Stop.create(parcel_id=parcel.id)
        found = await session.exec(select(Stop).join(Parcel, Parcel.id == Stop.parcel_id))  # type: ignore[arg-type]
        assert len(found.all()) == 1


@pytest.mark.parametrize("model", [Invoice, Parcel])
@pytest.mark.parametrize(
    "key", ["not-a-uuid", "", "x" * 1_000, "a\x00b", "\ud800", 7, 10**30, None, 1.5, b"x"]
)
async def test_a_key_that_cannot_be_is_not_found(
    database: Database, model: type[Invoice | Parcel], key: object
) -> None:
    async with database.session():
        with pytest.raises(RecordNotFound):
            await model.find(key)
        # The session is still good: the database never saw it.
        assert await model.count() == 0


async def test_a_key_is_found_as_text(database: Database) -> None:
    async with database.session():
        invoice, parcel = await Invoice.create(), await Parcel.create()
        assert await Invoice.find(str(invoice.id)) is invoice
        assert await Parcel.find(parcel.id) is parcel
        assert await Invoice.where(id=[str(invoice.id)]).ids() == [invoice.id]
        assert await Invoice.first() is await Invoice.last() is invoice
