"""Optimistic locking by a column named ``lock_version``, and `Locking.with_lock`, the pessimistic kind.

As in Rails, having the column is enough: ``lock_version: int = 0``. Every UPDATE and DELETE of a record then
asks for the version that was loaded, and one that finds another version is a `StaleObjectError`.
SQLAlchemy's ``version_id_col`` does the work underneath.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.orm import Mapper, Session

from lineside.models._connection._ambient import AnySession
from lineside.models._connection._transactions import transaction
from lineside.models._exceptions import StaleObjectError
from lineside.models._lifecycle import _persistence
from lineside.models._lifecycle._running import RecordT, Running, SyncRunning
from lineside.models._lifecycle._state import changes_of
from lineside.models._lifecycle._versions import LOCK_VERSION, is_versioned, short_key
from lineside.models._relation._locked import refuse_changes


class Locking(Running):
    """What a record has of ActiveRecord's ``Locking``."""

    @asynccontextmanager
    async def with_lock(self, *, session: AnySession | None = None) -> AsyncGenerator[Self]:
        """Read the row again, hold it, and run the block in a savepoint (as Rails' ``with_lock``).

            async with account.with_lock():
                account.balance -= 10
                await account.save()

        Others who lock or write the row wait until the transaction around the block ends.

        Args:
            session: The session to use; default: the record's own, else the ambient one.

        Yields:
            The record, as it is in the database now.

        Raises:
            RecordNotFound: The row is gone.
            LinesideError: The record has changes that are not saved; the lock would lose them.
        """
        own = self._session(session, "with_lock")
        refuse_changes(self)  # before the savepoint, which would write them
        async with transaction(own):
            await self._run(lambda found: _persistence.reload(found, self, lock=True), own, "with_lock")
            yield self


class SyncLocking(SyncRunning[RecordT]):
    """The same for ``account.sync``."""

    __slots__ = ()

    @contextmanager
    def with_lock(self, *, session: Session | None = None) -> Generator[RecordT]:
        """Read the row again, hold it, and run the block in a savepoint; see `Locking.with_lock`."""
        own = self._session(session, "with_lock")
        refuse_changes(self._record)
        with transaction(own):
            _persistence.reload(own, self._record, lock=True)
            yield self._record


def _lock_by_version(mapper: Mapper[Any], _owner: type) -> None:
    if mapper.version_id_col is None:
        mapper.version_id_col = mapper.local_table.columns.get(LOCK_VERSION)
        mapper.version_id_generator = _after
    if is_versioned(mapper):
        event.listen(mapper, "before_update", _refuse_other_version)


def _after(version: int | None) -> int:
    return 0 if version is None else version + 1


def _refuse_other_version(_mapper: object, _connection: object, record: Any) -> None:
    # A form that was loaded earlier sends its version along: SQLAlchemy would write it.
    if LOCK_VERSION in changes_of(record):
        raise StaleObjectError(type(record).__name__, short_key(record))


event.listen(Locking, "instrument_class", _lock_by_version, propagate=True)
