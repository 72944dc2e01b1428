"""One condition of a query, from an expression or from a name and a value."""

from collections.abc import Collection, Sequence
from typing import Any, cast

from sqlalchemy import JSON, ColumnElement, and_, false, or_
from sqlalchemy.orm import QueryableAttribute, RelationshipProperty

from lineside.models._lifecycle._state import instance_state
from lineside.models._relation._columns import expression, keys_of, python_type_of
from lineside.models._relation._documents import check_document
from lineside.models._relation._values import Range, check_length, contains_any, equals, operand, within

_COLLECTIONS = (list, tuple, set, frozenset)


def criterion(part: Any) -> ColumnElement[bool]:
    """Return an expression that may stand in a WHERE.

    Raises:
        TypeError: It is no expression of SQLAlchemy, or holds text().
    """
    return cast("ColumnElement[bool]", expression(part, "where()"))


def condition(attribute: QueryableAttribute[Any], value: Any) -> ColumnElement[bool]:
    """Compare a column or a relationship with a value.

    Raises:
        InvalidValueError: The value is not of the column's type.
    """
    if isinstance(attribute.property, RelationshipProperty):
        return _related(attribute, value)
    if isinstance(attribute.type, JSON) and not hasattr(value, "as_subquery"):
        check_document(attribute, value)
        return equals(attribute, value)
    if isinstance(value, Range):
        return within(attribute, value)
    if isinstance(value, range):
        return _whole_numbers(attribute, value)
    if hasattr(value, "as_subquery"):
        return attribute.in_(value.as_subquery())
    if isinstance(value, _COLLECTIONS) and not _is_a_value(attribute):
        return contains_any(attribute, cast("Collection[Any]", value))
    return equals(attribute, value)


def _whole_numbers(attribute: QueryableAttribute[Any], value: range) -> ColumnElement[bool]:
    if not value:
        return contains_any(attribute, [])
    numbers = value if value.step > 0 else value[::-1]
    bounds = within(attribute, Range(numbers[0], numbers[-1]))
    if numbers.step == 1:
        return bounds
    return and_(bounds, (attribute - operand(attribute, numbers[0])) % numbers.step == 0)


def _is_a_value(attribute: QueryableAttribute[Any]) -> bool:
    """Tell whether lists are what the column holds, and not several values to compare with."""
    return python_type_of(attribute.type) in (list, tuple, set)


def _related(attribute: QueryableAttribute[Any], value: Any) -> ColumnElement[bool]:
    target = attribute.property.mapper.class_
    records = list(value) if isinstance(value, _COLLECTIONS) else [value]
    check_length(attribute.parent.class_, attribute.key, len(records))
    for record in records:
        if record is not None and not isinstance(record, target):
            raise TypeError(f"{attribute} takes a {target.__name__} or None, not {record!r}")
        if record is not None and not instance_state(record).has_identity:
            raise TypeError(f"{attribute} takes saved records; save this {target.__name__} first")
    if attribute.property.uselist:
        return or_(false(), *(~attribute.any() if r is None else attribute.contains(r) for r in records))
    return or_(false(), *(attribute == record for record in records))


def is_key(model: type, keys: Sequence[Any]) -> ColumnElement[bool]:
    """Compare the primary key with several keys: with tuples, if it has several columns."""
    columns = keys_of(model)
    if len(columns) == 1:
        return contains_any(columns[0], keys)
    check_length(model, columns[0].key, len(keys) * len(columns))
    return or_(
        false(),
        *(and_(*(equals(column, part) for column, part in zip(columns, key, strict=True))) for key in keys),
    )
