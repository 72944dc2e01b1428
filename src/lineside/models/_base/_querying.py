"""The beginnings of a query, on the class: ``Post.where(...)``, ``Post.find(1)``."""

from collections.abc import AsyncIterator
from typing import Any, Self, TypeVar, overload

from sqlalchemy import SQLColumnExpression as Expression
from sqlmodel import SQLModel

from lineside.models._connection._ambient import AnySession
from lineside.models._relation._pages import KeysetPage
from lineside.models._relation._query import Query

T = TypeVar("T")


class Querying(SQLModel):
    """Class methods that begin a `Query`, or run one at once (as Rails' ``ActiveRecord::Querying``).

    A column may have the name of one of them and then hides it; ``Post.query()`` has them all.
    """

    @classmethod
    def query(cls) -> Query[Self]:
        """Begin a query for all records of the class, in its default scope."""
        return Query(cls)

    @classmethod
    def unscoped(cls) -> Query[Self]:
        """Begin a query without the default scope."""
        return Query(cls).unscoped()

    @classmethod
    def none(cls) -> Query[Self]:
        """Begin a query that finds nothing."""
        return Query(cls).none()

    @classmethod
    def where(cls, *criteria: Any, **values: Any) -> Query[Self]:
        """Begin a query with conditions; see `Query.where`."""
        return Query(cls).where(*criteria, **values)

    @classmethod
    def not_(cls, *criteria: Any, **values: Any) -> Query[Self]:
        """Begin a query without the records for which this holds; see `Query.not_`."""
        return Query(cls).not_(*criteria, **values)

    @classmethod
    def limit(cls, count: int | None) -> Query[Self]:
        """Begin a query for at most so many records; see `Query.limit`."""
        return Query(cls).limit(count)

    @classmethod
    def select(cls, *columns: str | Any) -> Query[Self]:
        """Begin a query that loads only these columns; see `Query.select`."""
        return Query(cls).select(*columns)

    @classmethod
    def order(cls, *columns: Any) -> Query[Self]:
        """Begin a query with an order; see `Query.order`."""
        return Query(cls).order(*columns)

    @classmethod
    def includes(cls, *associations: Any) -> Query[Self]:
        """Begin a query that loads associations along; see `Query.includes`."""
        return Query(cls).includes(*associations)

    @classmethod
    def joins(cls, *associations: Any) -> Query[Self]:
        """Begin a query over an association; see `Query.joins`."""
        return Query(cls).joins(*associations)

    @overload
    @classmethod
    async def find(cls, key: list[Any], /, *, session: AnySession | None = None) -> list[Self]: ...
    @overload
    @classmethod
    async def find(cls, key: Any, /, *, session: AnySession | None = None) -> Self: ...
    @classmethod
    async def find(cls, key: Any, /, *, session: AnySession | None = None) -> Any:
        """Load a record by its key, or several by theirs; see `Query.find`."""
        return await Query(cls).find(key, session=session)

    @classmethod
    async def find_by(cls, *, session: AnySession | None = None, **values: Any) -> Self | None:
        """Load the first record with these values, or None; see `Query.find_by`."""
        return await Query(cls).find_by(session=session, **values)

    @classmethod
    async def find_or_raise(cls, *, session: AnySession | None = None, **values: Any) -> Self:
        """Load the first record with these values; see `Query.find_or_raise`."""
        return await Query(cls).find_or_raise(session=session, **values)

    @classmethod
    async def first(cls, *, session: AnySession | None = None) -> Self | None:
        """Load the record with the lowest key; see `Query.first`."""
        return await Query(cls).first(session=session)

    @classmethod
    async def last(cls, *, session: AnySession | None = None) -> Self | None:
        """Load the record with the highest key; see `Query.last`."""
        return await Query(cls).last(session=session)

    @classmethod
    async def all(cls, *, session: AnySession | None = None) -> list[Self]:
        """Load all records; see `Query.all`."""
        return await Query(cls).all(session=session)

    @classmethod
    async def count(cls, *, session: AnySession | None = None) -> int:
        """Count the records; see `Query.count`."""
        return await Query(cls).count(session=session)

    @overload
    @classmethod
    async def pluck(cls, column: Expression[T], /, *, session: AnySession | None = None) -> list[T]: ...
    @overload
    @classmethod
    async def pluck(cls, *columns: Any, session: AnySession | None = None) -> list[Any]: ...
    @classmethod
    async def pluck(cls, *columns: Any, session: AnySession | None = None) -> list[Any]:
        """Load values of all records; see `Query.pluck`."""
        found: list[Any] = await Query(cls).pluck(*columns, session=session)
        return found

    @classmethod
    async def keyset(
        cls, after: str | None = None, limit: int = 20, *, session: AnySession | None = None
    ) -> KeysetPage[Self]:
        """Load the records after a cursor, by key; see `Query.keyset`."""
        return await Query(cls).keyset(after, limit, session=session)

    @classmethod
    async def exists(cls, *, session: AnySession | None = None, **values: Any) -> bool:
        """Tell whether there is a record with these values; see `Query.exists`."""
        return await Query(cls).exists(session=session, **values)

    @classmethod
    def in_batches(cls, of: int = 1000, *, session: AnySession | None = None) -> AsyncIterator[list[Self]]:
        """Load all records in lists of at most ``of``; see `Query.in_batches`."""
        return Query(cls).in_batches(of, session=session)
