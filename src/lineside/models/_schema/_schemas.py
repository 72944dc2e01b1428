"""Input and output schemas derived from a model: only what is named gets in, no secret gets out."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Annotated, Any, Final, get_type_hints

from annotated_types import MaxLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo
from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOONE

from lineside.exceptions import ConfigurationError
from lineside.models._schema._described import described, kind_of
from lineside.models._secret_fields import looks_secret
from lineside.models._validation._normalizes import normalize_value_for, normalizers_of
from lineside.models._validation._pydantic import carried_field_validators, with_zone

#: Whole numbers as databases keep them; a larger one in a path would be an error of the driver's.
_MAX_INTEGER: Final = 2**63 - 1


def _described_input(schema: dict[str, Any]) -> None:
    for name, field in schema.get("properties", {}).items():
        if looks_secret(name):
            field.pop("default", None)
            field["writeOnly"] = True


def _described_patch(schema: dict[str, Any]) -> None:
    _described_input(schema)
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


# Infinity and NaN are no JSON, and the strings "Infinity" and "NaN" are no way around that.
_INPUT: Final = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra=_described_input)
# What is left out of a change stays as it is: that is no default, and null is refused.
_PATCH: Final = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra=_described_patch)
_OUTPUT: Final = ConfigDict(from_attributes=True)


class Output(BaseModel):
    """The base of output schemas: what is made to be shown is never taken for what may be assigned."""

    model_config = _OUTPUT


def named(model: type[BaseModel], option: str) -> tuple[str, ...]:
    """Return what a class declares in ``permit`` or ``expose``.

    Raises:
        ConfigurationError: It is a text; its letters would be the names.
    """
    names: Any = getattr(model, option, None) or ()
    if isinstance(names, str):
        raise ConfigurationError(f'{model.__name__}: {option} is text; write {option} = ("{names}",)')
    return tuple(names)


def input_schema(
    model: type[BaseModel], permit: Iterable[str], *, is_checked_on_save: bool
) -> type[BaseModel]:
    """Derive what `create` takes: the permitted fields, and nothing else (unknown ones are 422).

    Args:
        model: A mapped class.
        permit: Its fields that may be set from outside.
        is_checked_on_save: Whether saving validates the record as a whole, so that a schema of some of its
            fields need not.

    Raises:
        ConfigurationError: A name is no field, or the model is validated as a whole.
    """
    permitted = frozenset(permit)
    _check_names(model, permitted, model.model_fields, option="permit")
    if not is_checked_on_save:
        _refuse_whole_validators(model, schema="input")
    # In the model's order: a validator sees the fields that the model declares before its own.
    definitions: dict[str, Any] = {
        name: (_input_annotation(model, name, field), _described_field(field, described(model, name)))
        for name, field in model.model_fields.items()
        if name in permitted
    }
    return create_model(
        f"{model.__name__}In",
        __config__=_INPUT,
        __module__=model.__module__,
        __validators__=carried_field_validators(model, definitions),
        **definitions,
    )


def patch_schema(schema: type[BaseModel], *, name: str) -> type[BaseModel]:
    """Derive what `update` takes: the same fields, none required, and null only where null is a value.

    Raises:
        ConfigurationError: The schema is validated as a whole.
    """
    _refuse_whole_validators(schema, schema="patch")
    # A default is not validated: None stands for "not sent", while a null that is sent is.
    definitions: dict[str, Any] = {
        field_name: (field.rebuild_annotation(), _described_field(field, {}, default=None))
        for field_name, field in schema.model_fields.items()
    }
    return create_model(
        name,
        __config__=_PATCH,
        __module__=schema.__module__,
        __validators__=carried_field_validators(schema, definitions),
        **definitions,
    )


def output_schema(
    model: type[BaseModel],
    expose: Iterable[str] | None,
    nested: Mapping[str, type[BaseModel]] | None = None,
) -> type[BaseModel]:
    """Derive what actions answer with: the exposed fields, by default all that do not look secret.

    Args:
        model: A mapped class.
        expose: Fields, relationships and properties.
        nested: The schemas of the relationships that are exposed.

    Raises:
        ConfigurationError: A name is no attribute.
    """
    names = shown_fields(model) if expose is None else tuple(expose)
    known = {*model.model_fields, *_properties(model), *relationship_names(model)}
    _check_names(model, names, known, option="expose")
    definitions: dict[str, Any] = {
        name: (_output_annotation(model, name, nested or {}), ...) for name in names
    }
    return create_model(f"{model.__name__}Out", __base__=Output, __module__=model.__module__, **definitions)


def shown_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields that leave by default: no secrets, and none that the model excludes itself."""
    return tuple(
        name
        for name, field in model.model_fields.items()
        if not looks_secret(name) and field.exclude is not True
    )


