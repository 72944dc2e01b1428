"""What a record and its class have of associations: `association`, `load`, `reset_counters`."""

from typing import Any, Self, TypeVar, overload

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from lineside.models._association._associations import Association, SyncAssociation
from lineside.models._association._counter_cache import reset_counters
from lineside.models._association._loading import load
from lineside.models._connection._ambient import AnySession, run
from lineside.models._lifecycle._running import RecordT, Running, SyncRunning

T = TypeVar("T")


class Associating(Running):
    """What a record can do with its associations."""

    @overload
    def association(self, association: str) -> Association[Any]: ...
    @overload
    def association(self, association: list[T]) -> Association[T]: ...
    def association(self, association: Any) -> Association[Any]:
        """Return an association as a query, limited to this record.

        Args:
            association: ``"comments"``, or ``Post.comments``, which type checkers understand.

        Raises:
            UnknownAttributeError: There is none of this name.
        """
        return Association(self, _name(association))

    async def load(self, *associations: str, session: AnySession | None = None) -> Self:
        """Load associations of this record that are not loaded yet, one query each.

        Args:
            associations: ``"comments"``, or ``"comments.user"`` for what lies behind it, too.
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            UnknownAttributeError: There is none of this name.
        """
        await self._run(lambda found: load(found, self, *associations), session, "load")
        return self

    @classmethod
    async def reset_counters(cls, key: Any, *associations: str, session: AnySession | None = None) -> None:
        """Count the records of associations anew, where ``counter_cache`` keeps their number.

        Args:
            key: The primary key of the owner; a tuple for a composite one.
            associations: The associations that are counted.
            session: The session to use; default: the ambient one.

        Raises:
            RecordNotFound: There is no such owner.
            ConfigurationError: An association has no counter cache.
        """
        await run(lambda found: reset_counters(found, cls, key, *associations), session, "reset_counters()")


class SyncAssociating(SyncRunning[RecordT]):
    """The same for ``post.sync``."""

    __slots__ = ()

    @overload
    def association(self, association: str) -> SyncAssociation[Any]: ...
    @overload
    def association(self, association: list[T]) -> SyncAssociation[T]: ...
    def association(self, association: Any) -> SyncAssociation[Any]:
        """Return an association as a query; see `Associating.association`."""
        return SyncAssociation(self._record, _name(association))

    def load(self, *associations: str, session: Session | None = None) -> RecordT:
        """Load associations of this record; see `Associating.load`."""
        load(self._session(session, "load"), self._record, *associations)
        return self._record


def _name(association: Any) -> str:
    name: str = association if isinstance(association, str) else inspect(association).key
    return name
