"""Associations by name: what ``joins("comments.user")`` joins and ``includes("author")`` loads."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import QueryableAttribute, aliased, joinedload

from lineside.models._relation._columns import relationship_named
from lineside.models._relation._hidden import is_shown
from lineside.models._relation._query_state import Join, State


def joined(
    model: type, state: State, associations: Sequence[Any], *, is_outer: bool
) -> tuple[tuple[str, Join], ...]:
    """Return the joins of a query with further ones.

    A table that is joined twice, or to itself, is an alias the second time. What is needed once is needed:
    an outer join that is named again as an inner one is an inner one.

    Raises:
        UnknownAttributeError: A name is no relationship.
        TypeError: It is neither a name nor an attribute of the class.
    """
    joins = dict(state.joins)
    for association in associations:
        entity, path = model, ""
        for name in _steps(model, association):
            path = f"{path}.{name}" if path else name
            joins[path] = _join(model, joins, entity, path, is_outer=is_outer)
            entity = joins[path].entity
    return tuple(joins.items())


def _join(model: type, joins: dict[str, Join], entity: Any, path: str, *, is_outer: bool) -> Join:
    known = joins.get(path)
    if known is not None:
        return known._replace(is_outer=known.is_outer and is_outer)
    attribute = relationship_named(entity, path.rpartition(".")[2])
    target = attribute.property.mapper.class_
    used = {model, *(join.entity for join in joins.values())}
    return Join(attribute, aliased(target) if target in used else target, is_outer)


def loading(model: type, associations: Sequence[Any], strategy: Any) -> list[Any]:
    """Return SQLAlchemy's options that load associations.

    Args:
        model: The class that has them.
        associations: The associations, by name or as attributes.
        strategy: ``selectinload`` or ``joinedload``.

    Raises:
        UnknownAttributeError: A name is no relationship.
        TypeError: It is neither a name nor an attribute of the class.
    """
    options: list[Any] = []
    for association in associations:
        entity: Any = model
        option: Any = None
        for name in _steps(model, association):
            attribute = relationship_named(entity, name)
            entity = attribute.property.mapper.class_
            # A query of its own leaves hidden rows out by itself; a join does not.
            shown = is_shown(entity) if strategy is joinedload else ()
            loaded = attribute.and_(*shown) if shown else attribute
            option = strategy(loaded) if option is None else getattr(option, strategy.__name__)(loaded)
        options.append(option)
    return options


def entity_of(model: type, state: State, name: object) -> tuple[Any, Any]:
    """Return the class or alias that a dotted name leads to, and the name's last part.

    Raises:
        UnknownAttributeError: The first part is no relationship.
        TypeError: The association is not joined.
    """
    if not isinstance(name, str) or "." not in name:
        return model, name
    path, _, key = name.rpartition(".")
    for known, join in state.joins:
        if known == path:
            return join.entity, key
    entity: Any = model
    for step in path.split("."):
        entity = relationship_named(entity, step).property.mapper.class_
    raise TypeError(f'{name!r} needs its association: add .joins("{path}") before it')


def _steps(model: type, association: Any) -> list[str]:
    if isinstance(association, QueryableAttribute):
        if not issubclass(model, association.parent.class_):
            raise TypeError(f"{association} is no association of {model.__name__}; name it by its path")
        return [association.key]
    if not isinstance(association, str):
        raise TypeError(f"associations are names or attributes such as Post.author, not {association!r}")
    return association.split(".")
