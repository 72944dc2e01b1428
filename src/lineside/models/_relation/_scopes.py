"""Named, reusable queries of a class: ``@scope`` and ``@default_scope``."""

import functools
from collections.abc import Callable
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar

from lineside.models._exceptions import UnknownAttributeError
from lineside.models._per_class import kept_on

if TYPE_CHECKING:
    from lineside.models._relation._builder import Builder
    from lineside.models._relation._query import Query

P = ParamSpec("P")
T = TypeVar("T")
_BuilderT = TypeVar("_BuilderT", bound="Builder[Any]")
_DEFAULTS: Final = "__lineside_default_scopes__"


class scope(Generic[T, P]):  # noqa: N801 - used as a decorator
    """Make a query of a class reusable (as Rails' ``scope``).

        @scope
        @staticmethod
        def published(query: Query["Post"]) -> Query["Post"]:
            return query.where(published=True)

    Then ``Post.published()`` begins a query, and ``query.scopes("published")`` or
    ``query.merge(Post.published())`` adds it to one. ``@staticmethod`` is for type checkers, which take the
    first parameter for a record otherwise; without it, it works the same.

    Args:
        function: Takes a query, and further arguments if it needs some, and returns a query.
    """

    def __init__(self, function: "Callable[Concatenate[Query[T], P], Query[T]]") -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, record: object, owner: type[Any]) -> "Callable[P, Query[T]]":
        """Return the beginning of a query for the class."""
        from lineside.models._relation._query import Query

        return functools.partial(self.apply, Query(owner))

    def apply(self, query: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return a query with the scope applied.

        Raises:
            TypeError: The function returns something else, or forgets to return.
        """
        found: Any = self.function(query, *args, **kwargs)
        if type(found) is not type(query):
            name = getattr(self.function, "__name__", repr(self.function))
            raise TypeError(f"the scope {name} must return the query that it makes, not {found!r}")
        return found


class default_scope(scope[T, P]):  # noqa: N801 - used as a decorator
    """Make a query the one that every query of the class begins with, until ``unscoped()``.

    Its order counts only for queries that have none of their own.
    """


def is_scope(model: type, name: str) -> bool:
    """Tell whether a class has a scope of this name."""
    return isinstance(getattr_static(model, name, None), scope)


def scope_named(model: type, name: str) -> Callable[..., Any]:
    """Return the function of a scope.

    Raises:
        UnknownAttributeError: The class has no scope of this name.
    """
    known = {key: member for base in reversed(model.__mro__) for key, member in vars(base).items()}
    found = {key: member for key, member in known.items() if isinstance(member, scope)}
    if name not in found:
        raise UnknownAttributeError(model.__name__, name, known=found)
    return found[name].apply


def apply_default_scopes(query: _BuilderT, *, without: Callable[..., Any] | None = None) -> _BuilderT:
    """Add the default scopes of a query's class, once.

    Args:
        query: The query.
        without: The function of a scope to leave out.
    """
    for function in _default_scopes(query.model):
        if function is without:
            continue
        begun = function(query.blank())
        ordering = query.ordering
        query = begun.merge(query)
        if ordering:
            query = query.reorder(*ordering)
    return query


def has_default_scope(model: type) -> bool:
    """Tell whether a class has a default scope."""
    return bool(_default_scopes(model))


def _default_scopes(model: type) -> tuple[Callable[..., Any], ...]:
    return kept_on(model, _DEFAULTS, lambda: _declared_defaults(model))


def _declared_defaults(model: type) -> tuple[Callable[..., Any], ...]:
    members: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        members.update(vars(base))
    return tuple(m.function for m in members.values() if isinstance(m, default_scope))
