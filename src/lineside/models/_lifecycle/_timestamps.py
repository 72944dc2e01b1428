"""When a row was created and last changed: ``created_at`` and ``updated_at``, as ActiveRecord keeps them."""

from datetime import UTC, datetime
from typing import Any

from lineside.models._lifecycle._state import changes_of, instance_state


def now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


def keep(record: Any) -> None:
    """Give a changed record its timestamps back where they were emptied and cannot be empty.

    ``session.merge(Post(id=1, title="b"))`` empties them: the constructor leaves them to the save.
    """
    columns, state = instance_state(record).mapper.columns, instance_state(record)
    for name in ("created_at", "updated_at"):
        if name in columns and not columns[name].nullable and state.dict.get(name, ...) is None:
            was = state.attrs[name].history.deleted
            if was and was[0] is not None:
                setattr(record, name, was[0])


def touch(record: Any, action: str) -> None:
    """Set the timestamps that the class has, unless they were set by hand or nothing else has changed."""
    names = instance_state(record).mapper.columns
    if action == "create":
        moment = now()
        for name in ("created_at", "updated_at"):
            if name in names and getattr(record, name) is None:
                setattr(record, name, moment)
        return
    if "updated_at" in names:
        changes = changes_of(record)
        if changes and "updated_at" not in changes:
            record.updated_at = now()
