"""Groups of rows: a count or sum of each, or a typed row for each (GOR-ORM-17, Rails' ``group``)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sqlalchemy import JSON, ColumnElement, Select, func
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Session

from lineside.models._connection._ambient import AnySession, current_sync_session, run
from lineside.models._relation import _statements as statements
from lineside.models._relation._aggregates import Kind, function_of, result_of
from lineside.models._relation._conditions import criterion
from lineside.models._relation._ordering import sorted_element

if TYPE_CHECKING:
    from lineside.models._relation._builder import Builder

T = TypeVar("T")
RowT = TypeVar("RowT")


class Groups(Generic[T]):
    """The groups of a query's rows. Its order, limit and offset are about the groups.

    Args:
        query: The rows.
        columns: What they are grouped by: names or expressions.
        having: Conditions on the groups.
    """

    __slots__ = ("_columns", "_having", "_query")

    def __init__(
        self, query: "Builder[T]", columns: Sequence[Any], having: tuple[ColumnElement[bool], ...] = ()
    ) -> None:
        if not columns:
            raise TypeError('group() takes the columns to group by: group("author_id")')
        self._query = query
        self._columns = {column: query.expression(column, "group()") for column in columns}
        for column in self._columns.values():
            if isinstance(column.type, JSON):
                raise TypeError(
                    f"group() takes values, and {column} holds documents; group by a part of them"
                )
        self._having = having

    def having(self, *criteria: Any) -> Self:
        """Keep the groups for which this holds.

        Args:
            criteria: Expressions over a group, such as ``func.count() > 1``.
        """
        added = tuple(criterion(part) for part in criteria)
        return type(self)(self._query, list(self._columns), (*self._having, *added))

    def statement(self, *selected: Any) -> Select[Any]:
        """Return SQLAlchemy's statement for some columns of each group.

        Raises:
            TypeError: The query is distinct, or sorted by a column of which a group has many.
        """
        state, columns = self._query.scoped().state, list(self._columns.values())
        if state.is_distinct:
            raise TypeError("group() takes all rows; leave distinct() out, and count with func.distinct")
        ordering = self._query.ordering  # that of a default scope is about rows
        for part in ordering:
            found = statements.element(sorted_element(part))
            is_column = hasattr(found, "table")
            if is_column and not any(found.compare(statements.element(column)) for column in columns):
                raise TypeError(f"a group has many {found}; sort by what is grouped, or by a function of it")
        statement = statements.narrowed(select_columns(*selected).select_from(self._query.model), state)
        statement = statement.group_by(*columns).having(*self._having).order_by(*ordering)
        limited: Select[Any] = statement.limit(state.limit).offset(state.offset)
        return limited

    def _by_group(self, session: Session, value: Any) -> dict[Any, Any]:
        rows = session.execute(self.statement(*self._columns.values(), value))
        if len(self._columns) == 1:
            return {row[0]: row[-1] for row in rows}
        return {tuple(row[:-1]): row[-1] for row in rows}

    def _aggregate(self, session: Session, kind: Kind, column: Any) -> dict[Any, Any]:
        chosen = self._query.expression(column, f"{kind}()")
        found = self._by_group(session, function_of(kind, chosen))
        return {group: result_of(kind, chosen, value) for group, value in found.items()}

    def _rows(self, session: Session, row_type: Callable[..., RowT], columns: dict[str, Any]) -> list[RowT]:
        chosen = {_name(column): found for column, found in self._columns.items()}
        added = {name: self._query.expression(column, "into()") for name, column in columns.items()}
        if len(chosen) < len(self._columns) or chosen.keys() & added.keys():
            raise TypeError("into() needs a name for each value: give expressions a .label(...)")
        chosen.update(added)
        rows = session.execute(self.statement(*chosen.values()))
        return [row_type(**dict(zip(chosen, row, strict=True))) for row in rows]


class GroupedQuery(Groups[T], Generic[T]):
    """Groups of rows, asked for with ``await``; `Query.group` makes it."""

    __slots__ = ()

    async def count(self, *, session: AnySession | None = None) -> dict[Any, int]:
        """Count the rows of each group.

        Returns:
            The group, a tuple when there are several columns, to its count.
        """
        return await run(lambda found: self._by_group(found, func.count()), session, "group().count()")

    async def sum(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Add up a column in each group; of nothing but NULL, 0."""
        return await self._each("sum", column, session)

    async def average(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Return the mean of a column in each group."""
        return await self._each("average", column, session)

    async def minimum(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Return the least value of a column in each group."""
        return await self._each("minimum", column, session)

    async def maximum(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Return the greatest value of a column in each group."""
        return await self._each("maximum", column, session)

    async def into(
        self, row_type: Callable[..., RowT], /, *, session: AnySession | None = None, **columns: Any
    ) -> list[RowT]:
        """Return a typed row for each group.

        Args:
            row_type: A pydantic model, a dataclass or a NamedTuple; it gets the group's columns by their
                names, and what ``columns`` adds.
            session: The session to use.
            columns: Further values by name: expressions such as ``func.count()``.
        """
        return await run(lambda found: self._rows(found, row_type, columns), session, "group().into()")

    async def _each(self, kind: Kind, column: Any, session: AnySession | None) -> dict[Any, Any]:
        return await run(lambda found: self._aggregate(found, kind, column), session, f"group().{kind}()")


class SyncGroupedQuery(Groups[T], Generic[T]):
    """Groups of rows without ``await``; see `GroupedQuery`."""

    __slots__ = ()

    def count(self, *, session: Session | None = None) -> dict[Any, int]:
        """See `GroupedQuery.count`."""
        return self._by_group(_session(session, "count"), func.count())

    def sum(self, column: Any, *, session: Session | None = None) -> dict[Any, Any]:
        """See `GroupedQuery.sum`."""
        return self._aggregate(_session(session, "sum"), "sum", column)

    def average(self, column: Any, *, session: Session | None = None) -> dict[Any, Any]:
        """See `GroupedQuery.average`."""
        return self._aggregate(_session(session, "average"), "average", column)

    def minimum(self, column: Any, *, session: Session | None = None) -> dict[Any, Any]:
        """See `GroupedQuery.minimum`."""
        return self._aggregate(_session(session, "minimum"), "minimum", column)

    def maximum(self, column: Any, *, session: Session | None = None) -> dict[Any, Any]:
        """See `GroupedQuery.maximum`."""
        return self._aggregate(_session(session, "maximum"), "maximum", column)

    def into(
        self, row_type: Callable[..., RowT], /, *, session: Session | None = None, **columns: Any
    ) -> list[RowT]:
        """See `GroupedQuery.into`."""
        return self._rows(_session(session, "into"), row_type, columns)


def _session(session: Session | None, what: str) -> Session:
    return session or current_sync_session(f"sync.group().{what}()")


def _name(column: Any) -> str:
    if isinstance(column, str):
        return column.rpartition(".")[2]
    return str(getattr(column, "key", None) or getattr(column, "name", None) or column)
