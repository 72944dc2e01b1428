"""``@normalizes``: values in the one form in which they are kept, as Rails' ``normalizes``."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_attribute
from sqlalchemy.types import TypeEngine
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from lineside.exceptions import ConfigurationError
from lineside.models._lifecycle._state import instance_state
from lineside.models._per_class import keep_on, kept_on
from lineside.models._validation._rules import check_class

_DECLARED: Final = "__lineside_normalizes__"
_COLLECTED: Final = "__lineside_normalizers__"
_Model = TypeVar("_Model", bound=type)


@dataclass(frozen=True, slots=True)
class _Normalizer:
    function: Callable[[Any], Any]
    apply_to_none: bool

    def __call__(self, value: Any) -> Any:
        return value if value is None and not self.apply_to_none else self.function(value)


def normalizes(
    *fields: str, with_: Callable[[Any], Any], apply_to_none: bool = False
) -> Callable[[_Model], _Model]:
    """Declare the form in which fields are kept; a class decorator.

    It is applied to what has changed before a record is validated, and by queries to what they look for.
    A value that is not of the column's type is left for the validation to refuse.

    Args:
        fields: The columns.
        with_: A function of the value, for instance ``lambda email: email.strip().lower()``; applied twice
            it must do what it does once.
        apply_to_none: Call it for None, too.

    Raises:
        ConfigurationError: A field does not exist.
    """

    def declare(model: _Model) -> _Model:
        check_class(model, "@normalizes")
        known: Iterable[str] = getattr(model, "model_fields", ())
        for name in fields:
            if name not in known:
                raise ConfigurationError(
                    f"{model.__name__} has no column {name!r} to normalize; it has {', '.join(sorted(known))}"
                )
        own = dict.fromkeys(fields, _Normalizer(with_, apply_to_none)).items()
        # Decorators run from the last to the first; people read them from the first to the last.
        keep_on(model, _DECLARED, (*own, *vars(model).get(_DECLARED, ())))
        return model

    return declare


def apply_normalizers(record: Any, names: Iterable[str] | None = None) -> bool:
    """Bring the changed values of a record into their form.

    Args:
        record: The record.
        names: Only these fields; default: all.

    Returns:
        Whether a value is another one now.
    """
    state = instance_state(record)
    normalizers = normalizers_of(type(record))
    changed = False
    for name in normalizers if names is None else normalizers.keys() & set(names):
        if name not in state.dict or (state.has_identity and name not in state.committed_state):
            continue
        value = state.dict[name]
        normalized = normalize_value_for(type(record), name, value)
        if normalized is not value and normalized != value:
            set_attribute(record, name, normalized)
            changed = True
    return changed


def normalize_value_for(model: type, name: str, value: Any) -> Any:
    """Return a value in the form in which a field keeps it (as Rails' ``normalize_value_for``).

    Args:
        model: The class.
        name: The field.
        value: The value; one that is not of the column's type is returned as it is.
    """
    chain = normalizers_of(model).get(name, ())
    if not chain or not _is_of_type(model, name, value):
        return value
    for normalizer in chain:
        value = normalizer(value)
    return value


def _is_of_type(model: type, name: str, value: Any) -> bool:
    if value is None:
        return True
    kind: TypeEngine[Any] = inspect(model).columns[name].type
    if isinstance(kind, AutoString | UTCDateTime):
        kind = kind.impl_instance
    try:
        known = kind.python_type
    except NotImplementedError:
        return True  # a type of somebody's own, which may keep anything
    # A JSON column says dict, and keeps lists and texts as well.
    return known is dict or isinstance(value, known)


def normalizers_of(model: type) -> dict[str, tuple[_Normalizer, ...]]:
    """Return what a class and its bases declare, by field; collected once."""
    return kept_on(model, _COLLECTED, lambda: _collected(model))


def _collected(model: type) -> dict[str, tuple[_Normalizer, ...]]:
    found: dict[str, tuple[_Normalizer, ...]] = {}
    for base in reversed(model.__mro__):
        for name, normalizer in vars(base).get(_DECLARED, ()):
            found[name] = (*found.get(name, ()), normalizer)
    return found
