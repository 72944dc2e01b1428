"""Documents in queries: as a whole they are compared where every database compares them alike."""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import QueryableAttribute

from lineside.models._relation._values import InvalidValueError, Range

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


def check_document(attribute: QueryableAttribute[Any], value: Any) -> None:
    """Refuse a document that one database would find and another one not.

    Raises:
        InvalidValueError: It has objects, whose keys have an order in SQLite alone; it is a range; or
            PostgreSQL keeps the column as JSON, which it cannot compare.
    """
    if value is None or isinstance(value, ColumnElement | QueryableAttribute):
        return
    reason = None
    if isinstance(value, Range | range):
        reason = "documents have no ranges"
    elif not isinstance(attribute.type.dialect_impl(_POSTGRESQL), postgresql.JSONB):
        reason = "PostgreSQL compares JSONB only, and no JSON: declare the column with JSONField()"
    elif _has_object(value):
        reason = "objects are not compared as a whole"
    if reason is not None:
        example = f'{attribute}["key"].as_string() == "value"'
        hint = f"; compare a part of it, as in where({example})"
        raise InvalidValueError(attribute.parent.class_.__name__, attribute.key, reason + hint)


def _has_object(value: Any) -> bool:
    waiting: list[Any] = [value]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            return True
        if isinstance(part, list | tuple) and id(part) not in seen:
            seen.add(id(part))
            waiting.extend(part)
    return False
