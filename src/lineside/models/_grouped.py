"""Groups of rows: a count or sum of each, or a typed row for each (GOR-ORM-17, Rails' ``group``)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Session

from lineside.models._ambient import AnySession, run
from lineside.models._conditions import criterion

if TYPE_CHECKING:
    from lineside.models._builder import Builder

T = TypeVar("T")
RowT = TypeVar("RowT")


class GroupedQuery(Generic[T]):
    """A query whose rows are grouped.

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
        self._columns = {_name(column): query.expression(column, "group()") for column in columns}
        self._having = having

    def having(self, *criteria: Any) -> Self:
        """Keep the groups for which this holds.

        Args:
            criteria: Expressions over a group, such as ``func.count() > 1``.
        """
        again = type(self)(self._query, list(self._columns.values()), self._having)
        again._columns = self._columns
        again._having = (*self._having, *(criterion(part) for part in criteria))
        return again

    async def count(self, *, session: AnySession | None = None) -> dict[Any, int]:
        """Count the rows of each group.

        Returns:
            The group, a tuple when there are several columns, to its count.
        """
        return await self._by_group(func.count(), session, "count")

    async def sum(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Add up a column in each group."""
        return await self._by_group(self._function(func.sum, column, "sum()"), session, "sum")

    async def average(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Return the mean of a column in each group."""
        return await self._by_group(self._function(func.avg, column, "average()"), session, "average")

    async def minimum(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Return the least value of a column in each group."""
        return await self._by_group(self._function(func.min, column, "minimum()"), session, "minimum")

    async def maximum(self, column: Any, *, session: AnySession | None = None) -> dict[Any, Any]:
        """Return the greatest value of a column in each group."""
        return await self._by_group(self._function(func.max, column, "maximum()"), session, "maximum")

    async def into(
        self, row_type: Callable[..., RowT], *, session: AnySession | None = None, **columns: Any
    ) -> list[RowT]:
        """Return a typed row for each group.

        Args:
            row_type: A pydantic model, a dataclass or a NamedTuple; it gets the group's columns by their
                names, and what ``columns`` adds.
            session: The session to use.
            columns: Further values by name: expressions such as ``func.count()``.
        """
        added = {name: self._query.expression(column, "into()") for name, column in columns.items()}
        chosen = {**self._columns, **added}
        rows = await run(
            lambda found: list(found.execute(self.statement(*chosen.values()))), session, "group().into()"
        )
        return [row_type(**dict(zip(chosen, row, strict=True))) for row in rows]

    def statement(self, *selected: Any) -> Select[Any]:
        """Return SQLAlchemy's statement for some columns of each group."""
        scoped = self._query.scoped()
        state = replace(scoped.state, ordering=())
        statement = select_columns(*selected).select_from(self._query.model)
        statement = scoped.narrowed(statement, state).group_by(*self._columns.values())
        if self._having:
            statement = statement.having(and_(*self._having))
        return statement.order_by(*scoped.state.ordering) if scoped.state.ordering else statement

    def by_group(self, session: Session, value: Any) -> dict[Any, Any]:
        """Return one value of each group."""
        rows = session.execute(self.statement(*self._columns.values(), value))
        if len(self._columns) == 1:
            return {row[0]: row[1] for row in rows}
        return {tuple(row[:-1]): row[-1] for row in rows}

    async def _by_group(self, value: Any, session: AnySession | None, what: str) -> dict[Any, Any]:
        return await run(lambda found: self.by_group(found, value), session, f"group().{what}()")

    def _function(self, function: Any, column: Any, what: str) -> Any:
        return function(self._query.expression(column, what))


def _name(column: Any) -> str:
    if isinstance(column, str):
        return column.rpartition(".")[2]
    return str(getattr(column, "key", None) or getattr(column, "name", None) or f"column_{id(column)}")
