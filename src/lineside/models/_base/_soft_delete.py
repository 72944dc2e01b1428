"""`SoftDelete`: destroyed rows stay, with the moment in ``deleted_at``, and are hidden.

Whatever deletes a record through the session marks it: ``post.destroy()``, ``session.delete(post)``, a
cascade. The DELETE becomes an UPDATE when the session is about to flush, after the callbacks.
"""

from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlmodel import Field

from lineside.models._association._counter_cache import update_owners
from lineside.models._base._record import Record
from lineside.models._base._sync_record import SyncModel, SyncRecord
from lineside.models._connection._ambient import AnySession
from lineside.models._lifecycle import _persistence
from lineside.models._lifecycle._flight import Flight
from lineside.models._lifecycle._orphans import orphans
from lineside.models._lifecycle._state import instance_state, state_of
from lineside.models._lifecycle._timestamps import now
from lineside.models._lifecycle._unit import Unit
from lineside.models._relation._hidden import is_shown, with_deleted, without_deleted
from lineside.models._relation._query import Query
from lineside.models._relation._scopes import default_scope

SoftT = TypeVar("SoftT", bound="SoftDelete")


class SyncSoftModel(SyncModel[SoftT]):
    """The queries of a class with deleted records, and what makes records."""

    __slots__ = ()

    def with_deleted(self) -> Self:
        """Find deleted records, too; see `SoftDelete.with_deleted`."""
        return with_deleted(self)

    def only_deleted(self) -> Self:
        """Find deleted records only; see `SoftDelete.only_deleted`."""
        return self.with_deleted().not_(deleted_at=None)


class SyncSoftRecord(SyncRecord[SoftT]):
    """What a record that is hidden instead of deleted can do on a sync ``Session``."""

    __slots__ = ()

    def restore(self, *, session: Session | None = None) -> SoftT:
        """Show the row again; see `SoftDelete.restore`."""
        restore(self._session(session, "restore"), self._record)
        return self._record

    def really_destroy(self, *, session: Session | None = None) -> SoftT:
        """Delete the row for good; see `SoftDelete.really_destroy`."""
        really_destroy(self._session(session, "really_destroy"), self._record)
        return self._record


class SoftDelete(Record):
    """A record that `destroy` hides instead of deleting (opt-in; the words are those of Rails' paranoia gem).

        class Post(SoftDelete, Model, table=True): ...

    `destroy`, ``session.delete(post)`` and cascades set ``deleted_at``; the callbacks are those of a
    destruction. From then on neither `find` nor any other query of the class finds the row, and
    associations load without it, `joins` among them, until `restore`. SQLAlchemy's own ``select(Post)`` and
    raw SQL see all rows, and ``delete_all`` deletes those it finds, as its name says.

    `uniqueness` takes no notice of hidden rows, as in that gem. A unique index still counts them. To free
    their values, make it a partial one::

        Index("live_slugs", "slug", unique=True,
              sqlite_where=text("deleted_at IS NULL"), postgresql_where=text("deleted_at IS NULL"))
    """

    __lineside_sync__: ClassVar[tuple[type, type]] = (SyncSoftModel, SyncSoftRecord)
    __lineside_hides_rows__: ClassVar[bool] = True

    deleted_at: datetime | None = Field(default=None, index=True)

    without_deleted: ClassVar[default_scope[Any, []]] = default_scope(without_deleted)

    @classmethod
    def with_deleted(cls) -> Query[Self]:
        """Begin a query that finds deleted records, too; other default scopes stay."""
        return with_deleted(Query(cls))

    @classmethod
    def only_deleted(cls) -> Query[Self]:
        """Begin a query that finds deleted records only; other default scopes stay."""
        return cls.with_deleted().not_(deleted_at=None)

    @property
    def is_deleted(self) -> bool:
        """Whether the row is hidden."""
        return self.deleted_at is not None

    async def restore(self, *, session: AnySession | None = None) -> Self:
        """Show the row again: a save with its validations and callbacks.

        What was destroyed along with it is not restored; do that in an ``after_save``.

        Args:
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            RecordInvalid: It breaks its validations.
            IntegrityError: A partial unique index refuses it: its value is taken by now.
        """
        await self._run(lambda found: restore(found, self), session, "restore")
        return self

    async def really_destroy(self, *, session: AnySession | None = None) -> Self:
        """Delete the row for good, with the callbacks of a destruction.

        Args:
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            DeleteRestrictionError: Other records depend on it.
        """
        await self._run(lambda found: really_destroy(found, self), session, "really_destroy")
        return self


def restore(session: Session, record: SoftDelete) -> None:
    """See `SoftDelete.restore`."""
    if record.deleted_at is None:
        return
    state_of(record).is_destroyed = False
    record.deleted_at = None
    _persistence.save(session, record)
    update_owners(session, [Flight(record, "create")])  # for who counts, it is there anew


def really_destroy(session: Session, record: SoftDelete) -> None:
    """See `SoftDelete.really_destroy`."""
    state_of(record).is_destroyed = False  # hidden is not gone
    _persistence.destroy(session, record, is_for_good=True)


def _keep_rows(session: Session, _context: object, _objects: object) -> None:
    left = {id(orphan.record): orphan for orphan in orphans(session)}
    leaving = [*session.deleted, *(orphan.record for orphan in left.values())]
    for record in [record for record in leaving if isinstance(record, SoftDelete)]:
        flight = Unit.of(session).flights[id(record)]
        if record.deleted_at is not None:
            flight.owners = None  # they have counted it when it was hidden
        if flight.is_for_good:
            continue
        session.add(record)  # it is to be deleted no longer
        if id(record) in left:
            left[id(record)].keep(session)
        if record.deleted_at is None:
            record.deleted_at = moment = now()
            if "updated_at" in instance_state(record).mapper.columns:
                setattr(record, "updated_at", moment)  # noqa: B010 - a column that a record may have


def _hide_in_associations(execution: ORMExecuteState) -> None:
    if not execution.is_relationship_load:
        return
    path: Any = execution.loader_strategy_path
    loaded: type = path[-1].mapper.class_
    for criterion in is_shown(loaded):
        execution.statement = execution.statement.options(with_loader_criteria(loaded, criterion))


def _listen(_mapper: object, _owner: object) -> None:
    # With the first class that is mapped: an app without soft deletion pays nothing.
    if not event.contains(Session, "before_flush", _keep_rows):
        event.listen(Session, "before_flush", _keep_rows)
        event.listen(Session, "do_orm_execute", _hide_in_associations)


event.listen(SoftDelete, "instrument_class", _listen, propagate=True)
