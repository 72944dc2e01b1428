"""The way of records through one flush: callbacks and validations before, callbacks after.

A record is *prepared* (validations, before callbacks), then written by SQLAlchemy's unit of work, then
*finished* (after callbacks). All of this is sync code: under an ``AsyncSession`` it runs in a greenlet.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final, Literal, cast

from sqlalchemy.orm import Session

from lineside.exceptions import RecordInvalid
from lineside.models._association._counter_cache import note_owners, update_owners
from lineside.models._association._dependent import Consequences, destroy_dependents
from lineside.models._lifecycle._callbacks import Action
from lineside.models._lifecycle._chain import refuse_async
from lineside.models._lifecycle._current import calling_as
from lineside.models._lifecycle._effects import Effects
from lineside.models._lifecycle._flight import Flight, close, enter, is_going, leave, withheld
from lineside.models._lifecycle._state import changes_of, missing_key, state_of
from lineside.models._lifecycle._timestamps import keep, touch
from lineside.models._validation._errors import errors_of
from lineside.models._validation._validations import validate

_KEY: Final = "lineside"


class Unit:
    """The records on their way in one session, and the effects that wait for its transactions."""

    __slots__ = ("_boarded", "effects", "flights", "is_collecting")

    def __init__(self) -> None:
        self.effects = Effects()
        self.flights: dict[int, Flight] = {}
        # Those of the flush under way; another task that shares the session may have prepared more.
        self._boarded: list[Flight] = []
        # Whether a flush is looking for what it will write: a save joins it then.
        self.is_collecting = False

    @classmethod
    def of(cls, session: Session) -> "Unit":
        """Return the unit of a session, made when it is first asked for."""
        known = cls.known(session)
        if known is None:
            known = session.info[_KEY] = cls()
        return known

    @staticmethod
    def known(session: Session) -> "Unit | None":
        """Return the unit of a session, if it has ever had to do with records."""
        found: Unit | None = session.info.get(_KEY)
        return found

    def prepare(
        self,
        session: Session,
        record: Any,
        action: Action,
        *,
        validates: bool = True,
        is_for_good: bool = False,
    ) -> None:
        """Run what comes before the row is written.

        Args:
            session: The session.
            record: The record.
            action: What happens to it.
            validates: See `Flight`.
            is_for_good: See `Flight`.

        Raises:
            RecordInvalid: The record breaks its validations.
        """
        consequences = Consequences()
        try:
            self.prepare_all(
                session, [record], action, consequences, validates=validates, is_for_good=is_for_good
            )
            consequences.happen(session)
        except BaseException:
            for one in (record, *consequences.records):
                self.discard(one)
            raise

    def prepare_all(
        self,
        session: Session,
        records: Sequence[Any],
        action: Action,
        consequences: Consequences,
        *,
        validates: bool = True,
        is_for_good: bool = False,
    ) -> None:
        """Run what comes before the rows of several records of one class are written.

        Args:
            session: The session.
            records: The records.
            action: What happens to them.
            consequences: Where to note what follows from it.
            validates: See `Flight`.
            is_for_good: See `Flight`.

        Raises:
            RecordInvalid: A record breaks its validations.
            DeleteRestrictionError: Others depend on it.
        """
        refuse_async(type(records[0]), action)
        flights = [Flight(record, action, validates=validates, is_for_good=is_for_good) for record in records]
        self.flights.update({id(flight.record): flight for flight in flights})
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
                flight.give_back = withheld(session, flight.record)

    def has(self, record: Any, action: Action | None = None) -> bool:
        """Tell whether a record is on its way, and if it is to be destroyed, whether that is why."""
        flight = self.flights.get(id(record))
        if flight is None:
            return False
        return action != "destroy" or flight.action == "destroy" or not flight.is_ready

    def leave_to_flush(self, record: Any) -> None:
        """Say that only a flush knows what becomes of a prepared record."""
        flight = self.flights.get(id(record))
        if flight is not None:
            flight.is_left_to_flush = True

    def board(self, session: Session) -> bool:
        """Note which prepared records the flush that begins is going to write, and tell whether any.

        A callback may have taken one out of the session again: it is forgotten.
        """
        deleted = session.deleted
        self._boarded = []
        for flight in [flight for flight in self.flights.values() if flight.is_ready]:
            if is_going(session, flight, is_deleted=flight.record in deleted):
                self._boarded.append(flight)
            elif flight.action != "destroy" or flight.is_left_to_flush:
                self.discard(flight.record)
            # Else its `destroy` has not come to the deletion yet: this is a flush that it needs before.
        return bool(self._boarded)

    def is_leaving(self, record: Any) -> bool:
        """Tell whether a record is about to be deleted already; if it is about to be saved, forget that."""
        flight = self.flights.get(id(record))
        if flight is None:
            return False
        if flight.action == "destroy":
            return True
        self.discard(record)
        return False

    def _prepare_one(self, session: Session, flight: Flight) -> None:
        if flight.action == "destroy":
            enter(flight, "destroy")
        else:
            self._prepare_save(session, flight)

    def _prepare_save(self, session: Session, flight: Flight) -> None:
        record = flight.record
        on = cast("Literal['create', 'update']", flight.action)
        if on == "update":
            keep(record)
        if flight.validates and not _validated(session, flight, on):
            raise RecordInvalid(type(record).__name__, errors_of(record), record=record)
        enter(flight, "save")
        enter(flight, on)
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
        if flight is not None:
            close([flight])

    def note_written(self, session: Session) -> None:
        """Remember what was written, while SQLAlchemy still knows what the values were."""
        # A new record that is nobody's is left out by the flush, where the cascade is "delete-orphan".
        left_out = [each for each in self._boarded if each.action == "create" and each.record not in session]
        for flight in left_out:
            self._boarded.remove(flight)
            self.discard(flight.record)
        for flight in self._boarded:
            if flight.action != "destroy":
                state_of(flight.record).saved_changes = changes_of(flight.record)
            self.effects.wrote(session, flight.record, flight.action)

    def abandon(self) -> None:
        """Forget the records whose flush has failed."""
        self._forget([flight for flight in self.flights.values() if flight.is_ready])

    def abandon_boarded(self) -> None:
        """Forget the records of a flush that has never come: another listener has refused it."""
        self._forget(self._boarded)

    def _forget(self, flights: Sequence[Flight]) -> None:
        self._boarded = []
        with ExitStack() as stack:
            for flight in flights:
                stack.callback(self.discard, flight.record)

    def finish(self, session: Session) -> None:
        """Run what comes after the rows are written, in the order in which they were prepared."""
        ready, self._boarded = self._boarded, []
        for flight in ready:
            self.flights.pop(id(flight.record), None)
            state = state_of(flight.record)
            state.is_destroyed = flight.action == "destroy"
            state.was_new = flight.action == "create"
        try:
            update_owners(session, ready)
            with calling_as(session):
                for flight in ready:
                    leave(flight, flight.action)
                    if flight.action != "destroy":
                        leave(flight, "save")
        except BaseException:
            close(ready)
            raise


def _validated(session: Session, flight: Flight, on: Literal["create", "update"]) -> bool:
    enter(flight, "validation")
    is_valid = validate(flight.record, session, on=on)
    leave(flight, "validation")
    return is_valid
