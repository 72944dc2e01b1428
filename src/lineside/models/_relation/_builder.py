"""What a query is before it runs: conditions, order, joins; every change gives a new one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sqlalchemy import ColumnElement, Select, and_, not_, or_
from sqlalchemy.orm import QueryableAttribute, joinedload, selectinload

from lineside.models._relation import _statements as statements
from lineside.models._relation._columns import (
    column_named,
    expression,
    is_relationship,
    keys_of,
    mapper_of,
    relationship_named,
)
from lineside.models._relation._conditions import condition, criterion
from lineside.models._relation._ordering import in_order, reverse, sorted_by
from lineside.models._relation._paths import entity_of, joined, loading
from lineside.models._relation._query_state import BLANK, Lock, State, merged, row_count, said_by
from lineside.models._relation._scopes import apply_default_scopes, is_scope, scope_named
from lineside.models._relation._words import near

T = TypeVar("T")


class Builder(Generic[T]):
    """The methods that make a query; what runs it is added by `Query` and `SyncQuery`.

    Args:
        model: The class whose records are found.

    Raises:
        ConfigurationError: It is no table.
    """

    __slots__ = ("_state", "model")

    model: type[T]

    def __init__(self, model: type[T], _state: State | None = None) -> None:
        if _state is None:
            mapper_of(model)
        self.model = model
        self._state = _state or State()

    def __repr__(self) -> str:
        try:
            said = self.to_sql()
        except Exception as error:  # noqa: BLE001 - a debugger and help() ask, also about what is no table
            said = f"{self.model.__name__}: {error}"
        return f"{type(self).__name__}({said})"

    if not TYPE_CHECKING:  # a checker would take any name for a method

        def __getattr__(self, name: str) -> Any:
            """Say which word is meant by one that a query does not have."""
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(_unknown(self, name), name=name, obj=self)

    def where(self, *criteria: Any, **values: Any) -> Self:
        """Keep the records for which all of this holds.

        Args:
            criteria: Expressions, such as ``Post.views > 10``.
            values: Columns and what they are: a value, a list (IN), None (IS NULL), a `Range` or
                ``range``, another query (a subquery), or a record for a relationship.

        Raises:
            UnknownAttributeError: A name is no column.
            InvalidValueError: A value is not of its column's type.
        """
        if not criteria and not values:
            return self
        return self._with(criteria=(*self._state.criteria, *self._conditions(criteria, values)))

    def not_(self, *criteria: Any, **values: Any) -> Self:
        """Leave out the records for which all of this holds (Rails' ``where.not``).

        As in SQL, a comparison with NULL is neither true nor false, and leaves the record out, too.
        """
        conditions = self._conditions(criteria, values)
        return self._with(criteria=(*self._state.criteria, not_(and_(*conditions)))) if conditions else self

    def or_(self, *criteria: Any, **values: Any) -> Self:
        """Find what has been asked for so far, or this instead.

        Args:
            criteria: Expressions, or queries for the same class, whose conditions are taken.
            values: As for `where`.
        """
        conditions = self._conditions(criteria, values)
        if not conditions:
            return self
        so_far = self._state.criteria
        if self._state.is_none:
            return self._with(criteria=tuple(conditions), is_none=False)
        return self._with(criteria=(or_(and_(*so_far), and_(*conditions)),)) if so_far else self

    def order(self, *columns: Any) -> Self:
        """Sort, after what is sorted by already.

        NULL is the greatest value on every database, as PostgreSQL has it.

        Args:
            columns: Names (``"-created_at"`` is descending, ``"author.name"`` needs its join) or expressions.

        Raises:
            UnknownAttributeError: A name is no column.
        """
        ordering = tuple(self._ordered(column) for column in columns)
        return self._with(ordering=(*self._state.ordering, *ordering))

    def reorder(self, *columns: Any) -> Self:
        """Sort by this instead of what was said before; by nothing without an argument."""
        return self._with(ordering=()).order(*columns)

    def reverse_order(self) -> Self:
        """Turn the order round; without one, that of the primary key."""
        return self._with(ordering=tuple(reverse(part) for part in self.scoped().ordering_or_key()))

    def limit(self, count: int | None) -> Self:
        """Find at most so many; None: all."""
        return self._with(limit=row_count("limit", count))

    def offset(self, count: int | None) -> Self:
        """Leave out the first so many."""
        return self._with(offset=row_count("offset", count))

    def select(self, *columns: str | Any) -> Self:
        """Load only these columns; reading another one is an error and no further query."""
        found = [self._column(column) for column in columns]
        return self._with(columns=(*self._state.columns, *found))

    def distinct(self) -> Self:
        """Find each row once."""
        return self._with(is_distinct=True)

    def joins(self, *associations: Any) -> Self:
        """Join associations, so that conditions and orders can name their columns.

        Args:
            associations: Relationships, ``"author"`` or ``"comments.user"`` or ``Post.author``. A record
                comes once for each row that matches; `distinct` makes it one.
        """
        return self._with(joins=joined(self.model, self._state, associations, is_outer=False))

    def left_joins(self, *associations: Any) -> Self:
        """Join associations and keep records that have none (Rails' ``left_outer_joins``)."""
        return self._with(joins=joined(self.model, self._state, associations, is_outer=True))

    def includes(self, *associations: Any) -> Self:
        """Load associations along, one query each, whatever the number of records.

        Args:
            associations: Relationships: ``"author"``, ``"comments.user"`` or ``Post.author``.
        """
        return self._with(loads=(*self._state.loads, *loading(self.model, associations, selectinload)))

    def preload(self, *associations: Any) -> Self:
        """Load associations along with queries of their own; the same as `includes`."""
        return self.includes(*associations)

    def eager_load(self, *associations: Any) -> Self:
        """Load associations along in the same query, by a LEFT JOIN."""
        loads = loading(self.model, associations, joinedload)
        return self._with(loads=(*self._state.loads, *loads), has_doubles=True)

    def none(self) -> Self:
        """Find nothing, without asking the database."""
        return self._with(is_none=True)

    def unscoped(self) -> Self:
        """Leave the default scopes of the class out."""
        return self._with(is_scoped=False)

    def scopes(self, *names: str) -> Self:
        """Apply scopes of the class by their names.

        Raises:
            UnknownAttributeError: The class has no such scope.
        """
        query = self
        for name in names:
            query = scope_named(self.model, name)(query)
        return query

    def merge(self, other: "Builder[T]") -> Self:
        """Add what another query of the same class says: conditions, joins and order; its limit wins."""
        self._check_model(other)
        return self._with(**_changes(merged(self._state, other._state)))

    def lock(self, *, nowait: bool = False, skip_locked: bool = False, read: bool = False) -> Self:
        """Hold the rows until the end of the transaction (``SELECT ... FOR UPDATE``).

        The records have the values of now, also those that were loaded before. Changes that are not saved
        are written first, as before every query; in a callback they are not, and a record that has some is
        refused. SQLite has no row locks: a writing transaction there is alone anyway.

        Args:
            nowait: Fail at once when a row is held by somebody else.
            skip_locked: Leave rows out that are held by somebody else.
            read: Let others read with a lock, too (``FOR SHARE``).
        """
        return self._with(lock=Lock(nowait, skip_locked, read))

    def to_sql(self) -> str:
        """Return the statement for people; values stay parameters."""
        return str(self.statement())

    def statement(self) -> Select[Any]:
        """Return SQLAlchemy's statement, for what this class has no word for."""
        return statements.records(self.model, self.scoped().state)

    @property
    def state(self) -> State:
        """What the query says."""
        return self._state

    @property
    def ordering(self) -> tuple[Any, ...]:
        """What the query sorts by."""
        return self._state.ordering

    def as_subquery(self) -> Select[Any]:
        """Return the keys that the query finds, for an IN; of one selected column its values instead.

        Raises:
            TypeError: It has several columns, and nothing can be one of them.
        """
        state = self.scoped().state
        columns = state.columns or keys_of(self.model)
        if len(columns) != 1:
            raise TypeError(f"a query as a value has one column, not {len(columns)}; select one of them")
        if state.columns:
            return statements.values(self.model, statements.unordered(state), columns)
        return statements.keys(self.model, statements.unordered(state))

    def blank(self) -> Self:
        """Return a query of the same kind that says nothing, not even its default scope."""
        return self._with(**{**BLANK, "is_scoped": False})

    def scoped(self) -> Self:
        """Return the query with the default scopes applied, as it will run."""
        return apply_default_scopes(self) if self._state.is_scoped else self

    def key_columns(self) -> tuple[QueryableAttribute[Any], ...]:
        """Return the attributes of the primary key."""
        return keys_of(self.model)

    def ordering_or_key(self) -> tuple[Any, ...]:
        """Return what is sorted by; without an order, the primary key."""
        return self._state.ordering or tuple(key.asc() for key in keys_of(self.model))

    def expression(self, column: Any, what: str) -> Any:
        """Return a column by its name, or an expression as it is."""
        if isinstance(column, str):
            return column_named(*entity_of(self.model, self._state, column))
        return expression(column, what)

    def _with(self, **changes: Any) -> Self:
        return type(self)(self.model, replace(self._state, **changes))

    def _conditions(self, criteria: Sequence[Any], values: dict[str, Any]) -> list[ColumnElement[bool]]:
        conditions = [self._criterion(part) for part in criteria]
        for name, value in values.items():
            entity, key = entity_of(self.model, self._state, name)
            attribute = (
                relationship_named(entity, key) if is_relationship(entity, key) else column_named(entity, key)
            )
            conditions.append(condition(attribute, value))
        return conditions

    def _criterion(self, part: Any) -> ColumnElement[bool]:
        if not isinstance(part, Builder):
            return criterion(part)
        self._check_model(part)
        return said_by(self._state, part.state)

    def _check_model(self, other: "Builder[Any]") -> None:
        if other.model is not self.model:
            raise TypeError(
                f"a query for {self.model.__name__} takes nothing of one for {other.model.__name__}"
            )

    def _column(self, column: Any) -> QueryableAttribute[Any]:
        if not isinstance(column, QueryableAttribute):
            return column_named(self.model, column)
        if not issubclass(self.model, column.parent.class_):
            raise TypeError(f"select() takes columns of {self.model.__name__}, not {column}")
        return column_named(self.model, column.key)

    def _ordered(self, column: Any) -> Any:
        if isinstance(column, str):
            name, is_descending = column.removeprefix("-"), column.startswith("-")
            found = column_named(*entity_of(self.model, self._state, name))
            return sorted_by(self.model, found, is_descending=is_descending)
        return in_order(self.model, expression(column, "order()"))


def _unknown(query: Builder[Any], name: str) -> str:
    kind, model = type(query).__name__, query.model.__name__
    if is_scope(query.model, name):
        return f'{kind} has no {name!r}; add the scope by .scopes("{name}") or .merge({model}.{name}(...))'
    word = near(name, dir(query))
    return f"{kind} of {model} has no {name!r}" + (f"; write .{word}(...)" if word else "")


def _changes(state: State) -> dict[str, Any]:
    return {name: getattr(state, name) for name in BLANK}
