"""What lineside remembers of one record, beside SQLAlchemy's own state of it."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState

Changes = dict[str, tuple[Any, Any]]
"""Attribute to what it was and what it is."""

_KEY = "lineside"


@dataclass(slots=True)
class RecordState:
    """The memory of one record.

    Attributes:
        saved_changes: What the last save wrote.
        is_destroyed: Whether its row was deleted by this object.
        was_new: Whether the last save created the row.
        generated_key: The parts of its primary key that the database gave it.
    """

    saved_changes: Changes = field(default_factory=dict[str, tuple[Any, Any]])
    is_destroyed: bool = False
    was_new: bool = False
    generated_key: tuple[str, ...] = ()


def instance_state(record: object) -> InstanceState[Any]:
    """Return SQLAlchemy's state of a record."""
    state: InstanceState[Any] = inspect(record)
    return state


def state_of(record: object) -> RecordState:
    """Return the memory of a record, made when it is first asked for."""
    info = instance_state(record).info
    known: RecordState | None = info.get(_KEY)
    if known is None:
        known = info[_KEY] = RecordState()
    return known


def changes_of(record: object) -> Changes:
    """Return the changes of the mapped columns since the record was loaded or saved.

    An attribute that was never loaded has no old value: it counts as changed from None.
    """
    state = instance_state(record)
    is_new = not state.has_identity
    changes: Changes = {}
    for attribute in state.mapper.column_attrs:
        key = attribute.key
        if not is_new and key not in state.committed_state:
            continue
        history = state.attrs[key].history
        if history.added:
            old = history.deleted[0] if history.deleted else None
            if not is_new or history.added[0] is not None:
                changes[key] = (old, history.added[0])
    return changes


def load_expired(record: object) -> None:
    """Load again what a commit has expired, for code that cannot wait at an attribute."""
    state = instance_state(record)
    expired = state.expired_attributes.intersection(state.mapper.column_attrs.keys())
    if expired and state.persistent:
        getattr(record, min(expired))  # one query for all of them


def is_orphan(record: object) -> bool:
    """Tell whether a record left a collection with the cascade "delete-orphan": a flush deletes it."""
    private: Any = instance_state(record).mapper
    return bool(private._is_orphan(instance_state(record)))


def missing_key(record: object) -> tuple[str, ...]:
    """Return the parts of the primary key that the database is going to give."""
    mapper = instance_state(record).mapper
    names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    return tuple(name for name in names if getattr(record, name) is None)
