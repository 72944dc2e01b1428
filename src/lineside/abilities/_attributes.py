"""Sets of attributes, where "all but these" is a set as well; input and output cut to such a set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from lineside.abilities._rule import Rule
from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel

_NAMES_SHOWN: Final = 10
_NAME_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class AttributeSet:
    """A set of attribute names, or everything but a set of names.

    Attributes:
        names: The names.
        inverted: Whether these are the names that are left out.
    """

    names: frozenset[str] = frozenset()
    inverted: bool = False

    def __contains__(self, name: str) -> bool:
        return (name in self.names) is not self.inverted

    def plus(self, more: frozenset[str]) -> "AttributeSet":
        """Return the set with these names."""
        return AttributeSet(self.names - more if self.inverted else self.names | more, self.inverted)

    def minus(self, fewer: frozenset[str]) -> "AttributeSet":
        """Return the set without these names."""
        return AttributeSet(self.names | fewer if self.inverted else self.names - fewer, self.inverted)


EVERYTHING: Final = AttributeSet(inverted=True)
NOTHING: Final = AttributeSet()


def attributes_of(rules: Iterable[Rule]) -> AttributeSet:
    """Return what rules that match, oldest first, leave permitted."""
    permitted = NOTHING
    for rule in rules:
        if rule.attributes is None:
            permitted = EVERYTHING if rule.allow else NOTHING
        else:
            permitted = permitted.plus(rule.attributes) if rule.allow else permitted.minus(rule.attributes)
    return permitted


def sent_values(data: "BaseModel | Mapping[str, Any]") -> dict[str, Any]:
    """Return what a client sent: the fields that were set, by their Python names."""
    if isinstance(data, Mapping):
        return dict(data)
    dump = getattr(data, "model_dump", None)
    if dump is None:
        raise ConfigurationError(f"permit takes a pydantic model or a mapping, not {type(data).__name__}")
    return cast("dict[str, Any]", dump(exclude_unset=True, by_alias=False))


def listed(names: Iterable[str]) -> str:
    """Return names for a message; they come from the client, so their number and length are bounded."""
    ordered = sorted(names, key=str)
    shown = ", ".join(repr(str(name)[:_NAME_CHARACTERS]) for name in ordered[:_NAMES_SHOWN])
    more = len(ordered) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def shown_values(
    subject: object, permitted: AttributeSet, *, schema: "type[BaseModel] | None"
) -> dict[str, Any]:
    """Return the permitted attributes of an object, in the words of a schema when there is one."""
    if schema is not None:
        model: Any = schema.model_validate(subject, from_attributes=True)
        fields = {name for name in _field_names(model) if name in permitted}
        return cast("dict[str, Any]", model.model_dump(include=fields, by_alias=True))
    if hasattr(subject, "model_dump"):
        pydantic_like: Any = subject
        fields = {name for name in _field_names(pydantic_like) if name in permitted}
        return cast("dict[str, Any]", pydantic_like.model_dump(include=fields))
    names = _plain_names(subject)
    return {name: getattr(subject, name) for name in names if name in permitted}


def _field_names(model: Any) -> set[str]:
    kind: Any = type(model)
    extra: Any = getattr(model, "model_extra", None) or {}
    return {*kind.model_fields, *kind.model_computed_fields, *extra}


def _plain_names(subject: object) -> list[str]:
    mapper: Any = getattr(type(subject), "__mapper__", None)
    if mapper is not None:
        return [str(key) for key in mapper.columns.keys()]  # noqa: SIM118 - a collection of columns, not a dict
    return [name for name in vars(subject) if not name.startswith("_")]
