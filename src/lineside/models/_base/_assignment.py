"""Which names may be given to a record, by code and from outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from sqlmodel import SQLModel

from lineside.models._exceptions import ForbiddenAttributesError, UnknownAttributeError
from lineside.models._per_class import kept_on
from lineside.models._schema._schemas import Output

_NAMES: Final = "__lineside_names__"
_Values = TypeVar("_Values", bound=Mapping[str, Any])


def attribute_names(model: type[SQLModel]) -> frozenset[str]:
    """Return the names that a record can be given: fields, their aliases, relationships, properties."""
    return kept_on(model, _NAMES, lambda: _settable_names(model))


def _settable_names(model: type[SQLModel]) -> frozenset[str]:
    fields = model.model_fields
    aliases = {field.alias for field in fields.values() if field.alias}
    settable = {
        name
        for base in model.__mro__
        for name, member in vars(base).items()
        if isinstance(member, property) and member.fset is not None
    }
    return frozenset({*fields, *aliases, *model.__sqlmodel_relationships__, *settable})


def check_names(model: type[SQLModel], values: _Values) -> _Values:
    """Return the values, if every name is an attribute.

    Raises:
        UnknownAttributeError: One is not; SQLModel would drop it in silence.
    """
    known = attribute_names(model)
    if not known.issuperset(values):
        unknown = min(set(values) - known)
        raise UnknownAttributeError(model.__name__, unknown, known=known)
    return values


def assigned(
    model: type[SQLModel], attributes: Mapping[str, Any] | BaseModel | None, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Join what came from outside, which must be permitted, with what the code itself says.

    Raises:
        ForbiddenAttributesError: Something from outside is not permitted.
    """
    if attributes is None:
        return dict(values)
    return {**_given(model, attributes), **values}


def _given(model: type[SQLModel], attributes: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    if isinstance(attributes, BaseModel):
        if not isinstance(attributes, Output) and not is_table(type(attributes)):
            # The fields that a schema declares are what its author permits; what it merely let pass is not.
            declared = attributes.model_fields_set & type(attributes).model_fields.keys()
            return {name: getattr(attributes, name) for name in declared}
        attributes = attributes.model_dump(exclude_unset=True)
    permitted: Sequence[str] = getattr(model, "permit", ())
    refused = attributes.keys() - set(permitted)
    if refused:
        raise ForbiddenAttributesError(model.__name__, refused, permitted=permitted)
    return dict(attributes)


def assign(
    record: SQLModel, attributes: Mapping[str, Any] | BaseModel | None, values: Mapping[str, Any]
) -> None:
    """Set attributes of a record; see `Record.assign_attributes`."""
    model = type(record)
    fields = {field.alias: name for name, field in model.model_fields.items() if field.alias}
    for name, value in check_names(model, assigned(model, attributes, values)).items():
        setattr(record, fields.get(name, name), value)


def is_table(model: type[BaseModel]) -> bool:
    """Tell whether a class is mapped to a table, and not a schema."""
    return model.model_config.get("table") is True
