"""The validators of a model, carried to a schema that has some of its fields."""

from collections.abc import Collection
from typing import Any, cast

from pydantic import BaseModel, field_validator

from lineside.exceptions import ConfigurationError

__all__ = ["validators_for"]

_ALL_FIELDS = "*"


def validators_for(model: type[BaseModel], fields: Collection[str], *, schema: str) -> dict[str, Any]:
    """Return the field validators of a model for some of its fields, for ``create_model(__validators__=)``.

    They stay bound to the model: ``cls`` in a validator is the class that has it, inherited or not.

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
    carried: dict[str, Any] = {}
    for name, decorator in decorators.field_validators.items():
        info = decorator.info
        kept = [field for field in info.fields if field == _ALL_FIELDS or field in fields]
        if kept:
            mark: Any = field_validator(
                kept[0],
                *kept[1:],
                mode=cast("Any", info.mode),
                json_schema_input_type=info.json_schema_input_type,
            )
            # The bound method takes no `cls` any more, as a static method takes none.
            carried[name] = mark(staticmethod(decorator.func))
    return carried
