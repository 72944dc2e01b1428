"""What a query is before it runs: conditions, order, joins; every change gives a new one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

from sqlalchemy import ColumnElement, Select, and_, false, not_, or_, true
from sqlalchemy.orm import QueryableAttribute, aliased, joinedload, load_only, selectinload
from sqlmodel import select

from lineside.models._columns import (
    column_named,
    expression,
    is_relationship,
    mapper_of,
    relationship_named,
)
from lineside.models._conditions import condition, criterion
from lineside.models._reversal import reverse
from lineside.models._scopes import apply_default_scopes, scope_named

T = TypeVar("T")
_MAX_ROWS: Final = 2**63 - 1


class Join(NamedTuple):
    """One step of a join."""

    attribute: QueryableAttribute[Any]
    entity: Any
    is_outer: bool


class Lock(NamedTuple):
    """What ``lock()`` asks for."""

    nowait: bool
    skip_locked: bool
    read: bool


@dataclass(frozen=True, slots=True)
class State:
    """Everything a query says, in tuples."""

    criteria: tuple[ColumnElement[bool], ...] = ()
    ordering: tuple[ColumnElement[Any], ...] = ()
    limit: int | None = None
    offset: int | None = None
    columns: tuple[QueryableAttribute[Any], ...] = ()
    is_distinct: bool = False
    joins: tuple[tuple[str, Join], ...] = ()
    loads: tuple[Any, ...] = ()
    is_none: bool = False
    is_scoped: bool = True
    has_doubles: bool = False
    lock: Lock | None = None


class Builder(Generic[T]):
    """The methods that make a query; what runs it is added by `Query` and `SyncQuery`.

    Args:
        model: The class whose records are found.
    """

    __slots__ = ("_state", "model")

    model: type[T]

    def __init__(self, model: type[T], _state: State | None = None) -> None:
        self.model = model
        self._state = State() if _state is None else _state

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_sql()})"

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
        return self._with(ordering=tuple(reverse(part) for part in self.ordering_or_key()))

    def limit(self, count: int | None) -> Self:
        """Find at most so many; None: all."""
        return self._with(limit=_row_count("limit", count))

    def offset(self, count: int | None) -> Self:
        """Leave out the first so many."""
        return self._with(offset=_row_count("offset", count))

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
        return self._joined(associations, is_outer=False)

    def left_joins(self, *associations: Any) -> Self:
        """Join associations and keep records that have none (Rails' ``left_outer_joins``)."""
        return self._joined(associations, is_outer=True)

    def includes(self, *associations: Any) -> Self:
        """Load associations along, one query each, whatever the number of records.

        Args:
            associations: Relationships: ``"author"``, ``"comments.user"`` or ``Post.author``.
        """
        return self._loading(associations, selectinload)

    def preload(self, *associations: Any) -> Self:
        """Load associations along with queries of their own; the same as `includes`."""
        return self._loading(associations, selectinload)

    def eager_load(self, *associations: Any) -> Self:
        """Load associations along in the same query, by a LEFT JOIN."""
        return self._loading(associations, joinedload)._with(has_doubles=True)

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
        if other.model is not self.model:
            raise TypeError(
                f"a query for {self.model.__name__} cannot be merged with one for {other.model.__name__}"
            )
        return self._with_all_of(self._state, other._state)

    def lock(self, *, nowait: bool = False, skip_locked: bool = False, read: bool = False) -> Self:
        """Hold the rows until the end of the transaction (``SELECT ... FOR UPDATE``).

        SQLite has no row locks: a writing transaction there is alone anyway.

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
        state = self.scoped()._state
        statement: Any = select(self.model)
        statement = self.narrowed(statement, state)
        if state.columns:
            statement = statement.options(load_only(*state.columns, raiseload=True))
        if state.loads:
            statement = statement.options(*state.loads)
        if state.is_distinct:
            statement = statement.distinct()
        if state.ordering:
            statement = statement.order_by(*state.ordering)
        if state.limit is not None:
            statement = statement.limit(state.limit)
        if state.offset is not None:
            statement = statement.offset(state.offset)
        if state.lock is not None:
            lock = state.lock
            statement = statement.with_for_update(
                nowait=lock.nowait, skip_locked=lock.skip_locked, read=lock.read, of=self.model
            )
        return statement

    def narrowed(self, statement: Any, state: State) -> Any:
        """Add the joins and conditions to a statement."""
        for _, join in state.joins:
            statement = statement.join(join.attribute.of_type(join.entity), isouter=join.is_outer)
        criteria = (*state.criteria, false()) if state.is_none else state.criteria
        return statement.where(*criteria) if criteria else statement

    @property
    def state(self) -> State:
        """What the query says."""
        return self._state

    @property
    def ordering(self) -> tuple[Any, ...]:
        """What the query sorts by."""
        return self._state.ordering

    def as_subquery(self) -> Select[Any]:
        """Return the keys that the query finds, for an IN; of one selected column its values instead."""
        state = self.scoped().state
        columns = state.columns or keys_of(self.model)
        statement = self.statement().with_only_columns(*columns)
        return statement if state.limit is not None or state.offset is not None else statement.order_by(None)

    def scoped(self) -> Self:
        """Return the query with the default scopes applied, as it will run."""
        return apply_default_scopes(self) if self._state.is_scoped else self

    def key_columns(self) -> tuple[QueryableAttribute[Any], ...]:
        """Return the attributes of the primary key."""
        return keys_of(self.model)

    def ordering_or_key(self) -> tuple[Any, ...]:
        """Return what is sorted by; without an order, the primary key."""
        return self._state.ordering or tuple(key.asc() for key in keys_of(self.model))

    def _with(self, **changes: Any) -> Self:
        return type(self)(self.model, replace(self._state, **changes))

    def _with_all_of(self, ours: State, theirs: State) -> Self:
        known = dict(ours.joins)
        return self._with(
            criteria=(*ours.criteria, *theirs.criteria),
            ordering=(*ours.ordering, *theirs.ordering),
            limit=ours.limit if theirs.limit is None else theirs.limit,
            offset=ours.offset if theirs.offset is None else theirs.offset,
            columns=(*ours.columns, *theirs.columns),
            is_distinct=ours.is_distinct or theirs.is_distinct,
            joins=(*ours.joins, *((path, join) for path, join in theirs.joins if path not in known)),
            loads=(*ours.loads, *theirs.loads),
            is_none=ours.is_none or theirs.is_none,
            is_scoped=ours.is_scoped and theirs.is_scoped,
            has_doubles=ours.has_doubles or theirs.has_doubles,
            lock=theirs.lock or ours.lock,
        )

    def _conditions(self, criteria: Sequence[Any], values: dict[str, Any]) -> list[ColumnElement[bool]]:
        conditions = [
            _said_by(part.state) if isinstance(part, Builder) else criterion(part) for part in criteria
        ]
        for name, value in values.items():
            entity, key = self._entity(name)
            attribute = (
                relationship_named(entity, key) if is_relationship(entity, key) else column_named(entity, key)
            )
            conditions.append(condition(attribute, value))
        return conditions

    def _entity(self, name: object) -> tuple[Any, Any]:
        """Return the class or alias that a dotted name leads to, and the name's last part."""
        if not isinstance(name, str) or "." not in name:
            return self.model, name
        path, _, key = name.rpartition(".")
        for known, join in self._state.joins:
            if known == path:
                return join.entity, key
        relationship_named(self.model, path.partition(".")[0])
        raise TypeError(f'{name!r} needs its association: add .joins("{path}") before it')

    def _column(self, column: Any) -> QueryableAttribute[Any]:
        if isinstance(column, QueryableAttribute):
            return column_named(self.model, column.key)
        return column_named(self.model, column)

    def expression(self, column: Any, what: str) -> Any:
        """Return a column by its name, or an expression as it is."""
        return column_named(*self._entity(column)) if isinstance(column, str) else expression(column, what)

    def _ordered(self, column: Any) -> ColumnElement[Any]:
        if isinstance(column, str):
            name, is_descending = column.removeprefix("-"), column.startswith("-")
            return sorted_by(column_named(*self._entity(name)), is_descending=is_descending)
        found = expression(column, "order()")
        return sorted_by(found, is_descending=False) if isinstance(found, QueryableAttribute) else found

    def _joined(self, associations: Sequence[Any], *, is_outer: bool) -> Self:
        joins = dict(self._state.joins)
        for association in associations:
            entity, path = self.model, ""
            for name in _steps(association):
                path = f"{path}.{name}" if path else name
                if path not in joins:
                    attribute = relationship_named(entity, name)
                    target = attribute.property.mapper.class_
                    used = {self.model, *(join.entity for join in joins.values())}
                    joins[path] = Join(attribute, aliased(target) if target in used else target, is_outer)
                entity = joins[path].entity
        return self._with(joins=tuple(joins.items()))

    def _loading(self, associations: Sequence[Any], strategy: Any) -> Self:
        options: list[Any] = []
        for association in associations:
            entity: Any = self.model
            option: Any = None
            for name in _steps(association):
                attribute = relationship_named(entity, name)
                option = (
                    strategy(attribute) if option is None else getattr(option, strategy.__name__)(attribute)
                )
                entity = attribute.property.mapper.class_
            options.append(option)
        return self._with(loads=(*self._state.loads, *options))


def _said_by(state: State) -> ColumnElement[bool]:
    """Return the conditions of a query as one."""
    return false() if state.is_none else and_(true(), *state.criteria)


def keys_of(model: type) -> tuple[QueryableAttribute[Any], ...]:
    """Return the attributes of the primary key."""
    mapper = mapper_of(model)
    return tuple(getattr(model, mapper.get_property_by_column(key).key) for key in mapper.primary_key)


def sorted_by(column: Any, *, is_descending: bool) -> Any:
    """Sort by a column; NULL counts as the greatest value, which only PostgreSQL does by itself."""
    is_nullable = getattr(column.expression, "nullable", True)
    if is_descending:
        return column.desc().nulls_first() if is_nullable else column.desc()
    return column.asc().nulls_last() if is_nullable else column.asc()


def _steps(association: Any) -> list[str]:
    if isinstance(association, QueryableAttribute):
        return [association.key]
    if not isinstance(association, str):
        raise TypeError(f"associations are names or attributes such as Post.author, not {association!r}")
    return association.split(".")


def _row_count(what: str, count: Any) -> int | None:
    if count is None:
        return None
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{what}() takes a whole number, not {count!r}")
    if not 0 <= count <= _MAX_ROWS:
        raise ValueError(f"{what}() takes a number from 0 to 2**63 - 1, not {count}")
    return count
