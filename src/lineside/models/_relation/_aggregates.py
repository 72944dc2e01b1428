"""One value over many rows: counts, sums, means, and the least and greatest; the same on every database."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import JSON, ColumnElement, Numeric, func
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Session

from lineside.models._relation import _statements as statements
from lineside.models._relation._builder import Builder
from lineside.models._relation._columns import python_type_of
from lineside.models._relation._query_state import State

Kind = Literal["sum", "average", "minimum", "maximum"]

_FUNCTIONS: Final[dict[Kind, Callable[..., ColumnElement[Any]]]] = {
    "sum": func.sum,
    "average": func.avg,
    "minimum": func.min,
    "maximum": func.max,
}
_NO_NUMBERS: Final = (str, bytes, bool, UUID, dict, list)
# PostgreSQL does not say which of two of these is greater.
_UNSORTED: Final = (bool, UUID, dict, list)


def function_of(kind: Kind, column: Any) -> ColumnElement[Any]:
    """Return a function over a column.

    Raises:
        TypeError: Some database has no such function for the column's type.
    """
    found = dict if isinstance(column.type, JSON) else python_type_of(column.type)
    if found is not None and issubclass(found, _NO_NUMBERS if kind in ("sum", "average") else _UNSORTED):
        takes = "numbers" if kind in ("sum", "average") else "what can be sorted"
        raise TypeError(f"{kind}() takes {takes}, and {column} is {found.__name__}")
    return _FUNCTIONS[kind](column)


def result_of(kind: Kind, column: Any, value: Any) -> Any:
    """Return what a function computed in one type on every database.

    A sum is of the column's type, and 0 of no rows; a mean is a Decimal of decimals, else a float.
    """
    if kind == "sum":
        if value is None:
            return 0
        return int(value) if isinstance(value, Decimal) and python_type_of(column.type) is int else value
    if kind == "average" and isinstance(value, int | float | Decimal):
        is_decimal = isinstance(column.type, Numeric) and column.type.asdecimal
        return Decimal(str(value)) if is_decimal else float(value)
    return value


def count(session: Session, query: Builder[Any], column: Any = None) -> int:
    """Count rows, or the values of a column that are not NULL; distinct ones, if the query says so."""
    chosen = None if column is None else query.expression(column, "count()")
    if query.state.is_none:
        return 0
    state = query.scoped().state
    if chosen is not None:
        found: int = _over(session, query.model, state, func.count, chosen)
    elif _is_plain(state):
        found = _over(session, query.model, state, lambda _: func.count(), None)
    else:
        inner = statements.keys(query.model, statements.unordered(state)).subquery()
        found = session.scalar(select_columns(func.count()).select_from(inner)) or 0
    return found


def aggregate(session: Session, query: Builder[Any], kind: Kind, column: Any) -> Any:
    """Compute one value over a column of all rows.

    Raises:
        TypeError: Some database has no such function for the column's type.
    """
    chosen = query.expression(column, f"{kind}()")
    function_of(kind, chosen)
    if query.state.is_none:
        return result_of(kind, chosen, None)
    state = query.scoped().state
    value = _over(session, query.model, state, lambda values: function_of(kind, values), chosen)
    return result_of(kind, chosen, value)


def _over(session: Session, model: type, state: State, function: Callable[[Any], Any], column: Any) -> Any:
    if _is_plain(state):
        statement = select_columns(function(column)).select_from(model)
        return session.scalar(statements.narrowed(statement, state))
    inner = statements.values(model, statements.unordered(state), [column]).subquery()
    return session.scalar(select_columns(function(inner.c[0])))


def _is_plain(state: State) -> bool:
    return not state.is_distinct and not state.is_cut
