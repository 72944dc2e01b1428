"""Which records an association of one record holds, and how they are loaded."""

from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, aliased, with_parent
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.collections import collection_adapter

from lineside.models._association._pairs import chunks, is_one_of
from lineside.models._lifecycle._state import instance_state
from lineside.models._relation._builder import Builder
from lineside.models._relation._columns import keys_of, relationship_named
from lineside.models._relation._hidden import is_shown
from lineside.models._relation._query_state import State


def load(session: Session, record: Any, *names: str) -> None:
    """Load associations of a record that are not loaded yet, with one query for each step of a name."""
    Builder(type(record)).includes(*names)  # refuses a name before anything is asked
    state = instance_state(record)
    if not state.has_identity:
        return  # a new record holds what it was given
    if record not in session:
        session.add(record)
    for name in names:
        own, _, behind = name.partition(".")
        if own not in state.dict:
            _fetch(session, record, own, behind)
        elif behind:
            _fetch_behind(session, state.mapper.relationships[own].mapper.class_, state.dict[own], behind)


def _fetch(session: Session, owner: Any, name: str, behind: str) -> None:
    """Load an association and what lies behind it, without asking for its owner again."""
    relationship = relationship_named(type(owner), name).property
    query: Builder[Any] = Builder(relationship.mapper.class_, beginning(owner, name)).unscoped()
    if behind:
        query = query.includes(behind)
    statement = query.statement().where(*is_shown(query.model))
    found = session.scalars(statement).unique().all()
    set_committed_value(owner, name, found if relationship.uselist else next(iter(found), None))


def _fetch_behind(session: Session, model: type, held: Any, behind: str) -> None:
    """Load what lies behind an association that is loaded."""
    together = collection_adapter(held) if hasattr(held, "_sa_adapter") else [held]
    states = [instance_state(record) for record in together if record is not None]
    keys = [state.identity for state in states if state.identity is not None]
    for some in chunks(keys):
        query: Builder[Any] = Builder(model).unscoped().includes(behind)
        session.scalars(query.statement().where(is_one_of(keys_of(model), some))).all()


def beginning(owner: Any, name: str) -> State:
    """Return the conditions that make a query the owner's: those with which SQLAlchemy would load it."""
    attribute = relationship_named(type(owner), name)
    relationship = attribute.property
    order = tuple(relationship.order_by or ())
    if not instance_state(owner).has_identity:
        return State(ordering=order, is_none=True)
    if relationship.secondary is None:
        return State(criteria=(with_parent(owner, attribute),), ordering=order)
    # By key, so that the query has one table, and `update_all` and `delete_all` work.
    record = aliased(relationship.mapper.class_)
    keys = keys_of(relationship.mapper.class_)
    theirs = select(*(getattr(record, key.key) for key in keys)).where(
        with_parent(owner, attribute.of_type(record))
    )
    return State(criteria=((keys[0] if len(keys) == 1 else tuple_(*keys)).in_(theirs),), ordering=order)
