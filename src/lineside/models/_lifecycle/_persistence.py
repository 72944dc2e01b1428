"""Saving, destroying and loading one record again, in SQLAlchemy's sync world."""

from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.orm import QueryableAttribute, Session
from sqlalchemy.orm.attributes import set_committed_value

from lineside.exceptions import RecordNotFound
from lineside.models._exceptions import StaleObjectError
from lineside.models._lifecycle._state import instance_state, state_of
from lineside.models._lifecycle._timestamps import now
from lineside.models._lifecycle._unit import Unit
from lineside.models._lifecycle._versions import LOCK_VERSION, is_versioned
from lineside.models._relation._columns import column_named
from lineside.models._relation._values import InvalidValueError, written_value


def save(session: Session, record: Any, *, validate: bool = True) -> None:
    """Write a record, with its validations and callbacks.

    A record that is refused leaves the session: a later commit writes nothing of it.
    """
    unit = Unit.of(session)
    if unit.has(record):
        return  # a callback saves the record that it belongs to: that is under way
    if state_of(record).is_destroyed:
        raise RecordNotFound(type(record).__name__, instance_state(record).identity)
    try:
        unit.prepare(session, record, _action(record), validates=validate)
        session.add(record)
    except BaseException:
        unit.discard(record)
        _leave(session, record)
        raise
    _flush(session, unit, record)


def destroy(session: Session, record: Any, *, is_for_good: bool = False) -> None:
    """Delete the row of a record, with its callbacks.

    Args:
        session: The session.
        record: The record.
        is_for_good: Delete it even if its class hides rows that are destroyed.
    """
    unit = Unit.of(session)
    state = state_of(record)
    if state.is_destroyed or unit.has(record):
        return
    if not instance_state(record).has_identity:
        _leave(session, record)
        state.is_destroyed = True
        return
    if record not in session:
        session.add(record)
    unit.prepare(session, record, "destroy", is_for_good=is_for_good)
    try:
        session.delete(record)
    except BaseException:
        unit.discard(record)
        raise
    _flush(session, unit, record)


def reload(session: Session, record: Any, *, lock: bool = False) -> None:
    """Read the row of a record again.

    Raises:
        RecordNotFound: It is gone.
    """
    key = key_of(record)
    if record not in session:
        session.add(record)
    # Not `Session.get`: with a lock it refuses a row whose version is not the one in memory. That is what
    # the lock is for.
    statement = select(type(record)).where(*row_condition(record, key))
    statement = statement.execution_options(populate_existing=True)
    if lock:
        statement = statement.with_for_update(of=type(record))
    with session.no_autoflush:
        fresh = session.scalars(statement).first()
    if fresh is None:
        raise RecordNotFound(type(record).__name__, key)


def touch(session: Session, record: Any, *names: str) -> None:
    """Set timestamps to now, past validations and callbacks; a lock version counts it.

    Raises:
        StaleObjectError: It has a lock version, and somebody else has saved it in between.
    """
    mapper, key = instance_state(record).mapper, key_of(record)
    always = ("updated_at",) if "updated_at" in mapper.columns else ()
    values: dict[str, Any] = dict.fromkeys((*always, *names), now())
    if not values or not is_versioned(mapper):
        update_columns(session, record, values)
        return
    version = getattr(record, LOCK_VERSION)
    is_known = mapper.columns[LOCK_VERSION].is_not_distinct_from(version)
    try:
        update_columns(session, record, {**values, LOCK_VERSION: (version or 0) + 1}, is_known)
    except RecordNotFound as error:
        raise StaleObjectError(type(record).__name__, key[0] if len(key) == 1 else key) from error


def update_columns(
    session: Session, record: Any, values: dict[str, Any], *criteria: ColumnElement[bool]
) -> None:
    """Write columns of a record's row, past validations and callbacks.

    Raises:
        UnknownAttributeError: A name is no column.
        InvalidValueError: A value is not of its column's type, or past what the column can hold.
        RecordNotFound: The row is gone.
    """
    values = _typed(session, record, values)
    key = key_of(record)
    if not values:
        return
    # Without autoflush: what else the record carries stays unsaved.
    with session.no_autoflush:
        written = session.execute(
            update(type(record))
            .where(*row_condition(record, key), *criteria)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
    if cast("CursorResult[Any]", written).rowcount == 0:
        raise RecordNotFound(type(record).__name__, key)
    for name, value in values.items():
        set_committed_value(record, name, value)


def _typed(session: Session, record: Any, values: dict[str, Any]) -> dict[str, Any]:
    model, dialect = type(record), session.get_bind(instance_state(record).mapper).dialect
    for name, value in values.items():
        column_named(model, name)
        if isinstance(value, ColumnElement | QueryableAttribute):
            raise InvalidValueError(model.__name__, name, "an expression is for update_all()")
    return {name: written_value(model, name, value, dialect) for name, value in values.items()}


def is_valid(session: Session, record: Any) -> bool:
    """Run the validations of a record that is not being written."""
    return Unit.of(session).check(session, record, _action(record))


def _action(record: Any) -> Literal["create", "update"]:
    return "update" if instance_state(record).has_identity else "create"


def key_of(record: Any) -> tuple[Any, ...]:
    """Return the key of a record's row.

    Raises:
        RecordNotFound: It has none.
    """
    key = instance_state(record).identity
    if key is None or state_of(record).is_destroyed:
        raise RecordNotFound(type(record).__name__, key)
    return key


def row_condition(record: Any, key: tuple[Any, ...]) -> list[ColumnElement[bool]]:
    """Return what is true of one row of a record's class."""
    columns = instance_state(record).mapper.primary_key
    return [column == part for column, part in zip(columns, key, strict=True)]


def _flush(session: Session, unit: Unit, record: Any) -> None:
    if unit.is_collecting:
        # Inside a flush that is about to begin: it writes this record, too.
        unit.leave_to_flush(record)
        return
    try:
        session.flush()
        if unit.board(session):
            # There was nothing to write; the callbacks of a save run all the same.
            unit.note_written(session)
            unit.finish(session)
    except BaseException:
        unit.discard(record)
        raise


def _leave(session: Session, record: Any) -> None:
    if record in session:
        session.expunge(record)
