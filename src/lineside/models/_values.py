"""Values as conditions: put into the type of their column, or refused before the database sees them."""

from enum import Enum
from typing import Any, ClassVar, Final, Literal, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Dialect, and_, false, or_
from sqlalchemy.orm import QueryableAttribute

from lineside.exceptions import RequestError
from lineside.models._columns import mapper_of
from lineside.models._limits import limit_of
from lineside.models._normalizes import normalize_value_for

_ADAPTERS: Final = "__lineside_adapters__"
_LAX: Final = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
# Of these types, a value that is one already needs no casting; bool is an int, and is not here.
_PLAIN: Final = (int, str)


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


class Range:
    """A range of values for `Query.where`: ``where(created_at=Range(monday, sunday))``.

    Args:
        start: The least value; None: no limit.
        end: The greatest value; None: no limit.
        exclude_end: Leave ``end`` itself out (Rails' ``...``).
    """

    __slots__ = ("end", "exclude_end", "start")

    def __init__(self, start: Any = None, end: Any = None, *, exclude_end: bool = False) -> None:
        self.start = start
        self.end = end
        self.exclude_end = exclude_end

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
    if value is None or isinstance(value, ColumnElement | QueryableAttribute):
        return value
    known = model.__dict__.get(_ADAPTERS)
    if known is None:
        known = {}
        type.__setattr__(model, _ADAPTERS, known)
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
        raise InvalidValueError(model.__name__, name, error.errors()[0]["msg"]) from None


def _adapter(model: Any, name: str) -> tuple[type | None, TypeAdapter[Any] | None]:
    """Return the type that needs no casting, and what casts any other value."""
    field = getattr(model, "model_fields", {}).get(name)
    if field is None:
        return None, None
    annotation = field.annotation
    kinds = [kind for kind in getattr(annotation, "__args__", (annotation,)) if kind is not type(None)]
    kind = kinds[0] if len(kinds) == 1 else None
    has_own = hasattr(kind, "model_config") or hasattr(kind, "__pydantic_config__")
    is_enum = isinstance(kind, type) and issubclass(kind, Enum)
    adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=None if has_own or is_enum else _LAX)
    return (kind if kind in _PLAIN else None), adapter


def fits(model: type, name: str, value: Any, dialect: Dialect | None = None) -> bool:
    """Tell whether a column can hold a value; one that it cannot hold equals none of its values."""
    limit = limit_of(mapper_of(model).columns[name].type)
    return limit is None or limit(value, "postgresql" if dialect is None else dialect.name) is None


def compare(
    attribute: QueryableAttribute[Any], how: Literal["==", ">=", "<=", "<"], value: Any
) -> ColumnElement[bool]:
    """Compare a column with a value.

    Raises:
        InvalidValueError: The value is not of the column's type, or past what it can hold in an order.
    """
    model, name = attribute.parent.class_, attribute.key
    cast_to = cast_value(model, name, value)
    if how == "==":
        return attribute == cast_to if cast_to is None or fits(model, name, cast_to) else false()
    if not fits(model, name, cast_to):
        raise InvalidValueError(model.__name__, name, f"{value!r} is past what the column can hold")
    compared = {">=": attribute >= cast_to, "<=": attribute <= cast_to, "<": attribute < cast_to}[how]
    return cast("ColumnElement[bool]", compared)


def contains_any(attribute: QueryableAttribute[Any], values: Any) -> ColumnElement[bool]:
    """Compare a column with several values; None among them is NULL, as in Rails."""
    model, name = attribute.parent.class_, attribute.key
    cast_to = [cast_value(model, name, value) for value in values]
    found = [value for value in cast_to if value is not None and fits(model, name, value)]
    # An empty IN is false, and no syntax error: SQLAlchemy writes it so.
    is_among = attribute.in_(found)
    return or_(is_among, attribute.is_(None)) if None in cast_to else is_among


def within(attribute: QueryableAttribute[Any], values: Range) -> ColumnElement[bool]:
    """Compare a column with a range."""
    parts: list[ColumnElement[bool]] = []
    if values.start is not None:
        parts.append(compare(attribute, ">=", values.start))
    if values.end is not None:
        parts.append(compare(attribute, "<" if values.exclude_end else "<=", values.end))
    return and_(*parts) if parts else attribute.is_not(None)
