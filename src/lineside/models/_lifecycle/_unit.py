"""The way of records through one flush: callbacks and validations before, callbacks after.

A record is *prepared* (validations, before callbacks), then written by SQLAlchemy's unit of work, then
*finished* (after callbacks). All of this is sync code: under an ``AsyncSession`` it runs in a greenlet.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from sqlalchemy.orm import Session

from lineside.exceptions import RecordInvalid
from lineside.models._association._counter_cache import note_owners, update_owners
from lineside.models._association._dependent import Consequences, destroy_dependents
from lineside.models._association._pairs import Key
from lineside.models._lifecycle._callbacks import Action, Moment
from lineside.models._lifecycle._chain import Around, steps
from lineside.models._lifecycle._current import calling_as
from lineside.models._lifecycle._effects import Effects
from lineside.models._lifecycle._state import changes_of, instance_state, missing_key, state_of
from lineside.models._lifecycle._timestamps import touch
from lineside.models._validation._errors import errors_of
from lineside.models._validation._validations import validate

_KEY: Final = "lineside"


@dataclass(slots=True)
class Flight:
    """One record on its way to the database.

    Attributes:
        record: The record.
        action: What happens to it.
        is_ready: Whether all that comes before the writing is done.
        give_back: Shows its changes to SQLAlchemy again, if they are hidden from a flush.
        arounds: The callbacks around it that have begun.
        owners: Whom its row named before; None: nobody is to count it.
        is_for_good: Whether its row goes, though its class hides rows that are destroyed.
    """

    record: Any
    action: Action
    is_ready: bool = False
    give_back: Callable[[], None] | None = None
    arounds: dict[Moment, list[Around]] = field(default_factory=dict[Moment, list[Around]])
    owners: dict[str, Key | None] | None = field(default_factory=dict[str, "Key | None"])
    is_for_good: bool = False


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

    def prepare(self, session: Session, record: Any, action: Action, *, is_for_good: bool = False) -> None:
        """Run what comes before the row is written.

        Args:
            session: The session.
            record: The record.
            action: What happens to it.
            is_for_good: See `Flight`.

        Raises:
            RecordInvalid: The record breaks its validations.
        """
        consequences = Consequences()
        try:
            self.prepare_all(session, [record], action, consequences, is_for_good=is_for_good)
        except BaseException:
            for follower in consequences.records:
                self.discard(follower)
            raise
        consequences.happen(session)

    def prepare_all(
        self,
        session: Session,
        records: Sequence[Any],
        action: Action,
        consequences: Consequences,
        *,
        is_for_good: bool = False,
    ) -> None:
        """Run what comes before the rows of several records of one class are written.

        Args:
            session: The session.
            records: The records.
            action: What happens to them.
            consequences: Where to note what follows from it.
            is_for_good: See `Flight`.

        Raises:
            RecordInvalid: A record breaks its validations.
            DeleteRestrictionError: Others depend on it.
        """
        flights = [self._begin(record, action, is_for_good=is_for_good) for record in records]
        try:
            # A query of a callback or a validation must not write the record that it is about.
            with calling_as(session), session.no_autoflush:
                for flight in flights:
                    self._prepare_one(session, flight)
                note_owners(session, flights)
                if action == "destroy":
                    destroy_dependents(session, self, records, consequences, is_for_good=is_for_good)
        except BaseException:
            for record in records:
                self.discard(record)
            raise
        finally:
            for flight in flights:
                if flight.give_back is not None:
                    flight.give_back()
        for flight in flights:
            flight.is_ready = True

    def withhold(self, session: Session) -> None:
        """Keep records that are still being prepared out of a flush that one of their callbacks asks for."""
        for flight in self.flights.values():
            if not flight.is_ready and flight.give_back is None:
                flight.give_back = _withheld(session, flight.record)

    def is_leaving(self, record: Any) -> bool:
        """Tell whether a record is about to be deleted already; if it is about to be saved, forget that."""
        flight = self.flights.get(id(record))
        if flight is None:
            return False
        if flight.action == "destroy":
            return True
        self.discard(record)
        return False

    def _begin(self, record: Any, action: Action, *, is_for_good: bool) -> Flight:
        flight = self.flights[id(record)] = Flight(record, action, is_for_good=is_for_good)
        state_of(record).is_in_flight = True
        return flight

    def _prepare_one(self, session: Session, flight: Flight) -> None:
        if flight.action == "destroy":
            _enter(flight, "destroy")
        else:
            self._prepare_save(session, flight, skips_validation=state_of(flight.record).skips_validation)

    def _prepare_save(self, session: Session, flight: Flight, *, skips_validation: bool) -> None:
        record = flight.record
        on = cast("Literal['create', 'update']", flight.action)
        if not skips_validation and not _validated(session, flight, on):
            raise RecordInvalid(type(record).__name__, errors_of(record), record=record)
        _enter(flight, "save")
        _enter(flight, on)
        touch(record, on)
        if on == "create":
            state_of(record).generated_key = missing_key(record)

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
        _close([flight])

    def note_written(self, session: Session) -> None:
        """Remember what was written, while SQLAlchemy still knows what the values were."""
        for flight in self.flights.values():
            if flight.is_ready:
                if flight.action != "destroy":
                    state_of(flight.record).saved_changes = changes_of(flight.record)
                self.effects.wrote(session, flight.record, flight.action)

    def abandon(self) -> None:
        """Forget the records whose flush has failed."""
        with ExitStack() as stack:
            for flight in self.flights.values():
                if flight.is_ready:
                    stack.callback(self.discard, flight.record)

    def finish(self, session: Session) -> None:
        """Run what comes after the rows are written, in the order in which they were prepared."""
        ready = [flight for flight in self.flights.values() if flight.is_ready]
        for flight in ready:
            del self.flights[id(flight.record)]
            state = state_of(flight.record)
            state.is_in_flight = state.skips_validation = False
            state.is_destroyed = flight.action == "destroy"
            state.was_new = flight.action == "create"
        try:
            update_owners(session, ready)
            with calling_as(session):
                for flight in ready:
                    _leave(flight, flight.action)
                    if flight.action != "destroy":
                        _leave(flight, "save")
        except BaseException:
            _close(ready)
            raise


def _validated(session: Session, flight: Flight, on: Literal["create", "update"]) -> bool:
    _enter(flight, "validation")
    is_valid = validate(flight.record, session, on=on)
    _leave(flight, "validation")
    return is_valid


def _withheld(session: Session, record: Any) -> Callable[[], None] | None:
    """Hide a record's changes from the flush that begins, and return what shows them again.

    SQLAlchemy has no public way to leave one record out.
    """
    private: Any = session
    state = instance_state(record)
    modified: set[Any] = private.identity_map._modified
    if state in private._new:
        del private._new[state]
        return lambda: private._new.setdefault(state, record)
    if state in modified:
        modified.remove(state)
        return lambda: modified.add(state)
    return None


def _enter(flight: Flight, moment: Moment) -> None:
    for step in steps(type(flight.record), moment):
        if step.kind == "after" or not step.applies_to(flight.record, flight.action):
            continue
        if step.kind == "around":
            flight.arounds.setdefault(moment, []).append(step.begin(flight.record))
        else:
            step.run(flight.record)


def _leave(flight: Flight, moment: Moment) -> None:
    arounds = flight.arounds.get(moment, [])
    while arounds:
        arounds.pop().finish()
    for step in steps(type(flight.record), moment):
        if step.kind == "after" and step.applies_to(flight.record, flight.action):
            step.run(flight.record)


def _close(flights: Sequence[Flight]) -> None:
    """End the around callbacks that have begun, innermost first, also when one of them raises."""
    with ExitStack() as stack:
        for flight in flights:
            for around in [around for arounds in flight.arounds.values() for around in arounds]:
                stack.callback(around.close)
