"""What a column can hold: a value beyond it would be an error of the driver, or be cut without a word.

A limit is a function of a value and the name of the dialect; it returns the type and the message of an
error, in pydantic's words, or None.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, timedelta
from decimal import Context, Decimal
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    Numeric,
    SmallInteger,
    String,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from lineside.models._attribute._tracked import MAX_DEPTH, levels

Problem = tuple[str, str]
"""The type and the message of an error."""

Limit = Callable[[Any, str], Problem | None]

# Numbers without a declared precision: what a double can hold, which is how SQLite keeps them.
_MAX_DIGITS: Final = 308
_NOT_FINITE: Final = ("finite_number", "Input should be a finite number")
_TOO_DEEP: Final = ("too_deep", f"Input should not be nested more than {MAX_DEPTH} levels deep")
_NUL: Final = ("string_nul", "String should not contain NUL characters")
_NOT_UNICODE: Final = ("string_unicode", "Input should be a valid string")
_WIDE: Final = Context(prec=2_000)
_EPOCH: Final = date(1970, 1, 1)


def limit_of(kind: TypeEngine[Any]) -> Limit | None:
    """Return the limit of a column's type, if it has one.

    Args:
        kind: The type of the column; of a type decorator the type that it stands on.
    """
    for known, make in _LIMITS.items():
        if isinstance(kind, known):
            return make(kind)
    if not isinstance(kind, TypeDecorator):
        return None
    # What stands on JSON makes JSON of its values itself.
    return _parts if isinstance(kind.impl_instance, JSON) else limit_of(kind.impl_instance)


def _enum(kind: Any) -> Limit | None:
    if kind.enum_class is not None:
        return None  # pydantic has made it a member
    known = " or ".join(map(repr, kind.enums))

    def check(value: Any, _dialect: str) -> Problem | None:
        return None if value in kind.enums else ("enum", f"Input should be {known}")

    return check


def _text(kind: Any) -> Limit:
    length: int | None = kind.length

    def check(value: Any, _dialect: str) -> Problem | None:
        if not isinstance(value, str):
            return None
        if length is not None and len(value) > length:
            plural = "" if length == 1 else "s"
            return "string_too_long", f"String should have at most {length} character{plural}"
        return _problem_of_text(value)

    return check


def _whole(kind: Any) -> Limit:
    bits = 15 if isinstance(kind, SmallInteger) else 63 if isinstance(kind, BigInteger) else 31

    def check(value: Any, dialect: str) -> Problem | None:
        if not isinstance(value, int):
            return None
        # Every INTEGER of SQLite has 64 bits.
        most = (1 << (63 if dialect == "sqlite" else bits)) - 1
        if value > most:
            return "less_than_equal", f"Input should be less than or equal to {most}"
        if value < -most - 1:
            return "greater_than_equal", f"Input should be greater than or equal to {-most - 1}"
        return None

    return check


def _real(_kind: Any) -> Limit:
    # SQLite would keep NaN as NULL.
    def check(value: Any, _dialect: str) -> Problem | None:
        return _NOT_FINITE if isinstance(value, float) and not math.isfinite(value) else None

    return check


def _decimal(kind: Any) -> Limit:
    scale: int = kind.scale or 0
    digits = _MAX_DIGITS if kind.precision is None else kind.precision - scale
    unit = Decimal((0, (1,), -scale))
    too_large = "decimal_whole_digits", f"Input should have no more than {digits} digits before the point"

    def check(value: Any, _dialect: str) -> Problem | None:
        if not isinstance(value, Decimal | float | int):
            return None
        number = Decimal(value)
        if not number.is_finite():
            return _NOT_FINITE
        if not number:
            return None
        # The database rounds first: 9.999 is 10.00, which has a digit more.
        fits = number.adjusted() < digits and number.quantize(unit, context=_WIDE).adjusted() < digits
        return None if fits else too_large

    return check


def _moment(kind: Any) -> Limit | None:
    if not kind.timezone:
        return None

    def check(value: Any, _dialect: str) -> Problem | None:
        try:
            value.astimezone(UTC)
        except OverflowError:
            return "date_out_of_range", "Input should be between the years 1 and 9999 in UTC"
        return None

    return check


def _span(_kind: Any) -> Limit:
    def check(value: Any, dialect: str) -> Problem | None:
        if dialect == "postgresql" or not isinstance(value, timedelta):
            return None
        # Without a type of its own for spans, a database keeps the moment this long after 1970.
        if date.min - _EPOCH <= value <= date.max - _EPOCH:
            return None
        return "timedelta_out_of_range", "Input is longer than this database can keep"

    return check


def _document(_kind: Any) -> Limit:
    def check(value: Any, _dialect: str) -> Problem | None:
        return _first_problem(value, lambda part: _problem_of_part(part) or _problem_of_json(part))

    return check


def _array(_kind: Any) -> Limit:
    return _parts


def _parts(value: Any, _dialect: str) -> Problem | None:
    return _first_problem(value, _problem_of_part)


def _first_problem(value: Any, check: Callable[[Any], Problem | None]) -> Problem | None:
    """Look for what PostgreSQL keeps in no document."""
    level: list[Any] = []
    for level in levels(value):
        for part in level:
            problem = check(part)
            if problem is not None:
                return problem
    return _TOO_DEEP if level else None


def _problem_of_json(part: Any) -> Problem | None:
    if part is None or isinstance(part, str | int | float | dict | list | tuple):
        return None
    return "json_type", f"Input should hold what JSON can hold, which {type(part).__name__} is not"


def _problem_of_part(part: Any) -> Problem | None:
    if isinstance(part, str):
        return _problem_of_text(part)
    return _NOT_FINITE if isinstance(part, float) and not math.isfinite(part) else None


def _problem_of_text(text: str) -> Problem | None:
    if "\x00" in text:
        return _NUL
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _NOT_UNICODE
    return None


# The first that fits: an Enum is a String, a Float is a Numeric.
_LIMITS: Final[dict[type[TypeEngine[Any]], Callable[[Any], Limit | None]]] = {
    Enum: _enum,
    String: _text,
    Integer: _whole,
    Float: _real,
    Numeric: _decimal,
    DateTime: _moment,
    Interval: _span,
    JSON: _document,
    ARRAY: _array,
}
