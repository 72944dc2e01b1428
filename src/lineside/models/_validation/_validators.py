"""Rails' validators, one function each: what they say about a value, in Rails' words."""

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sized
from dataclasses import dataclass
from decimal import Decimal
from enum import EnumMeta
from typing import Any, Final, TypedDict, cast

from pydantic_core import SchemaError, SchemaValidator, core_schema
from sqlalchemy.orm import Session

from lineside.exceptions import ConfigurationError
from lineside.models._lifecycle._loaded import NOT_LOADED, loaded_value
from lineside.models._validation._limits import Problem

Operand = Any
"""A value to compare with: the value itself, a function of the record, or the name of an attribute."""


# Written as a call, because "is" is a keyword.
LengthOptions = TypedDict("LengthOptions", {"minimum": int, "maximum": int, "is": int}, total=False)
LengthOptions.__doc__ = "What ``length=`` takes; numbers of characters, or of items."


class ComparisonOptions(TypedDict, total=False):
    """What ``comparison=`` takes: values, names of attributes, or functions of the record."""

    greater_than: Operand
    greater_than_or_equal_to: Operand
    equal_to: Operand
    less_than: Operand
    less_than_or_equal_to: Operand
    other_than: Operand


class NumericalityOptions(ComparisonOptions, total=False):
    """What ``numericality=`` takes beside comparisons."""

    only_integer: bool
    odd: bool
    even: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """What a validator looks at.

    Attributes:
        record: The record.
        field: The attribute.
        value: Its value.
        session: The session that is going to write it.
        broken: The fields whose value is not of its type: nothing can be compared with them.
    """

    record: Any
    field: str
    value: Any
    session: Session
    broken: frozenset[str]

    def operand(self, given: Operand) -> Any:
        """Return what to compare with; None when there is nothing to compare with."""
        if callable(given):
            return None if self.broken else given(self.record)
        if isinstance(given, str):
            value = None if given in self.broken else loaded_value(self.record, given)
            return None if value is NOT_LOADED else value
        return given


Check = Callable[[Subject], Iterator[Problem]]
"""A validator: yields the type and the message of each thing that is wrong."""

_COMPARISONS: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "greater_than": (operator.gt, "must be greater than {}"),
    "greater_than_or_equal_to": (operator.ge, "must be greater than or equal to {}"),
    "equal_to": (operator.eq, "must be equal to {}"),
    "less_than": (operator.lt, "must be less than {}"),
    "less_than_or_equal_to": (operator.le, "must be less than or equal to {}"),
    "other_than": (operator.ne, "must be other than {}"),
}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,100}(?:\.[0-9]{1,100})?")


def is_blank(value: object) -> bool:
    """Tell whether a value is None, an empty text or one of spaces only, or an empty collection.

    False is a value here; in Rails it is blank.
    """
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, Sized) and len(value) == 0)


def presence(subject: Subject) -> Iterator[Problem]:
    """Refuse a blank value."""
    if is_blank(subject.value):
        yield "blank", "can't be blank"


def length(given: tuple[int, int] | Mapping[str, int]) -> Check:
    """Bound the number of characters or items; None has none."""
    pair: Mapping[str, int] = (
        given if isinstance(given, Mapping) else {"minimum": given[0], "maximum": given[1]}
    )
    check_options("length", pair, ("minimum", "maximum", "is"))
    least, most, exactly = pair.get("minimum"), pair.get("maximum"), pair.get("is")

    def check(subject: Subject) -> Iterator[Problem]:
        size = 0 if subject.value is None else len(subject.value)
        if least is not None and size < least:
            yield "too_short", f"is too short (minimum is {_characters(least)})"
        if most is not None and size > most:
            yield "too_long", f"is too long (maximum is {_characters(most)})"
        if exactly is not None and size != exactly:
            yield "wrong_length", f"is the wrong length (should be {_characters(exactly)})"

    return check


