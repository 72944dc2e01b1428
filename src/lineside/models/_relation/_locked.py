"""Rows that are locked are read as they are now: what was loaded before may be of the past."""

from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from lineside.exceptions import LinesideError
from lineside.models._lifecycle._state import changes_of, instance_state
from lineside.models._relation._builder import Builder
from lineside.models._relation._conditions import is_key

T = TypeVar("T")


def locked(session: Session, query: Builder[T]) -> list[T]:
    """Return the records of a query with a lock, with the values that their rows have now.

    Raises:
        LinesideError: One has changes that are not saved, and the session may not write them now.
    """
    statement = query.statement()
    if session.autoflush or not session.dirty:
        # What has changes is written first, as before every query.
        return list(session.scalars(statement.execution_options(populate_existing=True)).unique())
    # In a callback nothing is flushed. This holds the rows, and overwrites nothing.
    found = list(session.scalars(statement).unique())
    for record in found:
        refuse_changes(record)
    by_key = is_key(query.model, [_key(record) for record in found])
    fresh = select(query.model).where(by_key).options(lazyload("*"))
    session.scalars(fresh.execution_options(populate_existing=True)).all()
    return found


def refuse_changes(record: Any) -> None:
    """Refuse a lock of a record with changes that reading its row again would lose.

    Raises:
        LinesideError: It has some.
    """
    if changed := changes_of(record):
        raise LinesideError(
            f"{type(record).__name__} has changes of {', '.join(sorted(changed))} that a lock would lose; "
            "save() or reload() it first"
        )


def _key(record: Any) -> Any:
    identity: tuple[Any, ...] = instance_state(record).identity or ()
    return identity[0] if len(identity) == 1 else identity
