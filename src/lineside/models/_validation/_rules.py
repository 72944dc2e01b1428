"""What a class declares about its validity, and how it is collected from the class and its bases."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import get_annotations, isfunction
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from lineside.exceptions import ConfigurationError
from lineside.models._lifecycle._callbacks import Condition
from lineside.models._lifecycle._chain import holds
from lineside.models._per_class import keep_on, kept_on
from lineside.models._validation._errors import Errors, On
from lineside.models._validation._validators import Check, is_blank, presence

MARK: Final = "__lineside_validate__"
"""Where a method keeps that it is a validation."""

_DECLARED: Final = "__lineside_validates__"
_COLLECTED: Final = "__lineside_validations__"
_Model = TypeVar("_Model", bound=type)


@runtime_checkable
class SupportsValidate(Protocol):
    """A validator as an object of its own, for `validates_with`; a function of the same two does as well."""

    def validate(self, record: Any, errors: Errors, /) -> Any:
        """Add to the errors of a record what is wrong with it; may be async under an ``AsyncSession``."""
        ...


Validator = SupportsValidate | Callable[[Any, Errors], Any]


@dataclass(frozen=True, slots=True)
class When:
    """When a declaration counts.

    Attributes:
        on: For new records or for changes only; None means both.
        if_: A condition that must hold.
        unless: A condition that must not.
    """

    on: On | None = None
    if_: Condition | None = None
    unless: Condition | None = None

    def applies_to(self, record: Any, on: On, *, is_typed: bool) -> bool:
        """Tell whether it counts now; a condition is not asked of values that are not of their type."""
        if self.on not in (None, on):
            return False
        if self.if_ is None and self.unless is None:
            return True
        return (
            is_typed
            and (self.if_ is None or holds(self.if_, record))
            and (self.unless is None or not holds(self.unless, record))
        )

    def check_names(self, model: type) -> None:
        """Refuse a condition that names nothing.

        Raises:
            ConfigurationError: Names what is known.
        """
        for condition in (self.if_, self.unless):
            if isinstance(condition, str):
                check_name(model, condition)


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``@validates``: checks of the values of some fields.

    ``options`` is what the checks were made of, for a schema to say it beforehand.
    """

    fields: tuple[str, ...]
    checks: tuple[Check, ...]
    when: When
    allow_none: bool
    allow_blank: bool
    message: str | None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def demands_presence(self) -> bool:
        """Whether it has words of its own for a value that is missing."""
        return presence in self.checks and not (self.allow_none or self.allow_blank)

    def allows(self, value: object) -> bool:
        """Tell whether a value is let through without a look."""
        if self.allow_blank and is_blank(value):
            return True
        return self.allow_none and value is None


@dataclass(frozen=True, slots=True)
class Declarations:
    """All that a class and its bases declare, bases first, in the order in which it is written."""

    rules: tuple[Rule, ...] = ()
    validators: tuple[tuple[Validator, When], ...] = ()
    methods: tuple[tuple[str, When], ...] = ()

    @classmethod
    def of(cls, model: type) -> "Declarations":
        """Return those of a class; collected once."""
        return kept_on(model, _COLLECTED, lambda: cls._collected(model))

    @classmethod
    def _collected(cls, model: type) -> "Declarations":
        declared = [entry for base in reversed(model.__mro__) for entry in vars(base).get(_DECLARED, ())]
        return cls(
            rules=tuple(entry for entry in declared if isinstance(entry, Rule)),
            validators=tuple(entry for entry in declared if not isinstance(entry, Rule)),
            methods=tuple(_methods(model)),
        )


def add_declaration(model: _Model, entry: Rule | tuple[Validator, When]) -> _Model:
    """Note an entry on a class, before those that it has."""
    # Decorators run from the last to the first; people read them from the first to the last.
    keep_on(model, _DECLARED, (entry, *vars(model).get(_DECLARED, ())))
    return model


def _methods(model: type) -> Iterator[tuple[str, When]]:
    found: dict[str, When] = {}
    for base in reversed(model.__mro__):
        for name, member in vars(base).items():
            if isfunction(member) and hasattr(member, MARK):
                found[name] = getattr(member, MARK)
    for name, when in found.items():
        when.check_names(model)
        yield name, when


def check_class(given: object, decorator: str) -> None:
    """Refuse what is no class, for a decorator of classes.

    Raises:
        ConfigurationError: Says where to put it.
    """
    if not isinstance(given, type):
        name = getattr(given, "__name__", repr(given))
        raise ConfigurationError(
            f"{decorator} was given {name}: put it above the `class` line; a method takes @validate"
        )


def check_name(model: type, name: str) -> None:
    """Refuse a name that is no attribute.

    Raises:
        ConfigurationError: Names those that are.
    """
    if name in _known(model) or hasattr(model, name):
        return
    raise ConfigurationError(
        f"{model.__name__} has no attribute {name!r} to validate; it has {', '.join(sorted(_known(model)))}"
    )


def _known(model: type) -> set[str]:
    """Return the fields and relationships of a class, or what a mixin annotates."""
    fields: Mapping[str, object] = getattr(model, "model_fields", {})
    relationships: Mapping[str, object] = getattr(model, "__sqlmodel_relationships__", {})
    annotated = {name for base in model.__mro__ for name in get_annotations(base)}
    return {*fields, *relationships} or annotated
