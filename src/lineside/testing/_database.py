"""The database of the app, from a test that is not async."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from lineside.models import Database
    from lineside.testing._factories import Factory

__all__ = ["TestDatabase"]

_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


class _RunsAsync(Protocol):
    def __call__(self, function: Callable[[], Awaitable[_Result]], /) -> _Result: ...


class TestDatabase:
    """Queries in sessions of their own, on the event loop of the app under test.

    Each call commits before it returns, and sees what requests have committed.
    """

    __test__ = False  # the name is the user's; pytest must not collect it

    def __init__(self, database: "Database", run: _RunsAsync) -> None:
        self._database = database
        self._run = run

    def run(self, function: "Callable[[AsyncSession], Awaitable[_Result]]") -> _Result:
        """Run an async function with a session, and commit; what it raises rolls back.

        Args:
            function: Takes a session of SQLModel.

        Returns:
            What the function returns.
        """

        async def in_session() -> _Result:
            async with self._database.session() as session:
                return await function(session)

        return self._run(in_session)

    def add(self, row: _Row) -> _Row:
        """Insert a row, and return it with its primary key."""

        async def insert(session: "AsyncSession") -> _Row:
            session.add(row)
            await session.flush()
            return row

        return self.run(insert)

    def create(self, factory: "type[Factory[_Row]]", *traits: str, **overrides: Any) -> _Row:
        """Make a record with a factory and save it (as Gor's ``app.Factory(...).Create()``).

        Args:
            factory: The factory.
            traits: As for `Factory.create`.
            overrides: As for `Factory.create`.
        """
        return self.create_list(factory, 1, *traits, **overrides)[0]

    def create_list(
        self, factory: "type[Factory[_Row]]", size: int, /, *traits: str, **overrides: Any
    ) -> list[_Row]:
        """Make and save several records with a factory; see `create`."""

        async def insert(session: "AsyncSession") -> list[_Row]:
            return await factory.create_list(size, *traits, session=session, **overrides)

        return self.run(insert)

    def first(self, model: type[_Row], *conditions: Any) -> _Row | None:
        """Return the row with the lowest primary key, or None (as Gor's ``app.DB().First``).

        Args:
            model: A table model.
            conditions: What ``where`` takes, for instance ``Post.title == "Hello"``.
        """
        rows = self._select(model, conditions, limit=1)
        return rows[0] if rows else None

    def all(self, model: type[_Row], *conditions: Any) -> list[_Row]:
        """Return all rows in the order of the primary key.

        Args:
            model: A table model.
            conditions: What ``where`` takes.
        """
        return self._select(model, conditions, limit=None)

    def count(self, model: type[Any], *conditions: Any) -> int:
        """Return the number of rows.

        Args:
            model: A table model.
            conditions: What ``where`` takes.
        """
        from sqlmodel import func, select

        statement = select(func.count()).select_from(model).where(*conditions)

        async def query(session: "AsyncSession") -> int:
            return (await session.exec(statement)).one()

        return self.run(query)

    def _select(self, model: type[_Row], conditions: tuple[Any, ...], *, limit: int | None) -> list[_Row]:
        from sqlalchemy import inspect
        from sqlmodel import select

        statement = select(model).where(*conditions).order_by(*inspect(model).primary_key).limit(limit)

        async def query(session: "AsyncSession") -> list[_Row]:
            return list((await session.exec(statement)).all())

        return self.run(query)
