"""One record on its way through a flush, and the callbacks that it meets there."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from lineside.models._association._pairs import Key
from lineside.models._lifecycle._callbacks import Action, Moment
from lineside.models._lifecycle._chain import Around, steps
from lineside.models._lifecycle._state import instance_state, is_orphan


@dataclass(slots=True, eq=False)
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
        validates: Whether its validations run.
        is_left_to_flush: Whether no `save` or `destroy` looks after it: a flush does.
    """

    record: Any
    action: Action
    is_ready: bool = False
    give_back: Callable[[], None] | None = None
    arounds: dict[Moment, list[Around]] = field(default_factory=dict[Moment, list[Around]])
    owners: dict[str, Key | None] | None = field(default_factory=dict[str, "Key | None"])
    is_for_good: bool = False
    validates: bool = True
    is_left_to_flush: bool = False


def is_going(session: Session, flight: Flight, *, is_deleted: bool) -> bool:
    """Tell whether a flush of the session does what a record was prepared for."""
    if is_deleted:
        return flight.action == "destroy"
    return flight.record in session and (flight.action != "destroy" or is_orphan(flight.record))


def withheld(session: Session, record: Any) -> Callable[[], None] | None:
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


def enter(flight: Flight, moment: Moment) -> None:
    """Run what comes before a moment, and the first halves of what stands around it."""
    for step in steps(type(flight.record), moment):
        if step.kind == "after" or not step.applies_to(flight.record, flight.action):
            continue
        if step.kind == "around":
            flight.arounds.setdefault(moment, []).append(step.begin(flight.record))
        else:
            step.run(flight.record)


def leave(flight: Flight, moment: Moment) -> None:
    """Run the second halves of what stands around a moment, and what comes after it."""
    arounds = flight.arounds.get(moment, [])
    while arounds:
        arounds.pop().finish()
    for step in steps(type(flight.record), moment):
        if step.kind == "after" and step.applies_to(flight.record, flight.action):
            step.run(flight.record)


def close(flights: Sequence[Flight]) -> None:
    """End the around callbacks that have begun, innermost first, also when one of them raises."""
    with ExitStack() as stack:
        for flight in flights:
            for around in [around for arounds in flight.arounds.values() for around in arounds]:
                stack.callback(around.close)
