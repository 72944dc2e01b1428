"""Where the model layer listens to SQLAlchemy, so that ``session.add(post)`` is as good as ``post.save()``.

The listeners stand on `sqlalchemy.orm.Session` itself, for sessions that nobody here has made. They look
for our records only; everything else passes untouched.
"""

from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, SessionTransaction

from lineside.models._lifecycle._callbacks import Action
from lineside.models._lifecycle._orphans import orphans
from lineside.models._lifecycle._refusals import refusal
from lineside.models._lifecycle._state import instance_state, is_orphan
from lineside.models._lifecycle._unit import Unit
from lineside.models._lifecycle._versions import stale_error

# The session whose flush runs in this context, for an error of the driver, which knows only its connection.
_flushing: ContextVar[Session | None] = ContextVar("lineside_flushing", default=None)
_registered: Final[list[type]] = []


def listen(record_class: type) -> None:
    """Begin to listen for the records of a class and its subclasses; done once, for `Record`."""
    _registered.append(record_class)
    for name, listener in (
        ("before_flush", _before_flush),
        ("after_flush", _after_flush),
        ("after_flush_postexec", _after_flush_postexec),
        ("after_commit", _after_commit),
        ("after_rollback", _after_rollback),
        ("after_soft_rollback", _after_soft_rollback),
        ("after_transaction_end", _after_transaction_end),
    ):
        event.listen(Session, name, listener)
    event.listen(Engine, "handle_error", _handle_error, retval=True)


def _before_flush(session: Session, _context: object, _objects: object) -> None:
    unit = Unit.known(session)
    if unit is not None:
        unit.abandon_boarded()
        unit.withhold(session)
    while found := _unprepared(session, unit):
        # A callback may add further records: they are looked for until there are none.
        unit = Unit.of(session)
        unit.is_collecting = True
        try:
            for record, action in found:
                if unit.has(record, action):
                    continue  # a callback of another one has prepared it
                if action == "destroy":
                    unit.is_leaving(record)  # and not saved, for which it was prepared
                unit.prepare(session, record, action)
                unit.leave_to_flush(record)
        except BaseException:
            # There is no flush: those that were ready for it are prepared again for the next one.
            unit.abandon()
            raise
        finally:
            unit.is_collecting = False
    if unit is not None:
        unit.board(session)
    _flushing.set(session)


def _unprepared(session: Session, unit: Unit | None) -> list[tuple[Any, Action]]:
    kinds = tuple(_registered)
    found: list[tuple[Any, Action]] = [
        *((record, "create") for record in session.new if isinstance(record, kinds)),
        *(
            (record, "destroy" if is_orphan(record) else "update")
            for record in sorted((r for r in session.dirty if isinstance(r, kinds)), key=_place)
            if session.is_modified(record, include_collections=False)
        ),
        *((record, "destroy") for record in session.deleted if isinstance(record, kinds)),
        *((orphan.record, "destroy") for orphan in orphans(session) if isinstance(orphan.record, kinds)),
    ]
    return [each for each in found if unit is None or not unit.has(*each)]


def _place(record: Any) -> str:
    # SQLAlchemy keeps changed records in a set: callbacks run in an order that two runs share.
    return repr(instance_state(record).key)


def _after_flush(session: Session, _context: object) -> None:
    if unit := Unit.known(session):
        unit.note_written(session)


def _after_flush_postexec(session: Session, _context: object) -> None:
    _flushing.set(None)
    unit = Unit.known(session)
    if unit is None:
        return
    # The flush is complete, but for its subtransaction. SQLAlchemy refuses a flush inside a flush, and
    # an after_create that creates another record is exactly that.
    private: Any = session
    private._flushing = False
    try:
        unit.finish(session)
    finally:
        private._flushing = True


def _after_commit(session: Session) -> None:
    if unit := Unit.known(session):
        unit.effects.committed(session)


def _after_rollback(session: Session) -> None:
    if unit := Unit.known(session):
        unit.effects.rolled_back(session)


def _after_soft_rollback(session: Session, _previous: SessionTransaction) -> None:
    if unit := Unit.known(session):
        _flushing.set(None)
        stale = stale_error(flight.record for flight in unit.flights.values() if flight.is_ready)
        unit.abandon()
        if stale is not None:
            # SQLAlchemy does nothing after this event: its own error is the one that is lost.
            raise stale


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    if unit := Unit.known(session):
        if transaction.parent is None:
            unit.abandon()  # a session that is closed in the middle of a flush says nothing else
        unit.effects.ended(session, transaction)


def _handle_error(context: Any) -> Exception | None:
    session = _flushing.get()
    return None if session is None else refusal(Unit.of(session), context)
