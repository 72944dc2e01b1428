"""What runs a query, written once for SQLAlchemy's sync session; `Query` and `SyncQuery` both call it."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, Dialect, Select, delete, func, literal, update
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Session

from lineside.exceptions import RecordNotFound
from lineside.models._builder import Builder, State, keys_of, reverse
from lineside.models._columns import column_named, mapper_of
from lineside.models._conditions import is_key
from lineside.models._scopes import has_default_scope
from lineside.models._values import InvalidValueError, cast_value, fits

T = TypeVar("T")
_PLAIN = State()


def every(session: Session, query: Builder[T]) -> list[T]:
    """Return all records."""
    if query.state.is_none:
        return []
    found = session.scalars(query.statement())
    return list(found.unique() if query.state.has_doubles else found)


def find(session: Session, query: Builder[T], key: Any) -> T:
    """Return the record with this primary key.

    Raises:
        RecordNotFound: There is none, or the key is none that the column can hold.
    """
    missing = RecordNotFound(query.model.__name__, key)
    cast_key = _cast_key(query.model, key, _dialect(session, query.model))
    if cast_key is None:
        raise missing
    if query.state == _PLAIN and not has_default_scope(query.model):
        found = session.get(query.model, cast_key)
    else:
        parts = cast_key if isinstance(cast_key, tuple) else (cast_key,)
        pairs = zip(keys_of(query.model), cast("tuple[Any, ...]", parts), strict=True)
        found = first_of(every(session, query.where(*(column == part for column, part in pairs)).limit(1)))
    if found is None:
        raise missing
    return found


def find_all(session: Session, query: Builder[T], keys: Sequence[Any]) -> list[T]:
    """Return the records with these keys, in the order of the keys.

    Raises:
        RecordNotFound: One is missing; the error names all that are.
    """
    dialect = _dialect(session, query.model)
    wanted = {key: _cast_key(query.model, key, dialect) for key in keys}
    (column,) = keys_of(query.model)
    here = [key for key in wanted.values() if key is not None]
    found = {getattr(r, column.key): r for r in every(session, query.where(is_key(query.model, here)))}
    missing = [key for key, cast_key in wanted.items() if cast_key not in found]
    if missing:
        raise RecordNotFound(query.model.__name__, missing)
    return [found[key] for key in here]


def take(session: Session, query: Builder[T], count: int) -> list[T]:
    """Return some records, in no order of ours."""
    return every(session, _at_most(query, count))


def first(session: Session, query: Builder[T], count: int) -> list[T]:
    """Return the first records; without an order, those with the lowest keys."""
    ordered = query.reorder(*query.scoped().ordering_or_key())
    return every(session, _at_most(ordered, count))


def last(session: Session, query: Builder[T], count: int) -> list[T]:
    """Return the last records, in the query's order."""
    state = query.scoped().state
    if state.limit is not None or state.offset is not None:
        return every(session, query)[-count:] if count else []
    ordering = query.scoped().ordering_or_key()
    found = every(session, query.reorder(*(reverse(part) for part in ordering)).limit(count))
    return found[::-1]


def first_of(found: Sequence[T]) -> T | None:
    """Return the only item of a list that has one or none."""
    return found[0] if found else None


def count(session: Session, query: Builder[Any], column: Any = None) -> int:
    """Count rows, or the values of a column that are not NULL."""
    if query.state.is_none:
        return 0
    if column is None and _is_plain(query.scoped().state):
        return session.scalar(_over(query, func.count())) or 0
    chosen = None if column is None else query.expression(column, "count()")
    rows = _rows(query, chosen)
    inner = rows.subquery()
    counted = func.count() if chosen is None else func.count(inner.c[0])
    return session.scalar(select_columns(counted).select_from(inner)) or 0


def aggregate(session: Session, query: Builder[Any], function: Any, column: Any, what: str) -> Any:
    """Compute one value over a column of all rows."""
    chosen = query.expression(column, what)
    if query.state.is_none:
        return None
    if _is_plain(query.scoped().state):
        return session.scalar(_over(query, function(chosen)))
    inner = _rows(query, chosen).subquery()
    return session.scalar(select_columns(function(inner.c[0])))


