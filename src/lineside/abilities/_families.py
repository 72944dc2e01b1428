"""Families of column types: which Python values compare in Python exactly as in the database."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

__all__ = ["Family", "comparable", "family_of"]

_INT64: Final = 2**63


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of column.

    Attributes:
        name: What a message calls its values.
        accepts: Whether a value may be compared with such a column.
        ordered: Whether ``<`` means the same in Python and in the database.
        numeric: Whether it may be compared with columns of the other numeric families.
    """

    name: str
    accepts: Callable[[Any], bool]
    ordered: bool = False
    numeric: bool = False


def _of(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


def _is_int(value: Any) -> bool:
    # Larger ones fit no integer column, and the driver would fail in the middle of a request.
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _is_float(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _is_decimal(value: Any) -> bool:
    # Not float: Decimal("0.1") == 0.1 is false in Python and true in the database.
    return _is_int(value) or (isinstance(value, Decimal) and value.is_finite())


def _is_date(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _is_aware(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is None


_TEXT: Final = Family("str", _of(str))
_AWARE: Final = Family("aware datetime", _is_aware, ordered=True)
_NAIVE: Final = Family("naive datetime", _is_naive, ordered=True)
_FLOAT: Final = Family("float", _is_float, ordered=True, numeric=True)
_DECIMAL: Final = Family("Decimal", _is_decimal, ordered=True, numeric=True)

# An Interval is a decorated DateTime, so it comes before the decorated types.
_PLAIN: Final[tuple[tuple[type[Any], Family], ...]] = (
    (sa.Boolean, Family("bool", _of(bool))),
    (sa.Integer, Family("int", _is_int, ordered=True, numeric=True)),
    (sa.Interval, Family("timedelta", _of(timedelta), ordered=True)),
    (sa.Date, Family("date", _is_date, ordered=True)),
    (sa.Time, Family("time", _of(time), ordered=True)),
    (sa.LargeBinary, Family("bytes", _of(bytes))),
)


def family_of(kind: Any) -> Family | None:
    """Return the family of a column type.

    Args:
        kind: A SQLAlchemy type.

    Returns:
        The family, or None for a type that cannot be compared the same way twice: JSON, arrays,
        text with a collation of its own, pickles.
    """
    for plain, family in _PLAIN:
        if isinstance(kind, plain):
            return family
    if isinstance(kind, sa.Enum):
        return _enum(kind)
    if isinstance(kind, sa.String):
        return None if kind.collation else _TEXT
    if isinstance(kind, sa.Numeric | sa.Float):
        return _DECIMAL if kind.asdecimal else _FLOAT
    if isinstance(kind, sa.DateTime):
        return _AWARE if kind.timezone else _NAIVE
    if isinstance(kind, sa.Uuid):
        return Family("UUID", _of(UUID)) if kind.as_uuid else _TEXT
    if isinstance(kind, sa.TypeDecorator):
        return _decorated(kind)
    return None


def _enum(kind: sa.Enum) -> Family:
    members = kind.enum_class
    if members is not None:
        return Family(members.__name__, _of(members))
    return Family("str", lambda value: value in kind.enums)


def _decorated(kind: "sa.TypeDecorator[Any]") -> Family | None:
    if isinstance(kind, sa.PickleType):
        return None
    inner = kind.impl_instance
    plain = family_of(inner)
    changes_values = any(
        getattr(type(kind), hook) is not getattr(sa.TypeDecorator, hook)
        for hook in ("process_bind_param", "process_result_value")
    )
    if not changes_values or plain is _AWARE:
        return plain
    if plain is _NAIVE:
        # The usual recipe for UTC: naive in the database, aware in Python.
        return Family("datetime", _of(datetime), ordered=True)
    # Its author decides what its Python values are; text is never ordered the same way twice.
    return Family(type(kind).__name__, lambda value: True, ordered=plain is not None and plain.ordered)


def comparable(one: Family, other: Family) -> bool:
    """Tell whether columns of two families compare the same way in Python and in the database."""
    if one.name == other.name:
        return True
    # int with float or Decimal is exact in both; float with Decimal is not.
    return one.numeric and other.numeric and "int" in (one.name, other.name)
