"""The same model without ``await``: for scripts, sync routes and sync sessions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from pydantic import BaseModel
from sqlalchemy.orm import Session

from lineside.models._association._associating import SyncAssociating
from lineside.models._association._counter_cache import reset_counters
from lineside.models._attribute._tokens import SyncTokens
from lineside.models._base._assignment import assign, assigned
from lineside.models._base._bulk import SyncBulk
from lineside.models._base._counting import SyncCounting
from lineside.models._base._finders import SyncFinding
from lineside.models._base._locking import SyncLocking
from lineside.models._lifecycle import _persistence
from lineside.models._lifecycle._running import sync_session_of

if TYPE_CHECKING:
    from lineside.models._base._record import Record
    from lineside.models._base._soft_delete import SoftT, SyncSoftModel, SyncSoftRecord

RecordT = TypeVar("RecordT", bound="Record")


class SyncDoor:
    """The descriptor behind ``Post.sync`` and ``post.sync``."""

    @overload
    def __get__(self, record: None, owner: "type[SoftT]") -> "SyncSoftModel[SoftT]": ...
    @overload
    def __get__(self, record: "SoftT", owner: "type[SoftT]") -> "SyncSoftRecord[SoftT]": ...
    @overload
    def __get__(self, record: None, owner: type[RecordT]) -> "SyncModel[RecordT]": ...
    @overload
    def __get__(self, record: RecordT, owner: type[RecordT]) -> "SyncRecord[RecordT]": ...
    def __get__(self, record: Any, owner: Any) -> Any:
        """Return the sync side of a class or of a record."""
        of_class, of_record = owner.__lineside_sync__
        return of_class(owner) if record is None else of_record(record)


class SyncModel(SyncFinding[RecordT], SyncBulk[RecordT]):
    """A query for all records of a class, and what makes records; every method runs at once."""

    __slots__ = ()

    def query(self) -> Self:
        """Return the query itself, as ``Post.query()`` does."""
        return self

    def create(
        self,
        attributes: Mapping[str, Any] | BaseModel | None = None,
        /,
        *,
        session: Session | None = None,
        **values: Any,
    ) -> RecordT:
        """Make a record and save it; see `Record.create`."""
        record = self.model(**assigned(self.model, attributes, values))
        _persistence.save(sync_session_of(record, session, "create"), record)
        return record

    def reset_counters(self, key: Any, *associations: str, session: Session | None = None) -> None:
        """Count the records of associations anew; see `Associating.reset_counters`."""
        reset_counters(self._session(session, "reset_counters"), self.model, key, *associations)


class SyncRecord(SyncAssociating[RecordT], SyncLocking[RecordT], SyncCounting[RecordT], SyncTokens[RecordT]):
    """What a record can do on a sync ``Session``: its own, the named one, or the ambient one."""

    __slots__ = ()

    def save(self, *, validate: bool = True, session: Session | None = None) -> RecordT:
        """Write the record; see `Record.save`."""
        _persistence.save(self._session(session, "save"), self._record, validate=validate)
        return self._record

    def update(
        self,
        attributes: Mapping[str, Any] | BaseModel | None = None,
        /,
        *,
        session: Session | None = None,
        **values: Any,
    ) -> RecordT:
        """Assign attributes and save; see `Record.update`."""
        assign(self._record, attributes, values)
        _persistence.save(self._session(session, "update"), self._record)
        return self._record

    def destroy(self, *, session: Session | None = None) -> RecordT:
        """Delete the row; see `Record.destroy`."""
        _persistence.destroy(self._session(session, "destroy"), self._record)
        return self._record

    def reload(self, *, lock: bool = False, session: Session | None = None) -> RecordT:
        """Read the row again; see `Record.reload`."""
        _persistence.reload(self._session(session, "reload"), self._record, lock=lock)
        return self._record

    def touch(self, *names: str, session: Session | None = None) -> RecordT:
        """Set timestamps to now; see `Record.touch`."""
        _persistence.touch(self._session(session, "touch"), self._record, *names)
        return self._record

    def update_columns(self, *, session: Session | None = None, **values: Any) -> RecordT:
        """Write columns at once; see `Record.update_columns`."""
        _persistence.update_columns(self._session(session, "update_columns"), self._record, values)
        return self._record

    def valid(self, *, session: Session | None = None) -> bool:
        """Run the validations and fill `Record.errors`; see `Record.valid`."""
        return _persistence.is_valid(self._session(session, "valid"), self._record)
