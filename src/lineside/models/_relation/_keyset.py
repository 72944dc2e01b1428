"""Pages by cursor: the next page begins behind the last row of this one, wherever that row is by then."""

import base64
import binascii
import hashlib
from typing import Any, ClassVar, Final, TypeVar

from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy.orm import QueryableAttribute, Session

from lineside import strict_json
from lineside.exceptions import InvalidJSONError, RequestError
from lineside.models._relation._builder import Builder
from lineside.models._relation._columns import mapper_of, python_type_of
from lineside.models._relation._ordering import in_order, sorted_by
from lineside.models._relation._pages import MAX_CURSOR_CHARS, KeysetPage
from lineside.models._relation._terminals import every
from lineside.models._relation._values import InvalidValueError, operand, sortable

T = TypeVar("T")
_VERSION: Final = 1
_JSON: Final[TypeAdapter[Any]] = TypeAdapter(Any, config=ConfigDict(ser_json_bytes="base64"))
_Key = tuple[QueryableAttribute[Any], bool]


class InvalidCursorError(RequestError):
    """A cursor is damaged, or belongs to a list in another order; begin again without one."""

    status_hint: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__("this cursor is not valid for this list; begin without a cursor")

    def details(self) -> list[dict[str, Any]]:
        """Return the error in the shape of FastAPI's 422."""
        return [{"type": "invalid_cursor", "loc": ("query", "after"), "msg": self.message}]


def keyset(session: Session, query: Builder[T], after: str | None, limit: int) -> KeysetPage[T]:
    """Load the rows behind a cursor.

    Raises:
        InvalidCursorError: The cursor is damaged, or belongs to another order.
        TypeError: The query is sorted by something that is no column of its class.
    """
    if limit < 1:
        raise ValueError(f"limit is at least 1, not {limit}")
    keys = _keys(query)
    ordered = query.reorder(*(sorted_by(query.model, column, is_descending=down) for column, down in keys))
    if after is not None:
        ordered = ordered.where(_behind(keys, _read(query, keys, after)))
    found = every(session, ordered.limit(limit + 1))
    items = found[:limit]
    cursor = _write(query, keys, items[-1]) if len(found) > limit else None
    return KeysetPage[Any].model_construct(items=items, next_cursor=cursor)


def _keys(query: Builder[Any]) -> list[_Key]:
    """Return the columns of the order, and the primary key behind them, so that no two rows are alike."""
    if query.scoped().state.is_cut:
        raise ValueError("keyset() has a limit of its own: leave limit() and offset() out")
    keys = [_key(query, part) for part in query.scoped().ordering]
    known = {column.key for column, _ in keys}
    return [*keys, *((column, False) for column in query.key_columns() if column.key not in known)]


def _key(query: Builder[Any], part: Any) -> _Key:
    said = in_order(query.model, part)
    for name in mapper_of(query.model).column_attrs.keys():  # noqa: SIM118 - its iterator gives values
        attribute: QueryableAttribute[Any] = getattr(query.model, name)
        for is_descending in (False, True):
            if said.compare(sorted_by(query.model, attribute, is_descending=is_descending)):
                return attribute, is_descending
    raise TypeError(
        f"keyset() needs an order by columns of the model itself, with NULL as the greatest, not by {part}"
    )


def _behind(keys: list[_Key], values: list[Any]) -> ColumnElement[bool]:
    """Say "comes later" for rows as a whole: equal so far, and then greater."""
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for (column, is_descending), value in zip(keys, values, strict=True):
        alternatives.append(and_(*equal, _later(column, value, is_descending=is_descending)))
        equal.append(column.is_(None) if value is None else column == value)
    return or_(*alternatives)


def _later(column: Any, value: Any, *, is_descending: bool) -> ColumnElement[bool]:
    # NULL is the greatest value, as in `sorted_by`.
    value = sortable(column, value)
    if is_descending:
        before: ColumnElement[bool] = column.is_not(None) if value is None else column < value
        return before
    if value is None:
        return false()
    return or_(column > value, column.is_(None) if column.expression.nullable else false())


def _write(query: Builder[Any], keys: list[_Key], record: Any) -> str:
    values = [_JSON.dump_python(getattr(record, column.key), mode="json") for column, _ in keys]
    return _encoded(strict_json.dumps([_VERSION, _order(query, keys), values]))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read(query: Builder[Any], keys: list[_Key], cursor: str) -> list[Any]:
    if len(cursor) > MAX_CURSOR_CHARS:
        raise InvalidCursorError
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        content = strict_json.loads(data)
    except (binascii.Error, InvalidJSONError, ValueError):
        raise InvalidCursorError from None
    match content:
        case [version, order, [*values]] if version == _VERSION and order == _order(query, keys):
            pass
        case _:
            raise InvalidCursorError
    # Each place in a list has one cursor: a cache need not keep several.
    if len(values) != len(keys) or _encoded(data) != cursor:
        raise InvalidCursorError
    return [_value(column, value) for (column, _), value in zip(keys, values, strict=True)]


def _value(column: Any, value: Any) -> Any:
    if value is None:
        if column.expression.nullable:
            return None
        raise InvalidCursorError
    try:
        if python_type_of(column.type) is bytes:
            value = base64.b64decode(value, altchars=b"-_", validate=True)
        return operand(column, value)
    except (InvalidValueError, TypeError, ValueError):
        raise InvalidCursorError from None


def _order(query: Builder[Any], keys: list[_Key]) -> str:
    """Return what tells one list's cursors from another's."""
    said = ",".join(f"{'-' if down else ''}{column.key}" for column, down in keys)
    return hashlib.sha256(f"{query.model.__name__}:{said}".encode()).hexdigest()[:12]