def exists(session: Session, query: Builder[Any]) -> bool:
    """Tell whether there is any record."""
    if query.state.is_none:
        return False
    one = query.statement().with_only_columns(literal(1)).order_by(None)
    limit = query.scoped().state.limit
    return session.scalar(one if limit == 0 else one.limit(1)) is not None


def pluck(session: Session, query: Builder[Any], columns: Sequence[Any]) -> list[Any]:
    """Return values instead of records: of one column the values, of several tuples."""
    chosen = [query.expression(column, "pluck()") for column in columns]
    if not chosen:
        raise TypeError('pluck() takes the columns to return: pluck("title")')
    if query.state.is_none:
        return []
    statement: Select[Any] = query.statement().with_only_columns(*chosen)
    if len(chosen) == 1:
        return list(session.scalars(statement))
    return [tuple(row) for row in session.execute(statement)]


def update_all(session: Session, query: Builder[Any], values: dict[str, Any]) -> int:
    """Write columns of all rows in one statement, past validations and callbacks."""
    if not values:
        raise TypeError("update_all() takes the columns to write: update_all(published=True)")
    written = {}
    for name, value in values.items():
        attribute = column_named(query.model, name)
        written[attribute.key] = checked = cast_value(query.model, name, value)
        if not fits(query.model, name, checked, _dialect(session, query.model)):
            raise InvalidValueError(query.model.__name__, name, f"{value!r} is past what the column can hold")
    if query.state.is_none:
        return 0
    return _changed(session, query, update(query.model).values(**written))


def delete_all(session: Session, query: Builder[Any]) -> int:
    """Delete all rows in one statement, past callbacks."""
    return 0 if query.state.is_none else _changed(session, query, delete(query.model))


def _changed(session: Session, query: Builder[Any], statement: Any) -> int:
    scoped = query.scoped()
    state = scoped.state
    if _is_plain(state) and not state.joins:
        statement = statement.where(*state.criteria)
    else:
        (key,) = keys_of(query.model)
        # A subquery of a subquery: MySQL's family refuses to read the table that it writes.
        keys = scoped.statement().with_only_columns(key).subquery()
        statement = statement.where(key.in_(select_columns(keys.c[0])))
    # Loaded records keep what they have, as in Rails; evaluating the conditions in Python could differ.
    done = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", done).rowcount


def _dialect(session: Session, model: type) -> Dialect:
    return session.get_bind(mapper_of(model)).dialect


def _is_plain(state: State) -> bool:
    return not state.is_distinct and state.limit is None and state.offset is None


def _over(query: Builder[Any], selected: Any) -> Select[Any]:
    scoped = query.scoped()
    statement = select_columns(selected).select_from(query.model)
    narrowed: Select[Any] = scoped.narrowed(statement, scoped.state)
    return narrowed


def _rows(query: Builder[Any], chosen: Any) -> Select[Any]:
    """Return the rows that a count or sum is about: those that the query would give."""
    columns = keys_of(query.model) if chosen is None else (chosen,)
    rows = query.statement().with_only_columns(*columns)
    scoped = query.scoped().state
    return rows if scoped.limit is not None or scoped.offset is not None else rows.order_by(None)


def _at_most(query: Builder[T], count: int) -> Builder[T]:
    limit = query.scoped().state.limit
    return query.limit(count if limit is None else min(count, limit))


def _cast_key(model: type, key: Any, dialect: Dialect) -> Any:
    """Return a key in the type of its column, or None when no row can have it."""
    columns = keys_of(model)
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != len(columns):
        return None
    try:
        cast_parts = tuple(
            cast_value(model, column.key, part) for column, part in zip(columns, parts, strict=True)
        )
    except InvalidValueError:
        return None
    pairs = zip(columns, cast_parts, strict=True)
    if any(part is None or not fits(model, column.key, part, dialect) for column, part in pairs):
        return None
    return cast_parts if len(cast_parts) > 1 else cast_parts[0]
