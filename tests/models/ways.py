"""The four ways in which a record is written; what a test says of one must hold for all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from lineside.models import Database

Style = Literal["await post.save()", "add, await commit", "post.sync.save()", "add, commit"]
STYLES: Final[tuple[Style, ...]] = (
    "await post.save()",
    "add, await commit",
    "post.sync.save()",
    "add, commit",
)


class Way:
    """One way to write records, in a session of its own that commits at its end.

    Args:
        database: The database.
        style: What stands in the code of the user.
    """

    def __init__(self, database: Database, style: Style) -> None:
        self.database = database
        self.is_sync = style in ("post.sync.save()", "add, commit")
        self._is_method = style in ("await post.save()", "post.sync.save()")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession | Session]:
        """Open a session of this way's kind."""
        if self.is_sync:
            with self.database.sync_session() as session:
                yield session
        else:
            async with self.database.session() as session:
                yield session

    async def write(self, *records: Any) -> None:
        """Save records in one session, and commit."""
        async with self.session() as session:
            if not self._is_method:
                session.add_all(records)
                return
            for record in records:
                if self.is_sync:
                    record.sync.save()
                else:
                    await record.save()

    async def destroy(self, *records: Any) -> None:
        """Delete the rows of records in one session, and commit."""
        async with self.session() as session:
            for record in records:
                if isinstance(session, Session):
                    _ = record.sync.destroy(session=session) if self._is_method else session.delete(record)
                else:
                    await (record.destroy(session=session) if self._is_method else session.delete(record))


async def rows(database: Database, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Read a table on a connection of its own: what is there is committed."""
    names = ", ".join(columns)
    async with database.engine.connect() as connection:
        found = await connection.execute(text(f"SELECT {names} FROM {table} ORDER BY {names}"))
        return [tuple(row) for row in found]
