"""The way of records through one flush: callbacks and validations before, callbacks after.

A record is *prepared* (validations, before callbacks), then written by SQLAlchemy's unit of work, then
*finished* (after callbacks). All of this is sync code: under an ``AsyncSession`` it runs in a greenlet.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from sqlalchemy.orm import Session

from lineside.exceptions import RecordInvalid
from lineside.models._callbacks import Action, Moment
from lineside.models._chain import Around, steps
from lineside.models._current import calling_as
from lineside.models._effects import Effects
from lineside.models._errors import errors_of
from lineside.models._state import changes_of, state_of
from lineside.models._timestamps import touch
from lineside.models._validations import validate

_KEY: Final = "lineside"


@dataclass(slots=True)
class Flight:
    """One record on its way to the database."""

    record: Any
    action: Action
    is_ready: bool = False
    is_written: bool = False
    arounds: dict[Moment, list[Around]] = field(default_factory=dict[Moment, list[Around]])


class Unit:
    """The records on their way in one session, and the effects that wait for its transactions."""

    __slots__ = ("effects", "flights", "is_collecting")

    def __init__(self) -> None:
        self.effects = Effects()
        self.flights: dict[int, Flight] = {}
        # Whether a flush is looking for what it will write: a save joins it then.
        self.is_collecting = False

    @classmethod
    def of(cls, session: Session) -> "Unit":
        """Return the unit of a session, made when it is first asked for."""
        known: Unit | None = session.info.get(_KEY)
        if known is None:
            known = session.info[_KEY] = cls()
        return known

    def prepare(self, session: Session, record: Any, action: Action) -> None:
        """Run what comes before the row is written.

        Raises:
            RecordInvalid: The record breaks its validations.
        """
        flight = self.flights[id(record)] = Flight(record, action)
        state = state_of(record)
        state.is_in_flight = True
        try:
            # A query of a callback or a validation must not write the record that it is about.
            with calling_as(session), session.no_autoflush:
                if action == "destroy":
                    _enter(flight, "destroy")
                else:
                    self._prepare_save(session, flight, skips_validation=state.skips_validation)
        except BaseException:
            self.discard(record)
            raise
        flight.is_ready = True

    def _prepare_save(self, session: Session, flight: Flight, *, skips_validation: bool) -> None:
        record = flight.record
        on = cast("Literal['create', 'update']", flight.action)
        if not skips_validation and not _validated(session, flight, on):
            raise RecordInvalid(type(record).__name__, errors_of(record), record=record)
        _enter(flight, "save")
        _enter(flight, on)
        touch(record, on)

    def check(self, session: Session, record: Any, on: Literal["create", "update"]) -> bool:
        """Run the validations and their callbacks without writing anything."""
        with calling_as(session), session.no_autoflush:
            return _validated(session, Flight(record, on), on)

    def discard(self, record: Any) -> None:
        """Forget a record that is not going to be written."""
        flight = self.flights.pop(id(record), None)
        if flight is None:
            return
        state = state_of(record)
        state.is_in_flight = state.skips_validation = False
        for around in [around for arounds in flight.arounds.values() for around in arounds][::-1]:
            around.close()

    def note_written(self, session: Session, *, flushed: bool = True) -> None:
        """Remember what was written, while SQLAlchemy still knows what the values were.

        Args:
            session: The session.
            flushed: Whether a flush ran: one that a callback asked for takes along what is still being
                prepared.
        """
        for flight in self.flights.values():
            if not flight.is_ready and not (flushed and _is_part_of_flush(session, flight)):
                continue
            record, state = flight.record, state_of(flight.record)
            if flight.action != "destroy":
                earlier = state.saved_changes if flight.is_written else {}
                state.saved_changes = {**earlier, **changes_of(record)}
            flight.is_written = True
            self.effects.wrote(session, record, flight.action)

    def abandon(self) -> None:
        """Forget the records whose flush has failed."""
        for flight in [flight for flight in self.flights.values() if flight.is_ready]:
            self.discard(flight.record)

    def finish(self, session: Session) -> None:
        """Run what comes after the rows are written, in the order in which they were prepared."""
        ready = [flight for flight in self.flights.values() if flight.is_ready]
        for flight in ready:
            del self.flights[id(flight.record)]
            state = state_of(flight.record)
            state.is_in_flight = state.skips_validation = False
            state.is_destroyed = flight.action == "destroy"
            state.was_new = flight.action == "create"
        with calling_as(session):
            for flight in ready:
                _leave(flight, flight.action)
                if flight.action != "destroy":
                    _leave(flight, "save")


def _validated(session: Session, flight: Flight, on: Literal["create", "update"]) -> bool:
    _enter(flight, "validation")
    is_valid = validate(flight.record, session, on=on)
    _leave(flight, "validation")
    return is_valid


def _is_part_of_flush(session: Session, flight: Flight) -> bool:
    if flight.action == "destroy":
        return flight.record in session.deleted
    return flight.record in session


def _enter(flight: Flight, moment: Moment) -> None:
    for step in steps(type(flight.record), moment):
        if step.kind == "after" or not step.applies_to(flight.record, flight.action):
            continue
        if step.kind == "around":
            flight.arounds.setdefault(moment, []).append(step.begin(flight.record))
        else:
            step.run(flight.record)


def _leave(flight: Flight, moment: Moment) -> None:
    for around in reversed(flight.arounds.pop(moment, [])):
        around.finish()
    for step in steps(type(flight.record), moment):
        if step.kind == "after" and step.applies_to(flight.record, flight.action):
            step.run(flight.record)
