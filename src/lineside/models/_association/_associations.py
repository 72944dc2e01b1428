"""An association of one record as a query: ``post.association("comments").where(...).all()``."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_object_session
from sqlalchemy.orm import Session, object_session

from lineside.models._association._loading import beginning, load
from lineside.models._association._ties import tie
from lineside.models._base._assignment import assigned, check_names
from lineside.models._connection._ambient import AnySession, run
from lineside.models._lifecycle._running import sync_session_of
from lineside.models._relation._builder import Builder
from lineside.models._relation._columns import relationship_named
from lineside.models._relation._hidden import with_deleted
from lineside.models._relation._query import Query
from lineside.models._relation._query_state import State
from lineside.models._relation._sync_query import SyncQuery

T = TypeVar("T")


class _OfOwner(Builder[T], Generic[T]):
    """A query for the records of one association of one owner.

    Args:
        owner: The record that has the association.
        name: The association.
    """

    __slots__ = ("_name", "_owner")

    def __init__(self, owner: Any, name: str, _state: State | None = None) -> None:
        self._owner = owner
        self._name = name
        target = relationship_named(type(owner), name).property.mapper.class_
        super().__init__(target, _state or beginning(owner, name))

    def build(self, attributes: Mapping[str, Any] | BaseModel | None = None, /, **values: Any) -> T:
        """Make a record that belongs to the owner, without saving it.

        What `where` says of the association is not taken over.

        Args:
            attributes: What came from outside: a schema or a mapping, of which only permitted attributes
                are taken.
            values: Attributes of your own code.

        Raises:
            ForbiddenAttributesError: ``attributes`` has one that is not permitted.
            UnknownAttributeError: A name is no attribute.
            ConfigurationError: A link table lies between the two: use `create`.
        """
        record = self._made(attributes, values)
        tie(self._owner, self._name).attach(record)
        return record

    def with_deleted(self) -> Self:
        """Find records of the owner that `SoftDelete` hides, too; other default scopes stay.

        Raises:
            ConfigurationError: The class of the records hides no rows.
        """
        return with_deleted(self)

    def only_deleted(self) -> Self:
        """Find records of the owner that `SoftDelete` hides, and no others.

        Raises:
            ConfigurationError: The class of the records hides no rows.
        """
        return with_deleted(self).not_(deleted_at=None)

    def _made(self, attributes: Mapping[str, Any] | BaseModel | None, values: dict[str, Any]) -> T:
        model: Any = self.model
        made: T = model(**check_names(model, assigned(model, attributes, values)))
        return made

    def _with(self, **changes: Any) -> Self:
        return type(self)(self._owner, self._name, replace(self._state, **changes))

    def _load(self, session: Session) -> Any:
        load(session, self._owner, self._name)
        return getattr(self._owner, self._name)

    def _create(self, session: Session, record: T) -> None:
        tie(self._owner, self._name).create(session, record)

    def _remove(self, session: Session, records: tuple[T, ...]) -> None:
        for record in records:
            tie(self._owner, self._name).remove(session, record)


class Association(_OfOwner[T], Query[T], Generic[T]):
    """The records of one association of one owner: a `Query` that also makes, adds and removes them.

    It uses the owner's session unless another is named, and never loads the whole association for what
    it does; one that is loaded follows.
    """

    __slots__ = ()

    async def load(self, *, session: AnySession | None = None) -> Any:
        """Load the association, if it is not loaded, and return it: a list, a record or None."""
        return await self._run(self._load, session, "load")

    async def create(
        self,
        attributes: Mapping[str, Any] | BaseModel | None = None,
        /,
        *,
        session: AnySession | None = None,
        **values: Any,
    ) -> T:
        """Make a record that belongs to the owner, and save it.

        Args:
            attributes: As for `build`.
            session: The session to use.
            values: As for `build`.

        Raises:
            RecordInvalid: It breaks its validations.
            RecordNotFound: The owner is not saved.
        """
        record = self._made(attributes, values)
        await self._run(lambda found: self._create(found, record), session, "create")
        return record

    async def add(self, *records: T, session: AnySession | None = None) -> None:
        """Give records to the owner (as Rails' ``<<``); new ones are saved.

        A foreign key is saved with validations and callbacks, and so is a record between the two; a row
        of a many-to-many's link table is only inserted.

        Args:
            records: The records.
            session: The session to use.

        Raises:
            RecordInvalid: A record breaks its validations.
            RecordNotFound: The owner is not saved.
        """
        await self._run(lambda found: tie(self._owner, self._name).add(found, records), session, "add")

    async def remove(self, *records: T, session: AnySession | None = None) -> None:
        """Take records away from the owner (as Rails' ``delete``).

        With ``dependent="destroy"`` or ``"delete_all"`` they are destroyed, else their foreign key is
        emptied. Of a many-to-many the link goes, and the record stays.

        Args:
            records: The records.
            session: The session to use.

        Raises:
            RecordNotFound: A record is not the owner's.
        """
        await self._run(lambda found: self._remove(found, records), session, "remove")

    async def _run(self, work: Callable[[Session], Any], session: AnySession | None, what: str) -> Any:
        own = session or async_object_session(self._owner) or object_session(self._owner)
        return await run(work, own, f"{self._name}.{what}()")


class SyncAssociation(_OfOwner[T], SyncQuery[T], Generic[T]):
    """The same without ``await``; see `Association`."""

    __slots__ = ()

    def load(self, *, session: Session | None = None) -> Any:
        """See `Association.load`."""
        return self._load(self._session(session, "load"))

    def create(
        self,
        attributes: Mapping[str, Any] | BaseModel | None = None,
        /,
        *,
        session: Session | None = None,
        **values: Any,
    ) -> T:
        """See `Association.create`."""
        record = self._made(attributes, values)
        self._create(self._session(session, "create"), record)
        return record

    def add(self, *records: T, session: Session | None = None) -> None:
        """See `Association.add`."""
        tie(self._owner, self._name).add(self._session(session, "add"), records)

    def remove(self, *records: T, session: Session | None = None) -> None:
        """See `Association.remove`."""
        self._remove(self._session(session, "remove"), records)

    def _session(self, session: Session | None, what: str) -> Session:
        return sync_session_of(self._owner, session, f"association({self._name!r}).{what}")
