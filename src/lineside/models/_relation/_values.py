"""Values as conditions: put into the type of their column, or refused before the database sees them."""

from collections.abc import Collection
from enum import Enum
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import BigInteger, ColumnElement, Dialect, Integer, SmallInteger, and_, literal, or_
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql import operators

from lineside.exceptions import RequestError
from lineside.models._per_class import kept_on
from lineside.models._relation._columns import expression, mapper_of
from lineside.models._validation._limits import limit_of
from lineside.models._validation._normalizes import normalize_value_for
from lineside.models._validation._pydantic import ZONE_HINT, with_zone

_ADAPTERS: Final = "__lineside_adapters__"
_LAX: Final = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
# Of these types, a value that is one already needs no casting; bool is an int, and is not here.
_PLAIN: Final = (int, str)
_MAX_INTEGER: Final = 2**63 - 1
# PostgreSQL takes 32767 parameters in one statement, and there may be others.
_MAX_VALUES: Final = 30_000


class InvalidValueError(RequestError, ValueError):
    """A value cannot be what it is compared with; the message names the attribute and what it takes.

    Args:
        model: The name of the model.
        name: The attribute.
        reason: What is wrong, in pydantic's words.
    """

    status_hint: ClassVar[int] = 422

    def __init__(self, model: str, name: str, reason: str) -> None:
        super().__init__(f"{model}.{name}: {reason}")
        self.model = model
        self.name = name
        self.reason = reason

    def details(self) -> list[dict[str, Any]]:
        """Return the error in the shape of FastAPI's 422."""
        return [{"type": "invalid_value", "loc": ("query", self.name), "msg": self.reason}]


class Range:
    """A range of values for `Query.where`: ``where(created_at=Range(monday, sunday))``.

    Args:
        start: The least value; None: no limit.
        end: The greatest value; None: no limit.
        exclude_end: Leave ``end`` itself out (Rails' ``...``).
    """

    __slots__ = ("end", "exclude_end", "start")

    def __init__(self, start: Any = None, end: Any = None, *, exclude_end: bool = False) -> None:
        self.start: Any = start
        self.end: Any = end
        self.exclude_end: bool = exclude_end

    def __repr__(self) -> str:
        return f"Range({self.start!r}, {self.end!r}, exclude_end={self.exclude_end})"


def cast_value(model: type, name: str, value: Any) -> Any:
    """Return a value in the type of a column, as Rails casts what is compared with an attribute.

    Args:
        model: The class.
        name: The mapped column.
        value: What a user gave.

    Raises:
        InvalidValueError: It cannot be of that type.
    """
    if isinstance(value, ColumnElement | QueryableAttribute):
        return expression(value, name)
    if value is None:
        return value
    known: dict[str, Any] = kept_on(model, _ADAPTERS, dict)
    if name not in known:
        known[name] = _adapter(model, name)
    kind, adapter = known[name]
    value = normalize_value_for(model, name, value)
    if type(value) is kind:
        return value
    if adapter is None:
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        found = error.errors()[0]
        hint = ZONE_HINT if found["type"] == "timezone_aware" else ""
        raise InvalidValueError(model.__name__, name, found["msg"] + hint) from None


def _adapter(model: Any, name: str) -> tuple[type | None, TypeAdapter[Any] | None]:
    """Return the type that needs no casting, and what casts any other value."""
    field = getattr(model, "model_fields", {}).get(name)
    if field is None:
        return None, None
    has_zone = getattr(mapper_of(model).columns[name].type, "timezone", None)
    annotation = with_zone(field.annotation, has_zone=has_zone)
    kinds = [kind for kind in getattr(annotation, "__args__", (annotation,)) if kind is not type(None)]
    kind = kinds[0] if len(kinds) == 1 else None
    has_own = hasattr(kind, "model_config") or hasattr(kind, "__pydantic_config__")
    is_enum = isinstance(kind, type) and issubclass(kind, Enum)
    adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=None if has_own or is_enum else _LAX)
    return (kind if kind in _PLAIN else None), adapter


def fits(model: type, name: str, value: Any, dialect: Dialect) -> bool:
    """Tell whether a column can hold a value on this database."""
    limit = limit_of(mapper_of(model).columns[name].type)
    return limit is None or limit(value, dialect.name) is None


def written_value(model: type, name: str, value: Any, dialect: Dialect) -> Any:
    """Return a value as it is written into a column of this database.

    Raises:
        InvalidValueError: It is not of the column's type, or past what the column can hold.
    """
    found = cast_value(model, name, value)
    if not fits(model, name, found, dialect):
        raise InvalidValueError(model.__name__, name, f"{value!r} is past what the column can hold")
    return found


