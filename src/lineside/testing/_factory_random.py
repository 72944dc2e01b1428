"""Random values for what a factory does not define: valid ones, the same in every run."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from zlib import crc32

from lineside.exceptions import MissingDependencyError

if TYPE_CHECKING:
    from polyfactory.factories.base import BaseFactory
    from polyfactory.factories.pydantic_factory import ModelFactory
    from sqlmodel import SQLModel

__all__ = ["RandomValues"]

_CONSTRAINTS: Final = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "pattern": "pattern",
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}


class RandomValues:
    """Values for the required columns of a model that are no keys.

    They keep to the constraints of the fields and to those rules of ``@validates`` that have no condition.
    polyfactory makes them, from a seed.

    Args:
        model: The model.
        seed: A text; another one gives other values.

    Raises:
        MissingDependencyError: The extra ``testing`` is not installed.
    """

    def __init__(self, model: "type[SQLModel]", seed: str) -> None:
        from pydantic import create_model

        annotations = {
            name: _annotation(model, name)
            for name, field in model.model_fields.items()
            if field.is_required() and not _is_key(model, name)
        }
        fields: dict[str, Any] = {name: (annotation, ...) for name, annotation in annotations.items()}
        schema: Any = create_model(model.__name__, **fields)
        self._factory: type[BaseFactory[Any]] = _model_factory().create_factory(
            schema, __random_seed__=crc32(seed.encode()), __check_model__=False
        )

    def all(self) -> dict[str, Any]:
        """Return a value for each."""
        return {name: _aware(value) for name, value in self._factory.process_kwargs().items()}


def _annotation(model: "type[SQLModel]", name: str) -> Any:
    from pydantic import Field

    from lineside.models._schema._described import described

    field = model.model_fields[name]
    keywords = described(model, name)
    if "enum" in keywords:
        return Literal[tuple(keywords["enum"])]
    constraints = {_CONSTRAINTS[word]: value for word, value in keywords.items() if word in _CONSTRAINTS}
    return Annotated[(field.annotation, *field.metadata, Field(**constraints))]


def _is_key(model: "type[SQLModel]", name: str) -> bool:
    from sqlalchemy import inspect

    attribute = inspect(model).column_attrs.get(name)
    return attribute is None or any(column.primary_key or column.foreign_keys for column in attribute.columns)


def _aware(value: Any) -> Any:
    # Columns are UTC; polyfactory leaves the zone out.
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _model_factory() -> "type[ModelFactory[Any]]":
    try:
        from polyfactory.factories.pydantic_factory import ModelFactory
    except ImportError:
        raise MissingDependencyError("polyfactory", extra="testing") from None
    return ModelFactory
