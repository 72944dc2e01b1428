"""How a method of a record finds its session, and runs its work there."""

from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import async_object_session
from sqlalchemy.orm import Session, object_session
from sqlmodel import SQLModel

from lineside.models._connection._ambient import (
    AnySession,
    current_session,
    current_sync_session,
    run,
    without_await,
)
from lineside.models._relation._columns import mapper_of

_Result = TypeVar("_Result")
RecordT = TypeVar("RecordT", bound=SQLModel)


class Running(SQLModel):
    """The base of all that gives records methods which talk to the database."""

    def _session(self, session: AnySession | None, what: str) -> AnySession:
        """Return the named session, or the record's own, or the ambient one.

        Raises:
            ConfigurationError: The class of the record is no table.
        """
        mapper_of(type(self))
        own = session or async_object_session(self) or object_session(self)
        return own or current_session(f"{type(self).__name__}.{what}()")

    async def _run(
        self, work: Callable[[Session], _Result], session: AnySession | None, what: str
    ) -> _Result:
        return await run(work, self._session(session, what), what)


class SyncRunning(Generic[RecordT]):
    """The same for the methods of ``post.sync``."""

    __slots__ = ("_record",)

    def __init__(self, record: RecordT) -> None:
        self._record = record

    def _session(self, session: Session | None, what: str) -> Session:
        return sync_session_of(self._record, session, what)


def sync_session_of(record: SQLModel, session: Session | None, what: str) -> Session:
    """Return the named session, or the record's own, or the ambient one, for work without ``await``.

    Raises:
        ConfigurationError: The class of the record is no table.
        NoSessionError: There is none, or it is async.
    """
    mapper_of(type(record))
    own = session or async_object_session(record) or object_session(record)
    what = f"{type(record).__name__}.sync.{what}()"
    return current_sync_session(what) if own is None else without_await(own, what)
