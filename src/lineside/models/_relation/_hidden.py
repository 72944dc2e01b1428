"""Which rows soft deletion hides: one answer for queries, joins, counters and whatever else asks."""

from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import ColumnElement

from lineside.exceptions import ConfigurationError
from lineside.models._relation._columns import mapper_of
from lineside.models._relation._scopes import apply_default_scopes

if TYPE_CHECKING:
    from lineside.models._relation._builder import Builder

_BuilderT = TypeVar("_BuilderT", bound="Builder[Any]")

HIDDEN_SINCE: Final = "deleted_at"
_HIDES: Final = "__lineside_hides_rows__"


def hides_rows(model: type) -> bool:
    """Tell whether a class keeps destroyed rows; `SoftDelete` says so of itself."""
    return getattr(model, _HIDES, False)


def is_shown(entity: Any) -> tuple[ColumnElement[bool], ...]:
    """Return what is true of the rows that a class, or an alias of one, shows; nothing if it shows all."""
    if not hides_rows(mapper_of(entity).class_):
        return ()
    return (getattr(entity, HIDDEN_SINCE).is_(None),)


def without_deleted(query: Any) -> Any:
    """Leave hidden rows out: the default scope of `SoftDelete`."""
    return query.where(deleted_at=None)


def with_deleted(query: _BuilderT) -> _BuilderT:
    """Return a query that finds hidden rows, too; other default scopes stay.

    Raises:
        ConfigurationError: The class hides no rows.
    """
    if not hides_rows(query.model):
        name = query.model.__name__
        raise ConfigurationError(
            f"{name} hides no rows: write class {name}(SoftDelete, ...), or leave this out; "
            "default scopes of your own go with unscoped()"
        )
    return apply_default_scopes(query, without=without_deleted).unscoped()