def relationship_names(model: type[BaseModel]) -> set[str]:
    """Return the relationships of a class and its bases, also while their other ends are not made yet."""
    return {name for base in model.__mro__ for name in vars(base).get("__sqlmodel_relationships__", ())}


def key_annotation(annotation: Any) -> Any:
    """Return the type of a member's path parameter; a number is bounded as the database's is."""
    kind = kind_of(annotation)
    return Annotated[int, Field(ge=-_MAX_INTEGER - 1, le=_MAX_INTEGER)] if kind is int else kind


def filter_annotation(model: type[BaseModel], name: str) -> Any:
    """Return the type of a value to which a column is compared; a number is bounded as the database's is."""
    field = model.model_fields[name]
    return _normalized(model, name, _zoned(model, name, key_annotation(field.annotation)))


def _check_names(
    model: type[BaseModel], names: Iterable[str], known: Collection[str], *, option: str
) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigurationError(
            f"{option} names {unknown}, which {model.__name__} has not; its fields are {sorted(known)}"
        )


def _refuse_whole_validators(model: type[BaseModel], *, schema: str) -> None:
    decorators = model.__pydantic_decorators__
    whole = sorted({*decorators.model_validators, *decorators.root_validators, *decorators.validators})
    if whole:
        raise ConfigurationError(
            f"{model.__name__} is validated as a whole by {whole}, which no schema derived from it can do; "
            f"give your own {schema} schema as a type argument, or use @field_validator"
        )


def _input_annotation(model: type[BaseModel], name: str, field: FieldInfo) -> Any:
    annotation = _zoned(model, name, field.rebuild_annotation())
    length: int | None = getattr(_column_type(model, name), "length", None)
    is_text = kind_of(field.annotation) is str
    if is_text and length is not None and not any(isinstance(each, MaxLen) for each in field.metadata):
        annotation = Annotated[annotation, MaxLen(length)]
    return _normalized(model, name, annotation)


def _zoned(model: type[BaseModel], name: str, annotation: Any) -> Any:
    return with_zone(annotation, has_zone=getattr(_column_type(model, name), "timezone", None))


def _column_type(model: type[BaseModel], name: str) -> Any:
    return getattr(inspect(model).columns.get(name), "type", None)


def _normalized(model: type[BaseModel], name: str, annotation: Any) -> Any:
    if name not in normalizers_of(model):
        return annotation
    # Here, too, and not on save alone: an ability decides about what is going to be written.
    return Annotated[annotation, AfterValidator(partial(normalize_value_for, model, name))]


def _output_annotation(model: type[BaseModel], name: str, nested: Mapping[str, type[BaseModel]]) -> Any:
    if name in model.model_fields:
        return model.model_fields[name].annotation
    if name not in relationship_names(model):
        return get_type_hints(_properties(model)[name]).get("return", Any)
    relationship: RelationshipProperty[Any] = inspect(model).relationships[name]
    schema: Any = nested.get(name) or output_schema(relationship.mapper.class_, None)
    if relationship.uselist:
        return list[schema]
    is_certain = relationship.direction is MANYTOONE and not any(
        column.nullable for column in relationship.local_columns
    )
    return schema if is_certain else schema | None


def _properties(model: type[BaseModel]) -> dict[str, Any]:
    """Return the properties of a class, with the functions that give them."""
    return {
        name: member.fget
        for base in reversed(model.__mro__)
        for name, member in vars(base).items()
        if isinstance(member, property)
    }


def _described_field(field: FieldInfo, constraints: dict[str, Any], **default: Any) -> Any:
    extra = field.json_schema_extra
    if constraints:
        extra = {**(extra if isinstance(extra, dict) else {}), **constraints}
    if not default and not field.is_required():
        default = (
            {"default_factory": field.default_factory}
            if field.default_factory
            else {"default": field.default}
        )
    return Field(
        **default,
        title=field.title,
        description=field.description,
        examples=field.examples,
        discriminator=field.discriminator,
        json_schema_extra=extra,
    )
