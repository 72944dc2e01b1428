"""What waits for a COMMIT: after_commit and after_rollback, per transaction and savepoint.

A savepoint that is released hands what it holds to the transaction around it; one that is rolled back
takes it along. The effects of a committed transaction run once, in the order in which the rows were
first written, when the connection is back in the pool: what they write is a transaction of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session, SessionTransaction

from lineside.models._chain import settled, steps
from lineside.models._current import calling_as
from lineside.models._state import state_of

Effect = Callable[[], Any]


@dataclass(slots=True)
class _Written:
    record: Any
    actions: list[str]


@dataclass(slots=True)
class _Frame:
    """The effects of one transaction or savepoint."""

    written: dict[int, _Written] = field(default_factory=dict[int, _Written])
    effects: list[Effect] = field(default_factory=list[Effect])
    undo: list[Effect] = field(default_factory=list[Effect])


class Effects:
    """The frames of one session, and which of its transactions were committed."""

    __slots__ = ("_committed", "_frames")

    def __init__(self) -> None:
        self._frames: dict[SessionTransaction, _Frame] = {}
        self._committed: set[SessionTransaction] = set()

    def wrote(self, session: Session, record: Any, action: str) -> None:
        """Remember that a row was written in the innermost transaction."""
        written = self._frame(session).written
        entry = written.setdefault(id(record), _Written(record, []))
        if action not in entry.actions:
            entry.actions.append(action)

    def after_commit(self, session: Session, effect: Effect) -> None:
        """Run something when the innermost transaction and all around it are committed."""
        self._frame(session).effects.append(effect)

    def after_rollback(self, session: Session, effect: Effect) -> None:
        """Run something when the innermost transaction, or one around it, is rolled back."""
        self._frame(session).undo.append(effect)

    def committed(self, session: Session) -> None:
        """Note that the innermost transaction's COMMIT or RELEASE has succeeded."""
        transaction = _innermost(session)
        if transaction in self._frames:
            self._committed.add(transaction)

    def ended(self, session: Session, transaction: SessionTransaction) -> None:
        """Run, hand on or drop the effects of a transaction that has ended."""
        frame = self._frames.pop(transaction, None)
        if frame is None:
            return
        if transaction not in self._committed:
            _run(session, [*_rollback_effects(frame), *frame.undo])
            return
        self._committed.discard(transaction)
        outer = _outer(transaction)
        if outer is not None:
            self._merge(outer, frame)
            return
        _run(session, [*_commit_effects(frame), *frame.effects])
        if session.in_transaction():
            # What the effects wrote would otherwise be rolled back in silence when the session closes.
            session.commit()

    def _frame(self, session: Session) -> _Frame:
        transaction = _innermost(session)
        if transaction is None:
            transaction = session.begin()
        return self._frames.setdefault(transaction, _Frame())

    def _merge(self, outer: SessionTransaction, inner: _Frame) -> None:
        frame = self._frames.setdefault(outer, _Frame())
        for key, entry in inner.written.items():
            known = frame.written.setdefault(key, _Written(entry.record, []))
            known.actions.extend(action for action in entry.actions if action not in known.actions)
        frame.effects.extend(inner.effects)
        frame.undo.extend(inner.undo)


def _innermost(session: Session) -> Any:
    return session.get_nested_transaction() or session.get_transaction()


def _outer(transaction: SessionTransaction) -> SessionTransaction | None:
    parent = transaction.parent
    while parent is not None and parent.parent is not None and not parent.nested:
        parent = parent.parent
    return parent


def _commit_effects(frame: _Frame) -> list[Effect]:
    effects: list[Effect] = []
    for entry in frame.written.values():
        record, actions = entry.record, _net(entry.actions)
        for step in steps(type(record), "commit"):
            action = next((action for action in actions if step.applies_to(record, action)), None)
            if action is not None:
                effects.append(_bound(step.run, record))
    return effects


def _rollback_effects(frame: _Frame) -> list[Effect]:
    effects: list[Effect] = []
    for entry in reversed(frame.written.values()):
        if "destroy" in entry.actions:
            state_of(entry.record).is_destroyed = False
        for step in steps(type(entry.record), "rollback"):
            if any(step.applies_to(entry.record, action) for action in entry.actions):
                effects.append(_bound(step.run, entry.record))
    return effects


def _net(actions: list[str]) -> list[str]:
    """Return what a reader of the database sees happen; created and destroyed is nothing."""
    if "destroy" in actions:
        return [] if "create" in actions else ["destroy"]
    return ["create"] if "create" in actions else actions


def _bound(run: Callable[[Any], None], record: Any) -> Effect:
    return lambda: run(record)


def _run(session: Session, effects: list[Effect]) -> None:
    """Run every effect, also after one has failed: the transaction is over, each stands for itself."""
    failures: list[Exception] = []
    with calling_as(session):
        for effect in effects:
            try:
                settled(effect(), "an after_commit effect")
            except Exception as error:  # noqa: BLE001 - raised below, when the others have run
                failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup("effects after the transaction failed", failures)
