"""The beginnings of a query, on the class: ``Post.where(...)``, ``Post.find(1)``."""

from collections.abc import AsyncIterator
from typing import Any, Self, overload

from sqlmodel import SQLModel

from lineside.models._connection._ambient import AnySession
from lineside.models._relation._query import Query


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

    @classmethod
    async def exists(cls, *, session: AnySession | None = None, **values: Any) -> bool:
        """Tell whether there is a record with these values; see `Query.exists`."""
        return await Query(cls).exists(session=session, **values)

    @classmethod
    def in_batches(cls, of: int = 1000, *, session: AnySession | None = None) -> AsyncIterator[list[Self]]:
        """Load all records in lists of at most ``of``; see `Query.in_batches`."""
        return Query(cls).in_batches(of, session=session)
