"""The validators of a model, carried to a schema that has some of its fields."""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from lineside._pydantic import carried_field_validators
from lineside.exceptions import ConfigurationError

__all__ = ["validators_for"]


def validators_for(model: type[BaseModel], fields: Collection[str], *, schema: str) -> dict[str, Any]:
    """Return the field validators of a model for some of its fields, for ``create_model(__validators__=)``.

    Args:
        model: The model that has the validators.
        fields: The fields of the schema.
        schema: Which schema the user may write instead, for the error: ``"input"`` or ``"patch"``.

    Raises:
        ConfigurationError: The model has validators that do not belong to single fields; a part of the
            model cannot keep them.
    """
    decorators = model.__pydantic_decorators__
    whole = sorted({*decorators.model_validators, *decorators.root_validators, *decorators.validators})
    if whole:
        raise ConfigurationError(
            f"{model.__name__} is validated as a whole by {whole}, which no schema derived from it can do; "
            f"give your own {schema} schema as a type argument, or use @field_validator"
        )
    return carried_field_validators(model, fields)
