"""Names to columns: a string is looked up among the mapped columns and never becomes SQL."""

from typing import Any

from sqlalchemy import ColumnElement, inspect
from sqlalchemy.orm import Mapper, QueryableAttribute, RelationshipProperty
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnClause, TextClause
from sqlalchemy.types import TypeDecorator, TypeEngine

from lineside.models._exceptions import NotDeclaredError, UnknownAttributeError


def mapper_of(entity: Any) -> Mapper[Any]:
    """Return the mapper of a class or of an alias, with its relationships resolved.

    Raises:
        ConfigurationError: It is no mapped class.
    """
    found = inspect(entity, raiseerr=False)
    if found is None or not hasattr(found, "mapper"):
        name = getattr(entity, "__name__", repr(entity))
        raise NotDeclaredError(f"{name} is no table; write class {name}(Model, table=True)")
    mapper: Mapper[Any] = found.mapper
    return mapper


def keys_of(model: type) -> tuple[QueryableAttribute[Any], ...]:
    """Return the attributes of the primary key."""
    mapper = mapper_of(model)
    return tuple(getattr(model, mapper.get_property_by_column(key).key) for key in mapper.primary_key)


def column_named(entity: Any, name: object) -> QueryableAttribute[Any]:
    """Return the mapped column of a name.

    Args:
        entity: A mapped class, or an alias of one.
        name: The attribute.

    Raises:
        UnknownAttributeError: It is no mapped column.
    """
    mapper = mapper_of(entity)
    if not isinstance(name, str) or name not in mapper.column_attrs:
        raise UnknownAttributeError(mapper.class_.__name__, str(name), known=mapper.column_attrs.keys())
    column: QueryableAttribute[Any] = getattr(entity, name)
    return column


def python_type_of(kind: TypeEngine[Any]) -> type | None:
    """Return the type of Python for a type of a column, if SQLAlchemy knows it."""
    try:
        found: type = (kind.impl_instance if isinstance(kind, TypeDecorator) else kind).python_type
    except NotImplementedError:
        return None
    return found


def is_relationship(entity: Any, name: object) -> bool:
    """Tell whether a name is a relationship of a class or of an alias."""
    return isinstance(name, str) and name in mapper_of(entity).relationships


def relationship_named(entity: Any, name: object) -> QueryableAttribute[Any]:
    """Return the relationship of a name.

    Args:
        entity: A mapped class, or an alias of one.
        name: The attribute.

    Raises:
        UnknownAttributeError: It is no relationship.
    """
    mapper = mapper_of(entity)
    if not is_relationship(entity, name):
        raise UnknownAttributeError(mapper.class_.__name__, str(name), known=mapper.relationships.keys())
    relationship: QueryableAttribute[Any] = getattr(entity, str(name))
    return relationship


def expression(value: Any, what: str) -> Any:
    """Return an expression of SQLAlchemy that holds no SQL as text.

    Args:
        value: ``Post.title``, ``Post.views > 10``, ``func.lower(Post.title)``.
        what: The method, for the error.

    Raises:
        TypeError: It is something else, or holds ``text()`` or ``literal_column()``.
    """
    if isinstance(value, QueryableAttribute) and hasattr(value, "property"):
        if isinstance(value.property, RelationshipProperty):
            raise TypeError(f"{what} takes columns and expressions; {value} is a relationship")
        return value
    element = value.__clause_element__() if hasattr(value, "__clause_element__") else value
    if not isinstance(element, ColumnElement):
        raise TypeError(f"{what} takes expressions such as Post.title, not {value!r}")
    if any(_is_text(part) for part in visitors.iterate(element)):
        raise TypeError(f"{what} takes no SQL as text; write an expression, or a raw query with bound values")
    return element


def _is_text(part: Any) -> bool:
    if isinstance(part, ColumnClause):
        return part.is_literal and part.name != "*"  # the star of func.count() is SQLAlchemy's own
    return isinstance(part, TextClause)
