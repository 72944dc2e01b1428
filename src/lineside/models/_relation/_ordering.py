"""The parts of an ORDER BY: each has a direction and a place for NULL, the same on every database."""

from typing import Any, Final

from sqlalchemy import UnaryExpression
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql import operators

from lineside.models._relation._columns import mapper_of

_OPPOSITES: Final[dict[Any, str]] = {operators.desc_op: "asc", operators.asc_op: "desc"}
_NULLS: Final[dict[Any, str]] = {
    operators.nulls_first_op: "nulls_last",
    operators.nulls_last_op: "nulls_first",
}


def sorted_by(model: type, column: Any, *, is_descending: bool) -> Any:
    """Sort by a column; NULL counts as the greatest value, which only PostgreSQL does by itself.

    Args:
        model: The class whose records are sorted: columns of others can be missing in an outer join.
        column: The column or expression.
        is_descending: Whether the greatest comes first.
    """
    element = column.expression if isinstance(column, QueryableAttribute) else column
    is_own = getattr(element, "table", None) in mapper_of(model).tables
    if is_own and not getattr(element, "nullable", True):
        return column.desc() if is_descending else column.asc()
    return column.desc().nulls_first() if is_descending else column.asc().nulls_last()


def in_order(model: type, part: Any) -> Any:
    """Return an expression as a part of an order; one that says nothing is ascending."""
    if isinstance(part, UnaryExpression):
        if part.modifier in _NULLS:
            return part
        if part.modifier in _OPPOSITES:
            return sorted_by(model, part.element, is_descending=part.modifier is operators.desc_op)
    return sorted_by(model, part, is_descending=False)


def reverse(part: Any) -> Any:
    """Return the opposite of one part of an order."""
    if isinstance(part, UnaryExpression):
        if part.modifier in _NULLS:
            return getattr(reverse(part.element), _NULLS[part.modifier])()
        if part.modifier in _OPPOSITES:
            return getattr(part.element, _OPPOSITES[part.modifier])()
    return part.desc()


def sorted_element(part: Any) -> Any:
    """Return what one part of an order sorts by, without its direction."""
    while isinstance(part, UnaryExpression) and part.modifier is not None:
        part = part.element
    return part
