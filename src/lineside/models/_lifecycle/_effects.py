"""What waits for a COMMIT: after_commit and after_rollback, per transaction and savepoint.

A savepoint that is released hands what it holds to the transaction around it; one that is rolled back
takes it along. The effects of a committed transaction run once, in the order in which the rows were
first written, when the connection is back in the pool.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.orm import (
    InstanceState,
    Session,
    SessionTransaction,
    make_transient,
    make_transient_to_detached,
)
from sqlalchemy.orm.attributes import set_committed_value

from lineside.models._lifecycle._chain import WAITING, Step, steps
from lineside.models._lifecycle._run_effects import Effect, run_effects
from lineside.models._lifecycle._state import instance_state, load_expired, state_of


@dataclass(slots=True)
class _Written:
    """What was written of a record.

    Attributes:
        held: The record, if callbacks of its class wait for the end; else it may be forgotten before.
        actions: What has happened to its row.
        kept: What it held when it was rolled back.
    """

    held: Any
    actions: list[str]
    kept: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class _Frame:
    """The effects of one transaction or savepoint.

    Attributes:
        records: The session's records; a session that is closed has others.
        written: What it has written, by SQLAlchemy's state of the record: a transaction that writes a million
            rows need not hold their records.
        effects: What waits for its commit.
        undo: What waits for its rollback.
    """

    records: object
    written: WeakKeyDictionary[InstanceState[Any], _Written] = field(
        default_factory=WeakKeyDictionary[InstanceState[Any], _Written]
    )
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
        waits = any(steps(type(record), moment) for moment in WAITING)
        fresh = _Written(record if waits else None, [])
        entry = self._frame(session).written.setdefault(instance_state(record), fresh)
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

    def rolled_back(self, session: Session) -> None:
        """Keep what the records hold that the innermost transaction has written: SQLAlchemy expires it."""
        frame = self._frames.get(_innermost(session))
        for state, entry in list(frame.written.items()) if frame is not None else ():
            entry.kept = {name: state.dict[name] for name in state.mapper.columns.keys() & state.dict.keys()}

    def ended(self, session: Session, transaction: SessionTransaction) -> None:
        """Run, hand on or drop the effects of a transaction that has ended."""
        frame = self._frames.pop(transaction, None)
        if frame is None:
            return
        outer = _outer(transaction)
        if transaction not in self._committed:
            run_effects(
                session,
                [*_rollback_effects(frame), *frame.undo],
                is_over=outer is None,
                may_raise=not _has_error_on_its_way(session, transaction, frame),
            )
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
        return self._frames.setdefault(transaction, _Frame(session.identity_map))

    def _merge(self, outer: SessionTransaction, inner: _Frame) -> None:
        frame = self._frames.setdefault(outer, _Frame(inner.records))
        for state, entry in list(inner.written.items()):
            known = frame.written.setdefault(state, _Written(entry.held, []))
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


def _has_error_on_its_way(session: Session, transaction: SessionTransaction, frame: _Frame) -> bool:
    """Tell whether a rollback comes, or may come, of an error that the caller waits for.

    The greenlet of an ``AsyncSession`` does not see that error. But a session that is closed in the middle
    of a transaction, and a block that does not commit, have one as a rule.
    """
    private: Any = session
    is_closed = frame.records is not session.identity_map
    is_end_of_block = private._trans_context_manager is transaction
    return sys.exc_info()[1] is not None or is_closed or is_end_of_block


def _commit_effects(frame: _Frame) -> list[Effect]:
    return [
        _bound(step, record, _net(entry.actions))
        for record, entry in _entries(frame)
        for step in steps(type(record), "commit")
    ]


def _rollback_effects(frame: _Frame) -> list[Effect]:
    entries = _entries(frame)[::-1]
    for record, entry in entries:
        _restore(record, entry)
    return [
        _undone(step, record, entry) for record, entry in entries for step in steps(type(record), "rollback")
    ]


def _entries(frame: _Frame) -> list[tuple[Any, _Written]]:
    """Return the records that still exist, in the order in which they were first written."""
    found = [(state.obj(), entry) for state, entry in list(frame.written.items())]
    return [(record, entry) for record, entry in found if record is not None]


def _restore(record: Any, entry: _Written) -> None:
    """Let a record know again whether it has a row.

    SQLAlchemy's rollback does so; closing a session rolls back as well, and leaves the records as they are.
    """
    memory, state = state_of(record), instance_state(record)
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


def _undone(step: Step, record: Any, entry: _Written) -> Effect:
    bound = _bound(step, record, entry.actions)

    def effect() -> None:
        with _as_it_was(record, entry):
            bound()

    return effect


@contextmanager
def _as_it_was(record: Any, entry: _Written) -> Generator[None]:
    """Show what a record held that is without a session, and cannot be read from its row any more."""
    state = instance_state(record)
    shown = state.expired_attributes & entry.kept.keys() if state.detached else set[str]()
    for name in shown:
        set_committed_value(record, name, entry.kept[name])
    try:
        yield
    finally:
        # They are no values of its row: the next session reads that.
        private: Any = state
        private._expire_attributes(state.dict, shown - state.committed_state.keys())
