"""The opposite of an order."""

from typing import Any

from sqlalchemy import UnaryExpression
from sqlalchemy.sql import operators

_OPPOSITES: dict[Any, str] = {operators.desc_op: "asc", operators.asc_op: "desc"}
_NULLS: dict[Any, str] = {operators.nulls_first_op: "nulls_last", operators.nulls_last_op: "nulls_first"}


def reverse(part: Any) -> Any:
    """Return the opposite of one part of an ORDER BY; a plain expression counts as ascending."""
    if isinstance(part, UnaryExpression):
        if part.modifier in _NULLS:
            return getattr(reverse(part.element), _NULLS[part.modifier])()
        if part.modifier in _OPPOSITES:
            return getattr(part.element, _OPPOSITES[part.modifier])()
    return part.desc()
