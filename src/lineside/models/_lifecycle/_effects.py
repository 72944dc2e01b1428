"""What waits for a COMMIT: after_commit and after_rollback, per transaction and savepoint.

A savepoint that is released hands what it holds to the transaction around it; one that is rolled back
takes it along. The effects of a committed transaction run once, in the order in which the rows were
first written, when the connection is back in the pool.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session, SessionTransaction, make_transient, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from lineside.models._lifecycle._chain import Step, steps
from lineside.models._lifecycle._run_effects import Effect, run_effects
from lineside.models._lifecycle._state import instance_state, load_expired, state_of


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
        entry.actions = _followed(entry.actions, [action])

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
        outer = _outer(transaction)
        if transaction not in self._committed:
            run_effects(session, [*_rollback_effects(frame), *frame.undo], is_over=outer is None)
            return
        self._committed.discard(transaction)
        if outer is not None:
            self._merge(outer, frame)
            return
        run_effects(session, [*_commit_effects(frame), *frame.effects], is_over=True)

    def _frame(self, session: Session) -> _Frame:
        transaction = _innermost(session)
        if transaction is None:
            transaction = session.begin()
        return self._frames.setdefault(transaction, _Frame())

    def _merge(self, outer: SessionTransaction, inner: _Frame) -> None:
        frame = self._frames.setdefault(outer, _Frame())
        for key, entry in inner.written.items():
            known = frame.written.setdefault(key, _Written(entry.record, []))
            known.actions = _followed(known.actions, entry.actions)
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
    return [
        _bound(step, entry.record, _net(entry.actions))
        for entry in frame.written.values()
        for step in steps(type(entry.record), "commit")
    ]


def _rollback_effects(frame: _Frame) -> list[Effect]:
    entries = list(reversed(frame.written.values()))
    for entry in entries:
        _restore(entry)
    return [
        _bound(step, entry.record, entry.actions)
        for entry in entries
        for step in steps(type(entry.record), "rollback")
    ]


def _restore(entry: _Written) -> None:
    """Let a record know again whether it has a row.

    SQLAlchemy's rollback does so; closing a session rolls back as well, and leaves the records as they are.
    """
    record, memory, state = entry.record, state_of(entry.record), instance_state(entry.record)
    memory.is_destroyed = False
    if "create" in entry.actions:
        # Also after a rollback: what a savepoint inside has expired would still be looked for in the row.
        make_transient(record)
        for name in memory.generated_key:
            # Another row may have it by now.
            set_committed_value(record, name, None)
    elif "destroy" in entry.actions and not state.persistent:
        make_transient(record)
        make_transient_to_detached(record)


def _net(actions: list[str]) -> list[str]:
    """Return what a reader of the database sees happen; created and destroyed is nothing."""
    if actions[-1] == "destroy":
        return [] if "create" in actions else ["destroy"]
    return ["create"] if "create" in actions else actions[-1:]


def _followed(actions: list[str], by: list[str]) -> list[str]:
    """Return each action once, in the order in which they came last: a hidden row may have been restored."""
    return [*(action for action in actions if action not in by), *by]


def _bound(step: Step, record: Any, actions: list[str]) -> Effect:
    def effect() -> None:
        load_expired(record)
        if any(step.applies_to(record, action) for action in actions):
            step.run(record)

    return effect