def operand(attribute: QueryableAttribute[Any], value: Any) -> Any:
    """Return a value that any database can compare with a column, be it in its range or not.

    Raises:
        InvalidValueError: No column can hold it, or it is not of the column's type.
    """
    model, name = attribute.parent.class_, attribute.key
    found = cast_value(model, name, value)
    kind = attribute.type
    if isinstance(found, ColumnElement | QueryableAttribute):
        return found
    if isinstance(kind, Integer) and isinstance(found, int):
        if not -_MAX_INTEGER - 1 <= found <= _MAX_INTEGER:
            raise InvalidValueError(model.__name__, name, f"{value!r} is past what any column can hold")
        # The driver of PostgreSQL refuses a number that is too large for the column that it is compared with.
        return found if abs(found) <= _widest(kind) else literal(found, BigInteger)
    limit = limit_of(kind)
    problem = None if limit is None or found is None else limit(found, "postgresql")
    if problem is not None:
        raise InvalidValueError(model.__name__, name, problem[1])
    return found


def _widest(kind: Integer) -> int:
    if isinstance(kind, BigInteger):
        return _MAX_INTEGER
    return 2**15 - 1 if isinstance(kind, SmallInteger) else 2**31 - 1


def sortable(attribute: QueryableAttribute[Any], value: Any) -> Any:
    """Return a value that may stand beside ``<``: SQLAlchemy refuses a bare True or False there."""
    return literal(value, attribute.type) if isinstance(value, bool) else value


def equals(attribute: QueryableAttribute[Any], value: Any) -> ColumnElement[bool]:
    """Compare a column with a value; None is NULL.

    Raises:
        InvalidValueError: The value is not of the column's type.
    """
    if value is None:
        return attribute.is_(None)
    cast_value(attribute.parent.class_, attribute.key, value)
    try:
        found: ColumnElement[bool] = attribute == operand(attribute, value)
    except InvalidValueError:
        return _never(attribute)
    return found


def contains_any(attribute: QueryableAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Compare a column with several values; None among them is NULL, as in Rails.

    Raises:
        InvalidValueError: A value is not of the column's type, or there are too many.
    """
    found: list[Any] = []
    are_possible = True
    model, name = attribute.parent.class_, attribute.key
    check_length(model, name, len(values))
    for value in values:
        if value is None:
            continue
        cast_value(model, name, value)
        try:
            found.append(operand(attribute, value))
        except InvalidValueError:
            are_possible = False
    # An empty IN is false, and no syntax error: SQLAlchemy writes it so.
    is_among = attribute.in_(found) if found or are_possible else _never(attribute)
    return or_(is_among, attribute.is_(None)) if any(value is None for value in values) else is_among


def check_length(model: type, name: str, count: int) -> None:
    """Refuse more values than a statement takes.

    Raises:
        InvalidValueError: There are more; it says what to do instead.
    """
    if count > _MAX_VALUES:
        reason = f"{count} values are too many; ask in parts of {_MAX_VALUES}, or compare with a query"
        raise InvalidValueError(model.__name__, name, reason)


def within(attribute: QueryableAttribute[Any], values: Range) -> ColumnElement[bool]:
    """Compare a column with a range.

    Raises:
        InvalidValueError: An end of the range is not of the column's type.
    """
    parts: list[ColumnElement[bool]] = []
    if values.start is not None:
        parts.append(_bounded(attribute, values.start, operators.ge))
    if values.end is not None:
        parts.append(_bounded(attribute, values.end, operators.lt if values.exclude_end else operators.le))
    return and_(*parts) if parts else attribute.is_not(None)


def _bounded(attribute: QueryableAttribute[Any], value: Any, compare: Any) -> ColumnElement[bool]:
    found = cast_value(attribute.parent.class_, attribute.key, value)
    try:
        bound: ColumnElement[bool] = compare(attribute, sortable(attribute, operand(attribute, value)))
    except InvalidValueError:
        if not isinstance(found, int):
            raise
        # Past all columns: it bounds nothing, or everything.
        return attribute == attribute if compare(0, found) else _never(attribute)
    return bound


def _never(attribute: QueryableAttribute[Any]) -> ColumnElement[bool]:
    """Be false, but NULL where the column is NULL: what a comparison with a value of no row gives."""
    return attribute != attribute
