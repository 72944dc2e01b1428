"""The two ends of a foreign key, by the names of the attributes that hold them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.orm import RelationshipProperty

Key = tuple[Any, ...]

_Item = TypeVar("_Item")
# Parameters of one statement: SQLite takes 32,766, and older ones 999.
_AT_ONCE: Final = 500


def owner_names(relationship: RelationshipProperty[Any]) -> tuple[str, ...]:
    """Return the attributes of a has_many's owner that foreign keys name, usually its primary key."""
    find = relationship.parent.get_property_by_column
    return tuple(find(own).key for own, _ in relationship.synchronize_pairs)


def foreign_names(relationship: RelationshipProperty[Any]) -> tuple[str, ...]:
    """Return the foreign key of a has_many's records."""
    find = relationship.mapper.get_property_by_column
    return tuple(find(foreign).key for _, foreign in relationship.synchronize_pairs)


def values(record: Any, names: Sequence[str]) -> Key:
    """Return the values of some attributes of a record."""
    return tuple(getattr(record, name) for name in names)


def is_one_of(columns: Sequence[Any], keys: Sequence[Key]) -> ColumnElement[bool]:
    """Compare columns with a list of keys."""
    if len(columns) == 1:
        column: ColumnElement[Any] = columns[0]
        return column.in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


def chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Cut a list into parts that one statement can name."""
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
