"""What runs a query, written once for SQLAlchemy's sync session; `Query` and `SyncQuery` both call it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Dialect, literal
from sqlalchemy.orm import Session

from lineside.exceptions import RecordNotFound
from lineside.models._relation import _statements as statements
from lineside.models._relation._builder import Builder
from lineside.models._relation._columns import keys_of, mapper_of
from lineside.models._relation._conditions import is_key
from lineside.models._relation._locked import locked
from lineside.models._relation._ordering import reverse
from lineside.models._relation._query_state import State, number_of_rows
from lineside.models._relation._scopes import has_default_scope
from lineside.models._relation._values import InvalidValueError, cast_value, fits

T = TypeVar("T")
_PLAIN = State()


def every(session: Session, query: Builder[T]) -> list[T]:
    """Return all records."""
    if query.state.is_none:
        return []
    if query.state.lock is not None:
        return locked(session, query)
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
        pairs = zip(keys_of(query.model), parts, strict=True)
        found = first_of(every(session, query.where(*(column == part for column, part in pairs)).limit(1)))
    if found is None:
        raise missing
    return found


def find_all(session: Session, query: Builder[T], keys: Sequence[Any]) -> list[T]:
    """Return the records with these keys, each once, in the order of the keys.

    Raises:
        RecordNotFound: One is missing; the error names all that are.
    """
    dialect = _dialect(session, query.model)
    wanted = [(key, _cast_key(query.model, key, dialect)) for key in keys]
    here = list(dict.fromkeys(cast_key for _, cast_key in wanted if cast_key is not None))
    found = {_key_of(record): record for record in every(session, query.where(is_key(query.model, here)))}
    missing = [key for key, cast_key in wanted if cast_key not in found]
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
    count = number_of_rows("last", count)
    scoped = query.scoped()
    ordering = scoped.ordering_or_key()
    if scoped.state.is_cut:
        found = every(session, query.reorder(*ordering))
        return found[-count:] if count else []
    return every(session, query.reorder(*(reverse(part) for part in ordering)).limit(count))[::-1]


def first_of(found: Sequence[T]) -> T | None:
    """Return the only item of a list that has one or none."""
    return found[0] if found else None


def exists(session: Session, query: Builder[Any]) -> bool:
    """Tell whether there is any record."""
    state = query.scoped().state
    if state.is_none or state.limit == 0:
        return False
    one = statements.keys(query.model, replace(statements.unordered(state), lock=None, limit=1), literal(1))
    return session.scalar(one) is not None


def pluck(session: Session, query: Builder[Any], columns: Sequence[Any]) -> list[Any]:
    """Return values instead of records: of one column the values, of several tuples."""
    chosen = [query.expression(column, "pluck()") for column in columns]
    if not chosen:
        raise TypeError('pluck() takes the columns to return: pluck("title")')
    if query.state.is_none:
        return []
    statement = statements.values(query.model, query.scoped().state, chosen)
    if len(chosen) == 1:
        return list(session.scalars(statement))
    return [tuple(row) for row in session.execute(statement)]


def pick(session: Session, query: Builder[Any], columns: Sequence[Any]) -> Any:
    """Return the values of the first row, or None."""
    return first_of(pluck(session, _at_most(query, 1), columns))


def ids(session: Session, query: Builder[Any]) -> list[Any]:
    """Return the primary keys, tuples if they have several columns."""
    if query.state.is_none:
        return []
    statement = statements.keys(query.model, query.scoped().state)
    if len(keys_of(query.model)) == 1:
        return list(session.scalars(statement))
    return [tuple(row) for row in session.execute(statement)]


def _at_most(query: Builder[T], count: int) -> Builder[T]:
    count = number_of_rows("limit", count)
    limit = query.scoped().state.limit
    return query.limit(count if limit is None else min(count, limit))


def _dialect(session: Session, model: type) -> Dialect:
    return session.get_bind(mapper_of(model)).dialect


def _key_of(record: Any) -> Any:
    return _one_or_all([getattr(record, column.key) for column in keys_of(type(record))])


def _one_or_all(parts: list[Any]) -> Any:
    return tuple(parts) if len(parts) > 1 else parts[0]


def _cast_key(model: type, key: Any, dialect: Dialect) -> Any:
    """Return a key in the type of its column, or None when no row can have it."""
    columns = keys_of(model)
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != len(columns):
        return None
    try:
        cast_parts = [
            cast_value(model, column.key, part) for column, part in zip(columns, parts, strict=True)
        ]
    except InvalidValueError:
        return None
    pairs = zip(columns, cast_parts, strict=True)
    if any(part is None or not fits(model, column.key, part, dialect) for column, part in pairs):
        return None
    return _one_or_all(cast_parts)
