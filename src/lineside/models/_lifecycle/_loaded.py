"""Reading attributes of a record without asking the database."""

from typing import Any, Final

from sqlalchemy.orm import InstanceState, RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOONE

from lineside.models._lifecycle._state import instance_state

NOT_LOADED: Final[Any] = object()
"""Stands for a value that only a query could tell."""


def loaded_value(record: object, name: str) -> Any:
    """Return an attribute as it stands in memory, or `NOT_LOADED`.

    A new record has no row: what was never set is None. A property is computed.
    """
    state = instance_state(record)
    if name in state.dict:
        return state.dict[name]
    if name not in state.mapper.attrs:
        return getattr(record, name)
    if state.has_identity or _is_referenced(state, name):
        return NOT_LOADED
    return None


def _is_referenced(state: InstanceState[Any], name: str) -> bool:
    """Tell whether the foreign key of a relationship is set, though the other record is not here."""
    relationship = state.mapper.attrs[name]
    if not isinstance(relationship, RelationshipProperty) or relationship.direction is not MANYTOONE:
        return False
    keys = [state.mapper.get_property_by_column(column).key for column in relationship.local_columns]
    return all(state.dict.get(key) is not None for key in keys)
