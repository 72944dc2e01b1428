"""A query as a statement of SQLAlchemy. Default scopes are applied already when a state comes here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, false, tuple_
from sqlalchemy import inspect as inspected
from sqlalchemy import select as select_columns
from sqlalchemy.orm import load_only
from sqlalchemy.sql import visitors
from sqlmodel import select

from lineside.models._relation._columns import keys_of
from lineside.models._relation._hidden import is_shown
from lineside.models._relation._ordering import sorted_element
from lineside.models._relation._query_state import Join, State


def records(model: type, state: State) -> Select[Any]:
    """Return the statement that loads the records of a query."""
    statement = _rows(select(model), model, state)
    if state.columns:
        statement = statement.options(load_only(*state.columns, raiseload=True))
    return statement.options(*state.loads) if state.loads else statement


def keys(model: type, state: State, *selected: Any) -> Select[Any]:
    """Return the statement for the primary keys of a query's records, or for something else of each."""
    return _rows(select_columns(*(selected or keys_of(model))).select_from(model), model, state)


def values(model: type, state: State, columns: Sequence[Any]) -> Select[Any]:
    """Return the statement for values of a query's rows; distinct ones, if the query says so.

    Raises:
        TypeError: They are distinct, and sorted by something else or to be held.
    """
    statement = select_columns(*columns).select_from(model)
    if not state.is_distinct:
        return _cut(narrowed(statement, state), model, state)
    if state.lock is not None:
        raise TypeError("distinct values belong to no row that could be held; leave lock() or distinct() out")
    for part in state.ordering:
        if not any(element(sorted_element(part)).compare(element(column)) for column in columns):
            raise TypeError(
                f"distinct values are sorted by what is asked for, not by {part}; add .reorder(...)"
            )
    return _cut(narrowed(statement, state).distinct(), model, state)


def narrowed(statement: Any, state: State) -> Any:
    """Add the joins and conditions of a query to a statement."""
    for _, join in state.joins:
        target, shown = join.attribute.of_type(join.entity), is_shown(join.entity)
        # In the ON clause, so that an outer join keeps the records whose other side is hidden.
        statement = statement.join(target.and_(*shown) if shown else target, isouter=join.is_outer)
    criteria = (*state.criteria, false()) if state.is_none else state.criteria
    return statement.where(*criteria) if criteria else statement


def unordered(state: State) -> State:
    """Leave the order out, where it does not decide which rows are meant."""
    return state if state.is_cut else replace(state, ordering=())


def one_of(columns: Sequence[Any]) -> Any:
    """Return the columns of a key as what can be compared as a whole."""
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def element(column: Any) -> ColumnElement[Any]:
    """Return the expression behind an attribute, to compare it with others."""
    found: ColumnElement[Any] = (
        column.__clause_element__() if hasattr(column, "__clause_element__") else column
    )
    return found


def _rows(statement: Any, model: type, state: State) -> Select[Any]:
    many = _many_sided(state)
    if not (state.is_distinct and many):
        # Without a join to many, every row is another record already; DISTINCT would only compare all
        # their columns, and PostgreSQL cannot compare JSON.
        return _cut(narrowed(statement, state), model, state)
    _check_order(state, [join for path, join in state.joins if path in many])
    found = narrowed(select_columns(*keys_of(model)).select_from(model), state).correlate(None)
    single = tuple((path, join) for path, join in state.joins if path not in many)
    statement = narrowed(statement, State(joins=single)).where(one_of(keys_of(model)).in_(found))
    return _cut(statement, model, state)


def _cut(statement: Any, model: type, state: State) -> Select[Any]:
    if state.ordering:
        statement = statement.order_by(*state.ordering)
    if state.limit is not None:
        statement = statement.limit(state.limit)
    if state.offset is not None:
        statement = statement.offset(state.offset)
    if state.lock is not None:
        statement = statement.with_for_update(**state.lock._asdict(), of=model)
    cut: Select[Any] = statement
    return cut


def _many_sided(state: State) -> set[str]:
    """Return the joins that can give a record several times, with those that go on from there."""
    many: set[str] = set()
    for path, join in state.joins:
        if join.is_to_many or path.rpartition(".")[0] in many:
            many.add(path)
    return many


def _check_order(state: State, joins: Sequence[Join]) -> None:
    tables = [inspected(join.entity).selectable for join in joins]
    for part in state.ordering:
        for column in visitors.iterate(part):
            if any(getattr(column, "table", None) is table for table in tables):
                raise TypeError(
                    f"distinct() cannot sort by {column}: a record has several of them. Sort by columns of "
                    "its own, or group"
                )
