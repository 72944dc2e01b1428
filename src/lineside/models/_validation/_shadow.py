"""A table's fields as a pydantic model that is no table: SQLModel itself validates no table.

The shadow has the field's types, constraints and validators. Every field may be left out, because what
is not loaded, or what the database fills in, is not there to be validated.
"""

import warnings
from collections.abc import Iterable
from inspect import signature
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic_core import SchemaValidator, core_schema
from sqlalchemy import inspect

from lineside.exceptions import ConfigurationError
from lineside.models._validation._errors import BASE, Error
from lineside.models._validation._pydantic import ZONE_HINT, carried_field_validators, with_zone

# What decides whether a value is good. The rest of a config is about tables, JSON and aliases.
_CARRIED: Final = frozenset(
    {
        "allow_inf_nan",
        "arbitrary_types_allowed",
        "coerce_numbers_to_str",
        "regex_engine",
        "revalidate_instances",
        "str_max_length",
        "str_min_length",
        "str_strip_whitespace",
        "str_to_lower",
        "str_to_upper",
        "strict",
        "val_json_bytes",
        "val_temporal_unit",
    }
)


class Shadow:
    """The validator of one table class.

    Args:
        model: A mapped SQLModel class.

    Raises:
        ConfigurationError: The class has validators of pydantic 1, which pydantic 2 cannot carry over.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        decorators = model.__pydantic_decorators__
        if old := sorted({*decorators.validators, *decorators.root_validators}):
            raise ConfigurationError(
                f"{model.__name__} has validators in the style of pydantic 1: {', '.join(old)}; "
                "write them with @field_validator or @model_validator"
            )
        self._fields = _validator(model, _whole_validators(model))
        self._each_field = _validator(model, {})
        self._whole = [
            _of_record(decorator.func)
            for decorator in decorators.model_validators.values()
            if decorator.info.mode == "after"
        ]

    def check(self, values: dict[str, Any]) -> tuple[dict[str, Any], list[Error]]:
        """Validate values by field.

        Returns:
            The good values as their fields' types have them, and the errors.
        """
        try:
            return _values(self._fields.validate_python(values), values), []
        except ValidationError as error:
            errors = _errors(error)
        wrong = {error.field for error in errors}
        rest = {name: value for name, value in values.items() if name not in wrong}
        try:
            return _values(self._each_field.validate_python(rest), rest), errors
        except ValidationError:
            # A validator that lets a field pass only beside another one.
            return {}, errors

    def check_whole(self, record: object) -> list[Error]:
        """Run the ``@model_validator(mode="after")`` methods on the record itself, up to the first error."""
        for validator in self._whole:
            try:
                validator.validate_python(record)
            except ValidationError as error:
                return _errors(error)
        return []


def _validator(model: type[BaseModel], whole: dict[str, Any]) -> Any:
    columns = inspect(model).columns
    definitions: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        has_zone = getattr(getattr(columns.get(name), "type", None), "timezone", None)
        annotation = with_zone(field.rebuild_annotation(), has_zone=has_zone)
        definitions[name] = (annotation, Field(default=None, discriminator=field.discriminator))
    validators = {**carried_field_validators(model, definitions), **whole}
    carried = {key: value for key, value in model.model_config.items() if key in _CARRIED}
    config = cast("ConfigDict", {**carried, "protected_namespaces": ()})
    with warnings.catch_warnings():
        # About names: the author of the table has been warned when it was made.
        warnings.simplefilter("ignore", UserWarning)
        shadow = create_model(model.__name__, __config__=config, __validators__=validators, **definitions)
    return shadow.__pydantic_validator__


def _whole_validators(model: type[BaseModel]) -> dict[str, Any]:
    """Carry over those that see all values before they are validated."""
    carried: dict[str, Any] = {}
    for name, decorator in model.__pydantic_decorators__.model_validators.items():
        if decorator.info.mode != "after":
            mark: Any = model_validator(mode=decorator.info.mode)
            carried[name] = mark(staticmethod(decorator.func))
    return carried


def _values(validated: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(validated, name) for name in names}


def _of_record(function: Any) -> SchemaValidator:
    """Let pydantic call a method, so that its errors are told in pydantic's words."""
    if len(signature(function).parameters) > 1:
        return SchemaValidator(core_schema.with_info_plain_validator_function(function))
    return SchemaValidator(core_schema.no_info_plain_validator_function(function))


def _errors(error: ValidationError) -> list[Error]:
    found: list[Error] = []
    for entry in error.errors(include_url=False, include_context=False):
        field, *inside = entry["loc"] or (BASE,)
        message = entry["msg"] + (ZONE_HINT if entry["type"] == "timezone_aware" else "")
        value = None if field == BASE else entry["input"]
        found.append(Error(str(field), message, entry["type"], value, tuple(inside)))
    return found
