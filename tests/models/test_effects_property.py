"""Any way through saves, savepoints and rollbacks: the effects of commits are what was committed."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSessionTransaction
from sqlalchemy.orm import registry
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.models import Database
from lineside.models._base._record import Record
from lineside.models._lifecycle._callbacks import (
    after_create_commit,
    after_destroy_commit,
    after_update_commit,
)
from tests.models.ways import rows

pytestmark = pytest.mark.anyio


class Base(Record, registry=registry()):
    pass


class Broken(Exception):
    """What a callback raises when a test asks for it."""


class Row(Base, table=True):
    """A row whose effects keep a copy of the table: that copy must be what the database holds."""

    name: str = Field(primary_key=True)
    value: int
    copy_of_table: ClassVar[dict[str, int | None]] = {}
    breaks_at: ClassVar[str | None] = None

    @after_create_commit
    def tell_created(self) -> None:
        assert self.name not in self.copy_of_table
        self._copy()

    @after_update_commit
    def tell_updated(self) -> None:
        assert self.name in self.copy_of_table
        self._copy()

    @after_destroy_commit
    def tell_destroyed(self) -> None:
        del self.copy_of_table[self.name]

    def _copy(self) -> None:
        # A save that was refused since then leaves its value in the object, where the row has an older one.
        self.copy_of_table[self.name] = None if self.attribute_changed("value") else self.value

    def before_save(self) -> None:
        self._break_at("before_save")

    def after_save(self) -> None:
        self._break_at("after_save")

    def after_destroy(self) -> None:
        self._break_at("after_destroy")

    def _break_at(self, moment: str) -> None:
        if Row.breaks_at == moment:
            raise Broken


SLOTS: Final = st.integers(0, 2)
STEPS: Final = st.one_of(
    st.tuples(st.sampled_from(["save", "assign", "add", "destroy", "delete"]), SLOTS),
    st.tuples(st.just("replace"), SLOTS),
    st.tuples(st.sampled_from(["break before_save", "break after_save", "break after_destroy"]), SLOTS),
    st.tuples(st.sampled_from(["flush", "savepoint", "release", "undo", "commit", "rollback", "close"])),
)


class Run:
    """One program: three records, one session at a time, a stack of savepoints."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.numbers = count(1)
        self.session = self._open()
        self.savepoints: list[AsyncSessionTransaction] = []
        self.names = ["a", "b", "c"]
        self.records = [Row(name=name, value=0) for name in self.names]

    def _open(self) -> AsyncSession:
        return AsyncSession(self.database.engine, expire_on_commit=False)

    async def step(self, what: str, slot: int | None = None) -> None:
        """Run one step, and afterwards compare if it may have committed."""
        kind, _, argument = what.partition(" ")
        work = getattr(self, f"_{kind}")
        if slot is None:
            await work()
        else:
            await work(slot, argument)
        if kind in ("commit", "rollback", "close"):
            await self.compare()

    async def compare(self) -> None:
        """Hold the copy, and what the records say of themselves, against the table."""
        found = dict(await rows(self.database, "row", "name", "value"))
        copied = {name: found.get(name) if v is None else v for name, v in Row.copy_of_table.items()}
        assert copied == found
        for name, record in zip(self.names, self.records, strict=True):
            assert record.is_persisted == (name in found)

    async def _save(self, slot: int, _argument: str) -> None:
        record = self.records[slot]
        if not record.is_destroyed:
            self._complete(slot)
            record.value = next(self.numbers)
            await record.save(session=self.session)

    async def _assign(self, slot: int, _argument: str) -> None:
        self.records[slot].value = next(self.numbers)

    async def _add(self, slot: int, _argument: str) -> None:
        if not self.records[slot].is_destroyed:
            self._complete(slot)
            self.session.add(self.records[slot])

    def _complete(self, slot: int) -> None:
        # A savepoint's rollback expires what it has changed; if the row is then undone as well, there is
        # none to read the rest from.
        record = self.records[slot]
        if record.is_new_record:
            record.name = self.names[slot]
            record.value = next(self.numbers)

    async def _destroy(self, slot: int, _argument: str) -> None:
        await self.records[slot].destroy(session=self.session)

    async def _delete(self, slot: int, _argument: str) -> None:
        if self.records[slot].is_persisted:
            await self.session.delete(self.records[slot])

    async def _replace(self, slot: int, _argument: str) -> None:
        number = next(self.numbers)
        self.names[slot] = f"row {number}"
        self.records[slot] = Row(name=self.names[slot], value=number)

    async def _break(self, slot: int, moment: str) -> None:
        with _breaking(moment):
            try:
                await (self._destroy if moment == "after_destroy" else self._save)(slot, "")
            except Broken:
                # As a block would: the level in which it happened is rolled back.
                await (self._undo if self.savepoints else self._rollback)()

    async def _flush(self) -> None:
        await self.session.flush()

    async def _savepoint(self) -> None:
        self.savepoints.append(await self.session.begin_nested())

    async def _release(self) -> None:
        if self.savepoints:
            await self.savepoints.pop().commit()

    async def _undo(self) -> None:
        if self.savepoints:
            await self.savepoints.pop().rollback()

    async def _commit(self) -> None:
        self.savepoints.clear()
        await self.session.commit()

    async def _rollback(self) -> None:
        self.savepoints.clear()
        await self.session.rollback()

    async def _close(self) -> None:
        self.savepoints.clear()
        await self.session.close()
        self.session = self._open()


@contextmanager
def _breaking(moment: str) -> Iterator[None]:
    Row.breaks_at = moment
    try:
        yield
    finally:
        Row.breaks_at = None


async def _run(database: Database, program: list[Any]) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(delete(Row))
    Row.copy_of_table.clear()
    run = Run(database)
    try:
        for step in program:
            await run.step(*step)
        await run.step("commit")
    finally:
        await run.session.close()


_SETTINGS: Final = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=300, **_SETTINGS)
@given(program=st.lists(STEPS, min_size=10, max_size=40))
async def test_effects_are_what_was_committed(database: Database, program: list[Any]) -> None:
    """After every commit and rollback, read on a second connection."""
    note(f"{program}")
    await _run(database, program)
