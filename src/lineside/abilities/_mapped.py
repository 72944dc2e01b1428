"""What a mapped class offers to conditions: its columns and relationships. Imports SQLAlchemy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import InvalidRequestError, StatementError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.exc import DetachedInstanceError

from lineside.abilities._conditions import COLLECTIONS
from lineside.abilities._families import Family, family_of
from lineside.exceptions import ConfigurationError

__all__ = ["Attribute", "MappedSubject", "is_unloaded"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that a condition may name.

    Attributes:
        name: Its name on the class.
        family: The family of its column; None for a relationship.
        related: The class at the other end of a relationship.
        many: Whether the relationship holds several objects.
    """

    name: str
    family: Family | None = None
    related: "MappedSubject | None" = None
    many: bool = False


class MappedSubject:
    """A mapped class, looked at once per process.

    Args:
        model: A class that SQLAlchemy has mapped.
    """

    def __init__(self, model: type) -> None:
        mapper: Any = sa.inspect(model, raiseerr=False)
        if not isinstance(mapper, Mapper):
            raise ConfigurationError(f"{model.__name__} is not a mapped class; write rules for one that is")
        self.model = model
        self.mapper: Mapper[Any] = mapper
        self._attributes: dict[str, Attribute] = {}

    def attribute(self, name: str) -> Attribute:
        """Return an attribute, or raise with the known names."""
        found = self._attributes.get(name)
        if found is None:
            # Only names that exist are kept: the dict is as large as the class.
            found = self._attributes[name] = self._look_up(name)
        return found

    def _look_up(self, name: str) -> Attribute:
        if name in self.mapper.columns:
            kind = self.mapper.columns[name].type
            family = family_of(kind)
            if family is None:
                raise ConfigurationError(
                    f"{self.model.__name__}.{name} is a {kind!r} column, which Python and the database"
                    " compare differently; use when= with a function"
                )
            return Attribute(name, family=family)
        if name in self.mapper.relationships:
            relation = self.mapper.relationships[name]
            return Attribute(name, related=MappedSubject(relation.mapper.class_), many=bool(relation.uselist))
        known = sorted([*self.mapper.columns.keys(), *self.mapper.relationships.keys()])
        raise ConfigurationError(
            f"{self.model.__name__} has no column or relationship {name!r}; it has {', '.join(known)}"
        )

    def family(self, column: Any) -> tuple[str, Family]:
        """Return the attribute name and family of a column in an expression.

        Raises:
            ConfigurationError: The column belongs to another table or cannot be compared.
        """
        try:
            key = self.mapper.get_property_by_column(column).key
        except (KeyError, InvalidRequestError):
            raise ConfigurationError(
                f"{column} is not a column of {self.model.__name__}; reach a related object by its"
                " relationship, as in author={'role': 'editor'}"
            ) from None
        family = self.attribute(key).family
        if family is None:
            raise ConfigurationError(f"{self.model.__name__}.{key} is not a column; compare a column")
        return key, family

    def check(self, conditions: Mapping[str, Any]) -> None:
        """Raise for a condition that would not mean the same on an object and in a query."""
        for name, wanted in conditions.items():
            attribute = self._attributes.get(name) or self.attribute(name)
            family = attribute.family
            if family is None:
                self._check_related(attribute, wanted)
                continue
            for value in wanted if isinstance(wanted, COLLECTIONS) else (wanted,):
                if value is not None and not family.accepts(value):
                    raise ConfigurationError(
                        f"{self.model.__name__}.{name} is compared with {family.name} or None,"
                        f" not with {type(value).__name__}"
                    )

    def _check_related(self, attribute: Attribute, wanted: object) -> None:
        if attribute.related is None or not isinstance(wanted, Mapping):
            raise ConfigurationError(
                f"{self.model.__name__}.{attribute.name} is a relationship; give conditions for the other"
                f" end, as in {attribute.name}={{'id': 1}}"
            )
        attribute.related.check(cast("Mapping[str, Any]", wanted))

    def attribute_names(self) -> frozenset[str]:
        """Return every attribute that SQLAlchemy maps."""
        return frozenset(self.mapper.attrs.keys())


def is_unloaded(error: Exception) -> bool:
    """Tell whether reading an attribute failed because the row was loaded without it."""
    # MissingGreenlet and lazy="raise" are both InvalidRequestError; the driver may wrap the first.
    cause = error.orig if isinstance(error, StatementError) else error
    return isinstance(cause, InvalidRequestError | DetachedInstanceError)
