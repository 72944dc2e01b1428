"""How a model says what an association does: ``@has_many``, ``@has_one`` and ``@belongs_to``.

The association itself is SQLModel's ``Relationship`` in the class body, and stays it. A decorator adds
what Rails' macro adds: ``dependent``, ``counter_cache``, ``touch``. One without options needs none.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOMANY, MANYTOONE

from lineside.exceptions import ConfigurationError
from lineside.models._per_class import keep_on, kept_on
from lineside.models._validation._references import instance_mapper

Dependent = Literal["destroy", "delete_all", "nullify", "restrict"]
Kind = Literal["has_many", "has_one", "belongs_to"]

_Model = TypeVar("_Model", bound=type)
_DECLARED: Final = "__lineside_associations__"
_RESOLVED: Final = "__lineside_resolved_associations__"
_DEPENDENT: Final = ("destroy", "delete_all", "nullify", "restrict")


@dataclass(frozen=True, slots=True)
class Association:
    """One association of a class, as declared.

    Attributes:
        kind: The decorator's name.
        name: The relationship.
        dependent: What becomes of its records when the owner is destroyed.
        counter_cache: The owner's column that counts, for ``belongs_to``.
        touch: Whether the owner's ``updated_at`` follows.
    """

    kind: Kind
    name: str
    dependent: Dependent | None = None
    counter_cache: str | None = None
    touch: bool = False


def has_many(name: str, *, dependent: Dependent | None = None) -> Callable[[_Model], _Model]:
    """Say what becomes of many records when their owner is destroyed (as Rails' ``has_many``).

    It holds for ``post.destroy()`` and for ``session.delete(post)``, not for bulk statements.

    Args:
        name: A ``Relationship`` of the class to many records.
        dependent: ``"destroy"`` destroys them with their callbacks, and theirs; ``"delete_all"`` deletes
            the rows in one statement, ``"nullify"`` empties their foreign key in one; ``"restrict"``
            raises `DeleteRestrictionError` while there are any.

    Raises:
        ConfigurationError: There is no such relationship, it is of another kind, or the option is unknown.
    """
    return _declaring(Association("has_many", name, dependent))


def has_one(name: str, *, dependent: Dependent | None = None) -> Callable[[_Model], _Model]:
    """Say what becomes of the one record that belongs to this one; see `has_many`.

    Args:
        name: A ``Relationship`` of the class to one record that has the foreign key.
        dependent: As for `has_many`.

    Raises:
        ConfigurationError: There is no such relationship, it is of another kind, or the option is unknown.
    """
    return _declaring(Association("has_one", name, dependent))


def belongs_to(
    name: str, *, counter_cache: str | None = None, touch: bool = False
) -> Callable[[_Model], _Model]:
    """Say what the owner of a record keeps about it (as Rails' ``belongs_to``).

    Both are one atomic UPDATE of the owner's row, in the same transaction; its callbacks do not run. Bulk
    statements skip it: ``Post.reset_counters`` counts anew.

    Args:
        name: A ``Relationship`` of the class to the record that its foreign key names.
        counter_cache: The owner's column that counts the records: one more when a record is created, one
            less when it is destroyed, both when it moves.
        touch: Set the owner's ``updated_at`` whenever a record is created, changed or destroyed; the
            owner's own owners are not touched.

    Raises:
        ConfigurationError: There is no such relationship, it is of another kind, or the owner has no such
            column.
    """
    return _declaring(Association("belongs_to", name, counter_cache=counter_cache, touch=touch))


def associations(model: type) -> Iterator[tuple[Association, RelationshipProperty[Any]]]:
    """Return what a class declares, with the relationships."""
    return iter(kept_on(model, _RESOLVED, lambda: _resolved(model)))


def _resolved(model: type) -> tuple[tuple[Association, RelationshipProperty[Any]], ...]:
    declared: Mapping[str, Association] = getattr(model, _DECLARED, {})
    relationships = instance_mapper(model).relationships
    return tuple((association, relationships[name]) for name, association in declared.items())


def _declaring(association: Association) -> Callable[[_Model], _Model]:
    def declare(model: _Model) -> _Model:
        known: Mapping[str, Any] = getattr(model, "__sqlmodel_relationships__", {})
        if association.name not in known:
            raise ConfigurationError(
                f"{_label(model, association)}: there is no such relationship; "
                f"{model.__name__} has {', '.join(sorted(known)) or 'none: declare it with Relationship()'}"
            )
        if association.dependent is not None and association.dependent not in _DEPENDENT:
            raise ConfigurationError(
                f"{_label(model, association)}: unknown dependent={association.dependent!r}; "
                f"it is one of {', '.join(_DEPENDENT)}"
            )
        before: Mapping[str, Association] = getattr(model, _DECLARED, {})
        # A decorator that stands above runs later: the order is that of the source.
        keep_on(model, _DECLARED, {association.name: association, **before})
        event.listen(model, "mapper_configured", lambda mapper, _: _check(mapper, association))
        return model

    return declare


def _check(mapper: Mapper[Any], association: Association) -> None:
    """Compare what is declared with the mapping, when the mapping is known."""
    relationship = mapper.relationships[association.name]
    label = _label(mapper.class_, association)
    kind = _kind(relationship)
    if kind != association.kind:
        remedy = "take the decorator out" if kind == "many-to-many" else f"write @{kind}"
        raise ConfigurationError(f"{label}: this relationship is {kind}; {remedy}")
    if association.dependent and relationship.cascade.delete:
        raise ConfigurationError(
            f"{label}: the Relationship deletes by itself; take out cascade_delete, or dependent"
        )
    if association.dependent == "nullify" and not all(c.nullable for c in _foreign_key(relationship)):
        raise ConfigurationError(f"{label}: the foreign key cannot be empty; make it optional")
    columns = relationship.mapper.column_attrs
    needed = [association.counter_cache] if association.counter_cache else []
    for name in [*needed, *(["updated_at"] if association.touch else [])]:
        if name not in columns:
            raise ConfigurationError(
                f"{label}: {relationship.mapper.class_.__name__} has no column {name!r}; "
                f"it has {', '.join(sorted(columns.keys()))}"
            )


def _kind(relationship: RelationshipProperty[Any]) -> str:
    if relationship.direction is MANYTOMANY or relationship.secondary is not None:
        return "many-to-many"
    if relationship.direction is MANYTOONE:
        return "belongs_to"
    return "has_many" if relationship.uselist else "has_one"


def _foreign_key(relationship: RelationshipProperty[Any]) -> list[Any]:
    return [foreign for _, foreign in relationship.synchronize_pairs]


def _label(model: type, association: Association) -> str:
    return f'@{association.kind}("{association.name}") on {model.__name__}'
