"""Rows changed and deleted in one statement, past validations and callbacks."""

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Dialect, Select, delete, update
from sqlalchemy import select as select_columns
from sqlalchemy.orm import QueryableAttribute, Session

from lineside.models._relation import _statements as statements
from lineside.models._relation._builder import Builder
from lineside.models._relation._columns import column_named, expression, keys_of, mapper_of
from lineside.models._relation._values import written_value


def update_all(session: Session, query: Builder[Any], values: dict[str, Any]) -> int:
    """Write columns of all rows in one statement.

    Raises:
        UnknownAttributeError: A name is no column.
        InvalidValueError: A value is not of its column's type, or past what the column can hold.
    """
    if not values:
        raise TypeError("update_all() takes the columns to write: update_all(published=True)")
    dialect = session.get_bind(mapper_of(query.model)).dialect
    written = {name: _written(query.model, name, value, dialect) for name, value in values.items()}
    if query.state.is_none:
        return 0
    return _changed(session, query, update(query.model).values(**written))


def delete_all(session: Session, query: Builder[Any]) -> int:
    """Delete all rows in one statement."""
    return 0 if query.state.is_none else _changed(session, query, delete(query.model))


def _written(model: type, name: str, value: Any, dialect: Dialect) -> Any:
    column_named(model, name)
    if isinstance(value, ColumnElement | QueryableAttribute):
        return expression(value, "update_all()")
    return written_value(model, name, value, dialect)


def _changed(session: Session, query: Builder[Any], statement: Any) -> int:
    model, state = query.model, query.scoped().state
    if state.joins or state.is_cut or state.lock is not None:
        # A subquery of a subquery: MySQL's family refuses to read the table that it writes.
        keys = statements.keys(model, statements.unordered(state)).subquery()
        found: Select[Any] = select_columns(*keys.c)
        statement = statement.where(statements.one_of(keys_of(model)).in_(found))
    else:
        statement = statement.where(*state.criteria)
    # Records that are loaded follow; where there is none, their keys need not travel.
    is_loaded = any(isinstance(record, model) for record in session.identity_map.values())
    options = {"synchronize_session": "fetch" if is_loaded else False}
    done = session.execute(statement.execution_options(**options))
    return cast("CursorResult[Any]", done).rowcount
