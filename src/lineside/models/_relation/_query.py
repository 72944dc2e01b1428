"""`Query`: typed, chainable, run with ``await``."""

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Generic, TypeVar, overload

from sqlalchemy import SQLColumnExpression as Expression
from sqlalchemy.orm import Session

from lineside.exceptions import RecordNotFound
from lineside.models._connection._ambient import AnySession, run
from lineside.models._relation import _aggregates as aggregates
from lineside.models._relation import _terminals as terminals
from lineside.models._relation._batches import Place, next_batch, start_of_batches
from lineside.models._relation._builder import Builder
from lineside.models._relation._destroy_all import destroy_all
from lineside.models._relation._explain import explain
from lineside.models._relation._grouped import GroupedQuery
from lineside.models._relation._keyset import keyset
from lineside.models._relation._pages import KeysetPage, Page, page_of
from lineside.models._relation._update_all import delete_all, update_all
from lineside.models._secret_fields import without_secrets

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
R = TypeVar("R")


class Query(Builder[T], Generic[T]):
    """A query for the records of a class (as Rails' ``ActiveRecord::Relation``).

    Every builder method returns a new query, and none asks the database. What is awaited does, in the
    session that ``session=`` names, else in the ambient one. To await the query itself is to await `all`.

    Args:
        model: The class whose records are found.
    """

    __slots__ = ()

    def group(self, *columns: Any) -> GroupedQuery[T]:
        """Group the rows, for counts, sums and typed rows of each group.

        Args:
            columns: Names or expressions.
        """
        return GroupedQuery(self, columns)

    @overload
    async def find(self, key: list[Any], /, *, session: AnySession | None = None) -> list[T]: ...
    @overload
    async def find(self, key: Any, /, *, session: AnySession | None = None) -> T: ...
    async def find(self, key: Any, /, *, session: AnySession | None = None) -> T | list[T]:
        """Load a record by its primary key, or several by a list of keys, in the order of the list.

        Args:
            key: The key; a list of keys; a tuple for a composite key.
            session: The session to use.

        Raises:
            RecordNotFound: There is none. A key that its column cannot hold is not found, either.
        """
        if isinstance(key, list):
            keys: list[Any] = key
            return await self._run(lambda found: terminals.find_all(found, self, keys), session, "find")
        return await self._run(lambda found: terminals.find(found, self, key), session, "find")

    async def find_by(self, *criteria: Any, session: AnySession | None = None, **values: Any) -> T | None:
        """Load one record for which this holds, or None; of several, any."""
        return await self.where(*criteria, **values).take(session=session)

    async def find_or_raise(self, *criteria: Any, session: AnySession | None = None, **values: Any) -> T:
        """Load one record for which this holds (Rails' ``find_by!``).

        Raises:
            RecordNotFound: There is none.
        """
        found = await self.find_by(*criteria, session=session, **values)
        if found is None:
            raise RecordNotFound(self.model.__name__, without_secrets(values) or "of this query")
        return found

    @overload
    async def first(self, count: None = None, *, session: AnySession | None = None) -> T | None: ...
    @overload
    async def first(self, count: int, *, session: AnySession | None = None) -> list[T]: ...
    async def first(self, count: int | None = None, *, session: AnySession | None = None) -> Any:
        """Load the first record or None, or the first ``count``; without an order, by primary key."""
        found = await self._run(lambda s: terminals.first(s, self, _or_one(count)), session, "first")
        return terminals.first_of(found) if count is None else found

    @overload
    async def last(self, count: None = None, *, session: AnySession | None = None) -> T | None: ...
    @overload
    async def last(self, count: int, *, session: AnySession | None = None) -> list[T]: ...
    async def last(self, count: int | None = None, *, session: AnySession | None = None) -> Any:
        """Load the last record or None, or the last ``count`` in the query's order."""
        found = await self._run(lambda s: terminals.last(s, self, _or_one(count)), session, "last")
        return terminals.first_of(found) if count is None else found

    @overload
    async def take(self, count: None = None, *, session: AnySession | None = None) -> T | None: ...
    @overload
    async def take(self, count: int, *, session: AnySession | None = None) -> list[T]: ...
    async def take(self, count: int | None = None, *, session: AnySession | None = None) -> Any:
        """Load any record or None, or any ``count``, without sorting."""
        found = await self._run(lambda s: terminals.take(s, self, _or_one(count)), session, "take")
        return terminals.first_of(found) if count is None else found

    async def all(self, *, session: AnySession | None = None) -> list[T]:
        """Load all records."""
        return await self._run(lambda found: terminals.every(found, self), session, "all")

    async def count(self, column: Any = None, *, session: AnySession | None = None) -> int:
        """Count the rows, or the values of a column that are not NULL."""
        return await self._run(lambda found: aggregates.count(found, self, column), session, "count")

    async def sum(self, column: Any, *, session: AnySession | None = None) -> Any:
        """Add up a column; of no rows, 0."""
        return await self._aggregate("sum", column, session)

    async def average(self, column: Any, *, session: AnySession | None = None) -> Any:
        """Return the mean of a column, or None of no rows."""
        return await self._aggregate("average", column, session)

    async def minimum(self, column: Any, *, session: AnySession | None = None) -> Any:
        """Return the least value of a column, or None of no rows."""
        return await self._aggregate("minimum", column, session)

    async def maximum(self, column: Any, *, session: AnySession | None = None) -> Any:
        """Return the greatest value of a column, or None of no rows."""
        return await self._aggregate("maximum", column, session)

    async def exists(self, *criteria: Any, session: AnySession | None = None, **values: Any) -> bool:
        """Tell whether there is a record, for which this holds too."""
        narrowed = self.where(*criteria, **values)
        return await self._run(lambda found: terminals.exists(found, narrowed), session, "exists")

    @overload
    async def pluck(self, column: Expression[A], /, *, session: AnySession | None = None) -> list[A]: ...
    @overload
    async def pluck(
        self,
        one: Expression[A],
        two: Expression[B],
        /,
        *,
        session: AnySession | None = None,
    ) -> list[tuple[A, B]]: ...
    @overload
    async def pluck(
        self,
        one: Expression[A],
        two: Expression[B],
        three: Expression[C],
        /,
        *,
        session: AnySession | None = None,
    ) -> list[tuple[A, B, C]]: ...
    @overload
    async def pluck(self, *columns: Any, session: AnySession | None = None) -> list[Any]: ...
    async def pluck(self, *columns: Any, session: AnySession | None = None) -> list[Any]:
        """Load values instead of records: of one column a list of them, of several a list of tuples.

        Args:
            columns: Names or expressions.
            session: The session to use.
        """
        return await self._run(lambda found: terminals.pluck(found, self, columns), session, "pluck")

    async def pick(self, *columns: Any, session: AnySession | None = None) -> Any:
        """Load the values of the first row, or None."""
        return await self._run(lambda found: terminals.pick(found, self, columns), session, "pick")

    async def ids(self, *, session: AnySession | None = None) -> list[Any]:
        """Load the primary keys, tuples if they have several columns."""
        return await self._run(lambda found: terminals.ids(found, self), session, "ids")

    async def page(self, page: int = 1, per_page: int = 20, *, session: AnySession | None = None) -> Page[T]:
        """Load one page, and count all rows.

        Args:
            page: From 1.
            per_page: At most this many records.
            session: The session to use.
        """
        return await self._run(lambda s: page_of(s, self, page, per_page), session, "page")

    async def keyset(
        self, after: str | None = None, limit: int = 20, *, session: AnySession | None = None
    ) -> KeysetPage[T]:
        """Load the rows after a cursor: pages that neither skip nor repeat when rows come and go.

        Args:
            after: The ``next_cursor`` of the page before; None: the first page.
            limit: At most this many records.
            session: The session to use.

        Raises:
            InvalidCursorError: The cursor is damaged, or belongs to another order.
        """
        return await self._run(lambda found: keyset(found, self, after, limit), session, "keyset")

    async def in_batches(
        self, of: int = 1000, *, session: AnySession | None = None
    ) -> AsyncIterator[list[T]]:
        """Load all records in lists of at most ``of``, in the order of the primary key."""
        place: Place | None = start_of_batches(self, of)
        while place is not None:
            at = place
            found, place = await self._run(lambda s: next_batch(s, at), session, "in_batches")  # noqa: B023
            if found:
                yield found

    async def find_each(self, of: int = 1000, *, session: AnySession | None = None) -> AsyncIterator[T]:
        """Go through all records, loading ``of`` at a time, in the order of the primary key."""
        async for batch in self.in_batches(of, session=session):
            for record in batch:
                yield record

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self.all().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        for record in await self.all():
            yield record

    async def update_all(self, *, session: AnySession | None = None, **values: Any) -> int:
        """Write columns of all rows in one statement; no validations, no callbacks, no timestamps.

        Args:
            session: The session to use.
            values: Columns, and values or expressions such as ``Post.views + 1``.

        Returns:
            The number of rows.
        """
        return await self._run(lambda s: update_all(s, self, values), session, "update_all")

    async def delete_all(self, *, session: AnySession | None = None) -> int:
        """Delete all rows in one statement; no callbacks.

        Returns:
            The number of rows.
        """
        return await self._run(lambda found: delete_all(found, self), session, "delete_all")

    async def destroy_all(self, *, session: AnySession | None = None) -> list[T]:
        """Load all records and destroy each, with its callbacks (as Rails' ``destroy_all``).

        Returns:
            The records.

        Raises:
            DeleteRestrictionError: Other records depend on one.
        """
        return await self._run(lambda found: destroy_all(found, self), session, "destroy_all")

    async def explain(self, *, session: AnySession | None = None) -> str:
        """Return how the database would run the query."""
        return await self._run(lambda found: explain(found, self), session, "explain")

    async def _aggregate(self, kind: aggregates.Kind, column: Any, session: AnySession | None) -> Any:
        return await self._run(lambda found: aggregates.aggregate(found, self, kind, column), session, kind)

    async def _run(self, work: Callable[[Session], R], session: AnySession | None, what: str) -> R:
        return await run(work, session, f"{self.model.__name__}.{what}()")


def _or_one(count: int | None) -> int:
    return 1 if count is None else count
