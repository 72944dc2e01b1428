"""Input and output schemas derived from a model: only what is named gets in, no secret gets out."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo
from sqlalchemy import inspect

from lineside._pydantic import with_zone
from lineside._secrets import NAMES_OF_SECRETS
from lineside.controllers._validators import validators_for
from lineside.exceptions import ConfigurationError

# Fields that never leave by default, whoever asks; name them in `expose` to send them.
_SECRET: Final = re.compile(rf"{NAMES_OF_SECRETS}|pwd|digest|hash|private", re.IGNORECASE)
#: Whole numbers as databases keep them; a larger one in a path would be an error of the driver's.
_MAX_INTEGER: Final = 2**63 - 1


# Infinity and NaN are no JSON, and the strings "Infinity" and "NaN" are no way around that.
_INPUT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)


def fields_of(model: type[BaseModel], names: Iterable[str], *, option: str) -> dict[str, FieldInfo]:
    """Return the named fields of a model.

    Raises:
        ConfigurationError: A name is no field; the message says which option named it.
    """
    known = model.model_fields
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigurationError(
            f"{option} names {unknown}, which {model.__name__} has not; its fields are {sorted(known)}"
        )
    return {name: known[name] for name in names}


def input_schema(model: type[BaseModel], permit: Iterable[str]) -> type[BaseModel]:
    """Derive what `create` takes: the permitted fields, and nothing else (unknown ones are 422).

    Raises:
        ConfigurationError: A name is no field, or the model is validated as a whole.
    """
    fields = fields_of(model, permit, option="permit")
    # In the model's order: a validator sees the fields that the model declares before its own.
    definitions: dict[str, Any] = {
        name: (_zoned(_annotation(field), model, name), _default(field))
        for name, field in model.model_fields.items()
        if name in fields
    }
    validators = validators_for(model, fields, schema="input")
    return create_model(f"{model.__name__}In", __config__=_INPUT, __validators__=validators, **definitions)


def patch_schema(schema: type[BaseModel], *, name: str) -> type[BaseModel]:
    """Derive what `update` takes: the same fields, none required, and null only where null is a value.

    Raises:
        ConfigurationError: The schema is validated as a whole.
    """
    # A default is not validated: None stands for "not sent", while a null that is sent is.
    definitions: dict[str, Any] = {
        field_name: (_annotation(field), None) for field_name, field in schema.model_fields.items()
    }
    validators = validators_for(schema, definitions, schema="patch")
    return create_model(name, __config__=_INPUT, __validators__=validators, **definitions)


def output_schema(model: type[BaseModel], expose: Iterable[str] | None) -> type[BaseModel]:
    """Derive what actions answer with: the exposed fields, by default all that do not look secret."""
    if expose is None:
        expose = [
            name
            for name, field in model.model_fields.items()
            if not _SECRET.search(name) and field.exclude is not True
        ]
    fields = fields_of(model, expose, option="expose")
    definitions: dict[str, Any] = {name: (field.annotation, ...) for name, field in fields.items()}
    return create_model(f"{model.__name__}Out", __config__=ConfigDict(from_attributes=True), **definitions)


def key_annotation(annotation: Any) -> Any:
    """Return the type of a member's path parameter; a number is bounded as the database's is."""
    kinds = [kind for kind in getattr(annotation, "__args__", (annotation,)) if kind is not type(None)]
    kind: Any = kinds[0] if len(kinds) == 1 else annotation
    return Annotated[int, Field(ge=-_MAX_INTEGER - 1, le=_MAX_INTEGER)] if kind is int else kind


def _annotation(field: FieldInfo) -> Any:
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return annotation


def _zoned(annotation: Any, model: type[BaseModel], name: str) -> Any:
    """Say of a time whether it has a zone, as its column does: no other can be stored or compared."""
    column: Any = inspect(model).columns.get(name)
    return with_zone(annotation, has_zone=getattr(getattr(column, "type", None), "timezone", None))


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return Field(title=field.title, description=field.description)
    if field.default_factory is not None:
        factory: Any = field.default_factory
        return Field(default_factory=factory, title=field.title, description=field.description)
    return Field(default=field.default, title=field.title, description=field.description)
