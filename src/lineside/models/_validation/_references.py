"""Foreign keys as they will be: a flush copies the key of a related record into them."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy.orm import Mapper, RelationshipProperty, Session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE
from sqlalchemy.orm.interfaces import MANYTOONE, ONETOMANY

from lineside.models._lifecycle._loaded import NOT_LOADED, loaded_value
from lineside.models._lifecycle._state import instance_state

UNKNOWN_YET: Final[Any] = object()
"""Stands for the key of a record that the database has not numbered yet."""


def future_value(record: object, name: str) -> Any:
    """Return what an attribute will be once the flush has copied the keys of related records.

    Args:
        record: The record.
        name: The attribute, usually a foreign key.

    Returns:
        The value, `UNKNOWN_YET`, or `NOT_LOADED`.
    """
    state = instance_state(record)
    for relationship in state.mapper.relationships:
        if relationship.key in state.dict and (remote := _copied(relationship, name)) is not None:
            added = get_history(record, relationship.key, PASSIVE_NO_INITIALIZE).added
            if added:
                return None if added[0] is None else _key_in(added[0], remote)
    return loaded_value(record, name)


def held_value(record: object, name: str, session: Session) -> Any:
    """Return the key of a record in the session that holds this one in a collection.

    Only for relationships without one back: with one, the record knows its parent itself.

    Args:
        record: The record.
        name: The foreign key.
        session: The session that will write it.

    Returns:
        The key, `UNKNOWN_YET`, or None when nobody holds it.
    """
    collections = list(_one_to_many(type(record), name))
    for parent in session if collections else ():
        for owner, key, column in collections:
            if isinstance(parent, owner) and key in instance_state(parent).dict:
                added = get_history(parent, key, PASSIVE_NO_INITIALIZE).added
                if any(child is record for child in added):
                    return _key_in(parent, column)
    return None


def _copied(relationship: RelationshipProperty[Any], name: str) -> Any:
    """Return the column that a many-to-one copies into this foreign key, or None."""
    if relationship.direction is not MANYTOONE or relationship.viewonly:
        return None
    for remote, local in relationship.synchronize_pairs:
        if relationship.parent.get_property_by_column(local).key == name:
            return remote
    return None


def _one_to_many(child: type, name: str) -> Iterator[tuple[type, str, Any]]:
    mapper: Mapper[Any] = instance_mapper(child)
    for other in mapper.registry.mappers:
        for relationship in other.relationships:
            if relationship.direction is not ONETOMANY or relationship.viewonly:
                continue
            if not mapper.isa(relationship.mapper):
                continue
            for own, foreign in relationship.synchronize_pairs:
                if mapper.get_property_by_column(foreign).key == name:
                    yield other.class_, relationship.key, own


def instance_mapper(model: type) -> Mapper[Any]:
    """Return the mapper of a class, with its relationships resolved."""
    mapper: Mapper[Any] = model.__mapper__  # type: ignore[attr-defined]
    mapper.registry.configure()
    return mapper


def _key_in(record: object, column: Any) -> Any:
    name = instance_state(record).mapper.get_property_by_column(column).key
    value = loaded_value(record, name)
    return UNKNOWN_YET if value is None or value is NOT_LOADED else value