def format_(pattern: str) -> Check:
    r"""Demand that a pattern is found in the value; anchor it with ``^`` and ``$`` to mean all of it.

    The engine is pydantic's, Rust's ``regex``: its time grows with the length of the value and with
    nothing else, whatever the pattern. It has no look-around and no backreferences.

    Raises:
        ConfigurationError: The engine cannot read the pattern.
    """
    try:
        engine = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise ConfigurationError(
            f"format={pattern!r} cannot be used: {reason}; write a method with @validate instead"
        ) from None

    def check(subject: Subject) -> Iterator[Problem]:
        text = "" if subject.value is None else str(subject.value)
        if not engine.isinstance_python(text):
            yield "invalid", "is invalid"

    return check


def inclusion(given: Collection[Any] | Callable[[Any], Collection[Any]]) -> Check:
    """Demand one of some values."""
    known = _members("inclusion", given)

    def check(subject: Subject) -> Iterator[Problem]:
        allowed = subject.operand(known)
        if allowed is not None and subject.value not in allowed:
            yield "inclusion", "is not included in the list"

    return check


def exclusion(given: Collection[Any] | Callable[[Any], Collection[Any]]) -> Check:
    """Refuse some values."""
    known = _members("exclusion", given)

    def check(subject: Subject) -> Iterator[Problem]:
        refused = subject.operand(known)
        if refused is not None and subject.value in refused:
            yield "exclusion", "is reserved"

    return check


def comparison(options: Mapping[str, Operand]) -> Check:
    """Compare with other values or attributes; one that is None says nothing."""
    check_options("comparison", options, _COMPARISONS)

    def check(subject: Subject) -> Iterator[Problem]:
        if is_blank(subject.value):
            yield "blank", "can't be blank"
        else:
            yield from _compared(subject, subject.value, options)

    return check


def numericality(options: Mapping[str, Operand]) -> Check:
    """Demand a number, or a text that is one."""
    check_options("numericality", options, (*_COMPARISONS, "only_integer", "odd", "even"))
    compared = {name: given for name, given in options.items() if name in _COMPARISONS}

    def check(subject: Subject) -> Iterator[Problem]:
        number = _number(subject.value)
        if number is None:
            yield "not_a_number", "is not a number"
            return
        whole = int(number)
        if options.get("only_integer") and number != whole:
            yield "not_an_integer", "must be an integer"
            return
        yield from _compared(subject, number, compared)
        if options.get("odd") and (number != whole or whole % 2 == 0):
            yield "odd", "must be odd"
        if options.get("even") and (number != whole or whole % 2):
            yield "even", "must be even"

    return check


def check_options(name: str, options: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse an option that does not exist.

    Raises:
        ConfigurationError: Names the known options.
    """
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigurationError(f"{name}= has no option {unknown[0]!r}; it has {', '.join(sorted(known))}")


def operands_of(options: Mapping[str, Operand]) -> list[str]:
    """Return the names of attributes that comparisons name."""
    return [given for name, given in options.items() if name in _COMPARISONS and isinstance(given, str)]


def _compared(subject: Subject, value: Any, options: Mapping[str, Operand]) -> Iterator[Problem]:
    for name, given in options.items():
        holds, message = _COMPARISONS[name]
        other = subject.operand(given)
        if other is not None and not holds(value, other):
            yield name, message.format(other)


def _members(name: str, given: Any) -> Any:
    if isinstance(given, EnumMeta):
        return tuple(cast("Any", given))
    if isinstance(given, str) or not (callable(given) or isinstance(given, Collection)):
        raise ConfigurationError(f"{name}= takes a list of values, or a function of the record")
    return given


def _number(value: object) -> Any:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    # Beyond a thousand digits it is no number that a column holds, and slow to reckon with.
    is_number = isinstance(value, int) or (Decimal(value).is_finite() and Decimal(value).adjusted() < 1_000)
    return value if is_number else None


def _characters(count: int) -> str:
    return f"{count} character{'' if count == 1 else 's'}"
