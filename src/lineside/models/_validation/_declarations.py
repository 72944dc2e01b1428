"""How a model declares its validations: ``@validates``, ``@validates_with`` and ``@validate``."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeVar, overload

from lineside.exceptions import ConfigurationError
from lineside.models._lifecycle._callbacks import Condition, check_method
from lineside.models._validation import _validators
from lineside.models._validation._errors import On
from lineside.models._validation._rules import (
    MARK,
    Rule,
    Validator,
    When,
    add_declaration,
    check_class,
    check_name,
)
from lineside.models._validation._unique_validator import Uniqueness, UniquenessOptions
from lineside.models._validation._validators import (
    Check,
    ComparisonOptions,
    LengthOptions,
    NumericalityOptions,
)

_Model = TypeVar("_Model", bound=type)
_Method = TypeVar("_Method", bound=Callable[..., Any])


def validates(
    *fields: str,
    presence: bool = False,
    length: tuple[int, int] | LengthOptions | None = None,
    format: str | None = None,  # noqa: A002 - Rails' word
    inclusion: Collection[Any] | Callable[[Any], Collection[Any]] | None = None,
    exclusion: Collection[Any] | Callable[[Any], Collection[Any]] | None = None,
    numericality: bool | NumericalityOptions = False,
    comparison: ComparisonOptions | None = None,
    uniqueness: bool | UniquenessOptions = False,
    on: On | None = None,
    if_: Condition | None = None,
    unless: Condition | None = None,
    allow_none: bool = False,
    allow_blank: bool = False,
    message: str | None = None,
) -> Callable[[_Model], _Model]:
    r"""Declare what the values of some fields must be (as Rails' ``validates``); a class decorator.

    The types and constraints of the fields themselves are checked first, and a value that breaks those is
    not looked at again.

    Args:
        fields: The attributes; also relationships and properties.
        presence: Not None, not empty, not spaces only. False is a value.
        length: ``(minimum, maximum)`` or `LengthOptions`, in characters or items.
        format: A regular expression that is found in the value; ``^`` and ``$`` mean all of it. The engine
            is Rust's: linear in time, without look-around and backreferences.
        inclusion: The values that are good: a collection, an Enum, or a function of the record.
        exclusion: The values that are not.
        numericality: True, or `NumericalityOptions`.
        comparison: `ComparisonOptions`: values, functions of the record, or names of attributes.
        uniqueness: True, or `UniquenessOptions`. Add a unique index: without one, two that save at the
            same moment both get through.
        on: ``"create"`` or ``"update"``; default: both.
        if_: The name of an attribute or method, or a function of the record: only if it is true. Conditions
            are asked when all values are of their types.
        unless: The same, only if it is false.
        allow_none: None passes.
        allow_blank: What is blank passes.
        message: What to say instead of Rails' words.

    Raises:
        ConfigurationError: A field or an option does not exist, or nothing is declared.
    """
    when = When(on, if_, unless)
    options: dict[str, Any] = {
        "presence": presence,
        "length": length,
        "format": format,
        "inclusion": inclusion,
        "exclusion": exclusion,
        "numericality": numericality,
        "comparison": comparison,
        "uniqueness": uniqueness,
    }

    def declare(model: _Model) -> _Model:
        check_class(model, "@validates")
        checks = tuple(_checks(**options))
        if not fields or not checks:
            raise ConfigurationError(
                f"{model.__name__}: @validates{fields} declares nothing; "
                'write the fields and what to check, as in @validates("title", presence=True)'
            )
        numbers: Any = {} if isinstance(numericality, bool) else numericality
        operands = _validators.operands_of({**(comparison or {}), **numbers})
        for name in (*fields, *operands):
            check_name(model, name)
        for check in checks:
            if isinstance(check, Uniqueness):
                check.check_columns(model, fields)
        when.check_names(model)
        return add_declaration(model, Rule(fields, checks, when, allow_none, allow_blank, message, options))

    return declare


def validates_with(
    *validators: Validator,
    on: On | None = None,
    if_: Condition | None = None,
    unless: Condition | None = None,
) -> Callable[[_Model], _Model]:
    """Declare validators of your own (as Rails' ``validates_with``); a class decorator.

    Args:
        validators: Objects with ``validate(record, errors)``, or functions of the two. They run when all
            values are of their types.
        on: ``"create"`` or ``"update"``; default: both.
        if_: The name of an attribute or method, or a function of the record: only if it is true.
        unless: The same, only if it is false.
    """
    when = When(on, if_, unless)

    def declare(model: _Model) -> _Model:
        check_class(model, "@validates_with")
        when.check_names(model)
        for validator in reversed(validators):
            add_declaration(model, (validator, when))
        return model

    return declare


@overload
def validate(method: _Method, /) -> _Method: ...
@overload
def validate(
    *, on: On | None = None, if_: Condition | None = None, unless: Condition | None = None
) -> Callable[[_Method], _Method]: ...


def validate(
    method: _Method | None = None,
    /,
    *,
    on: On | None = None,
    if_: Condition | None = None,
    unless: Condition | None = None,
) -> _Method | Callable[[_Method], _Method]:
    """Mark a method, sync or async, that adds to ``self.errors`` what is wrong (as Rails' ``validate``).

    It runs when all values are of their types, and need not check those. A subclass that overrides the
    method takes its place.

    Args:
        method: The method, when the decorator stands without parentheses.
        on: ``"create"`` or ``"update"``; default: both.
        if_: The name of an attribute or method, or a function of the record: only if it is true.
        unless: The same, only if it is false.

    Raises:
        CallbackError: It is given something else than a method, for instance a name.
    """

    def mark(function: _Method) -> _Method:
        check_method(function, "@validate")
        setattr(function, MARK, When(on, if_, unless))
        return function

    return mark if method is None else mark(method)


def _checks(
    *,
    presence: bool,
    uniqueness: bool | UniquenessOptions,
    numericality: bool | NumericalityOptions,
    **others: Any,
) -> Iterator[Check]:
    if presence:
        yield _validators.presence
    for name, given in others.items():
        if given is not None:
            yield _MAKERS[name](given)
    if numericality is not False:
        yield _validators.numericality({} if isinstance(numericality, bool) else numericality)
    if uniqueness is not False:
        # Last: the database is asked about a value that is good otherwise.
        yield Uniqueness({} if isinstance(uniqueness, bool) else uniqueness)


_MAKERS: Final[Mapping[str, Callable[[Any], Check]]] = {
    "length": _validators.length,
    "format": _validators.format_,
    "inclusion": _validators.inclusion,
    "exclusion": _validators.exclusion,
    "comparison": _validators.comparison,
}
