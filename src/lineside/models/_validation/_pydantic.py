"""What a derived pydantic model takes over from its original: an input schema, a table's validation."""

from collections.abc import Collection
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Final, Union, cast, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, NaiveDatetime, field_validator

__all__ = ["ZONE_HINT", "carried_field_validators", "with_zone"]

ZONE_HINT: Final = "; add one, such as 2026-01-31T12:00:00Z"
"""What follows pydantic's words about a time without a zone."""
_ALL_FIELDS: Final = "*"


def carried_field_validators(model: type[BaseModel], fields: Collection[str]) -> dict[str, Any]:
    """Return the field validators of a model for some of its fields, for ``create_model(__validators__=)``.

    They stay bound to the model: ``cls`` in a validator is the class that has it, inherited or not.

    Args:
        model: The model that has the validators.
        fields: The fields of the derived model.
    """
    carried: dict[str, Any] = {}
    for name, decorator in model.__pydantic_decorators__.field_validators.items():
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


def with_zone(annotation: Any, *, has_zone: bool | None) -> Any:
    """Say of the times in an annotation whether they have a zone, as their column does.

    Args:
        annotation: The annotation of a field.
        has_zone: What the column keeps; None when it keeps no times, which leaves the annotation alone.
    """
    if has_zone is None:
        return annotation
    return _replaced(annotation, AwareDatetime if has_zone else NaiveDatetime)


def _replaced(annotation: Any, kind: Any) -> Any:
    """Put another type where ``datetime`` stands, also beside None."""
    if annotation is datetime:
        return kind
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[_replaced(arguments[0], kind), *arguments[1:]]
    if origin in (Union, UnionType):
        return Union[tuple(_replaced(argument, kind) for argument in arguments)]  # noqa: UP007 - `|` needs literals
    return annotation
