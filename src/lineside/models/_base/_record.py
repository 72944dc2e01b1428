"""`Record`: what every model can do, without a column of its own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from lineside.models._association._associating import Associating
from lineside.models._association._lazy import guard
from lineside.models._attribute._json import Documents
from lineside.models._attribute._tokens import Tokens
from lineside.models._base._assignment import assign, assigned, check_names
from lineside.models._base._bulk import Bulk
from lineside.models._base._copies import Copying
from lineside.models._base._counting import Counting
from lineside.models._base._finders import Finding
from lineside.models._base._locking import Locking
from lineside.models._base._metaclass import RecordMeta, hide_methods, method_of
from lineside.models._base._querying import Querying
from lineside.models._base._sync_record import SyncDoor, SyncModel, SyncRecord
from lineside.models._connection._ambient import AnySession
from lineside.models._lifecycle import _persistence
from lineside.models._lifecycle._events import listen
from lineside.models._lifecycle._state import Changes, changes_of, instance_state, state_of
from lineside.models._relation._scopes import scope
from lineside.models._schema._record_schemas import Schemas
from lineside.models._validation._errors import Errors, errors_of

if TYPE_CHECKING:
    from sqlmodel._compat import SQLModelConfig


class Record(
    Schemas,
    Querying,
    Finding,
    Bulk,
    Locking,
    Counting,
    Tokens,
    Copying,
    Documents,
    Associating,
    metaclass=RecordMeta,
):
    """A table's row with ActiveRecord's behaviour; give it columns of your own.

    For tables that exist already. `Model` adds a key and timestamps. Everything SQLModel does stays as it
    is, and ``session.add(record)`` runs the same validations and callbacks as `save`.
    """

    # A scope is no field, though it stands in the class without an annotation. SQLModel's metaclass declares
    # the name as its own, which pyright takes for another variable.
    model_config: ClassVar["SQLModelConfig"] = {"ignored_types": (scope,)}  # pyright: ignore[reportIncompatibleVariableOverride]

    __lineside_sync__: ClassVar[tuple[type, type]] = (SyncModel, SyncRecord)

    sync: ClassVar[SyncDoor] = SyncDoor()
    """The same without ``await``, on a sync ``Session``: ``Post.sync.find(1)``, ``post.sync.save()``."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        hide_methods(cls)

    def __init__(self, **attributes: Any) -> None:
        check_names(type(self), attributes)
        super().__init__(**attributes)
        for name, value in attributes.items():
            # SQLModel takes columns and relationships, and drops the rest.
            if isinstance(getattr(type(self), name, None), property):
                setattr(self, name, value)

    @classmethod
    def build(cls, attributes: Mapping[str, Any] | BaseModel | None = None, /, **values: Any) -> Self:
        """Make a record without saving it (as Rails' ``Post.new``).

        Args:
            attributes: What came from outside: a schema such as ``Post.In``, or a mapping, of which only
                permitted attributes are taken.
            values: Attributes of your own code; any column or relationship.

        Raises:
            ForbiddenAttributesError: ``attributes`` has one that is not permitted.
            UnknownAttributeError: A name is no attribute.
        """
        return cls(**assigned(cls, attributes, values))

    @classmethod
    async def create(
        cls,
        attributes: Mapping[str, Any] | BaseModel | None = None,
        /,
        *,
        session: AnySession | None = None,
        **values: Any,
    ) -> Self:
        """Make a record and save it.

        Args:
            attributes: As for `build`.
            session: The session to use; default: the ambient one.
            values: As for `build`.

        Returns:
            The saved record, with its key.

        Raises:
            RecordInvalid: It breaks its validations.
            ForbiddenAttributesError: ``attributes`` has one that is not permitted.
        """
        record = cls(**assigned(cls, attributes, values))
        await method_of(record, Record.save)(record, session=session)
        return record

    async def save(self, *, validate: bool = True, session: AnySession | None = None) -> Self:
        """Write the record: INSERT if it is new, else UPDATE of what has changed.

        Validations and callbacks run; the transaction stays open. Whatever else waits in the session is
        written, too, as a flush does.

        Args:
            validate: False leaves the validations out, and their callbacks.
            session: The session to use; default: the record's own, else the ambient one.

        Returns:
            The record.

        Raises:
            RecordInvalid: It breaks its validations; it has left the session and nothing of it is written.
            StaleObjectError: It has a lock version, and somebody else has saved it in between.
        """
        await self._run(lambda found: _persistence.save(found, self, validate=validate), session, "save")
        return self

    async def update(
        self,
        attributes: Mapping[str, Any] | BaseModel | None = None,
        /,
        *,
        session: AnySession | None = None,
        **values: Any,
    ) -> Self:
        """Assign attributes and save.

        Args:
            attributes: As for `assign_attributes`.
            session: The session to use; default: the record's own, else the ambient one.
            values: As for `assign_attributes`.

        Raises:
            RecordInvalid: It breaks its validations.
            ForbiddenAttributesError: ``attributes`` has one that is not permitted.
        """
        assign(self, attributes, values)
        await method_of(self, Record.save)(self, session=session)
        return self

    async def destroy(self, *, session: AnySession | None = None) -> Self:
        """Delete the row, with callbacks.

        Args:
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            DeleteRestrictionError: Other records depend on it.
        """
        await self._run(lambda found: _persistence.destroy(found, self), session, "destroy")
        return self

    async def reload(self, *, lock: bool = False, session: AnySession | None = None) -> Self:
        """Read the row again; changes that were not saved are lost.

        Args:
            lock: Hold the row until the end of the transaction (``SELECT ... FOR UPDATE``).
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            RecordNotFound: The row is gone.
        """
        await self._run(lambda found: _persistence.reload(found, self, lock=lock), session, "reload")
        return self

    async def touch(self, *names: str, session: AnySession | None = None) -> Self:
        """Set ``updated_at``, and the named timestamps, to now; without validations or callbacks.

        Args:
            names: Further timestamps.
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            StaleObjectError: It has a lock version, which counts this, too, and somebody else has saved it.
        """
        await self._run(lambda found: _persistence.touch(found, self, *names), session, "touch")
        return self

    async def update_columns(self, *, session: AnySession | None = None, **values: Any) -> Self:
        """Write columns at once, without validations, callbacks or timestamps.

        Args:
            session: The session to use; default: the record's own, else the ambient one.
            values: Columns and values.

        Raises:
            UnknownAttributeError: A name is no column.
            RecordNotFound: The row is gone.
        """
        await self._run(lambda s: _persistence.update_columns(s, self, values), session, "update_columns")
        return self

    async def valid(self, *, session: AnySession | None = None) -> bool:
        """Run the validations and fill `errors` (as Rails' ``valid?``).

        Args:
            session: The session to use; default: the record's own, else the ambient one.
        """
        return await self._run(lambda found: _persistence.is_valid(found, self), session, "valid")

    def assign_attributes(
        self, attributes: Mapping[str, Any] | BaseModel | None = None, /, **values: Any
    ) -> Self:
        """Set several attributes without saving.

        Args:
            attributes: What came from outside: a schema such as ``Post.Patch`` (what it leaves unset stays
                as it is), or a mapping, of which only permitted attributes are taken.
            values: Attributes of your own code.

        Raises:
            ForbiddenAttributesError: ``attributes`` has one that is not permitted.
            UnknownAttributeError: A name is no attribute.
        """
        assign(self, attributes, values)
        return self

    @property
    def errors(self) -> Errors:
        """What the last validation found, by field."""
        return errors_of(self)

    @property
    def is_new_record(self) -> bool:
        """Whether it has no row yet (as Rails' ``new_record?``)."""
        return not instance_state(self).has_identity and not state_of(self).is_destroyed

    @property
    def is_persisted(self) -> bool:
        """Whether it has a row (as Rails' ``persisted?``)."""
        return instance_state(self).has_identity and not state_of(self).is_destroyed

    @property
    def is_destroyed(self) -> bool:
        """Whether its row was deleted through this object (as Rails' ``destroyed?``)."""
        return state_of(self).is_destroyed

    @property
    def previously_new_record(self) -> bool:
        """Whether the last save created it (as Rails' ``previously_new_record?``)."""
        return state_of(self).was_new

    @property
    def changes(self) -> Changes:
        """What is not saved yet: attribute to ``(was, is)``."""
        return changes_of(self)

    @property
    def saved_changes(self) -> Changes:
        """What the last save wrote: attribute to ``(was, is)``."""
        return dict(state_of(self).saved_changes)

    @property
    def has_changes_to_save(self) -> bool:
        """Whether anything is not saved yet (as Rails' ``has_changes_to_save?``)."""
        return bool(changes_of(self))

    def attribute_changed(self, name: str) -> bool:
        """Tell whether an attribute differs from its row.

        Raises:
            UnknownAttributeError: It is no attribute.
        """
        check_names(type(self), {name: None})
        return name in changes_of(self)

    def attribute_was(self, name: str) -> Any:
        """Return what an attribute was when the record was loaded or saved.

        Raises:
            UnknownAttributeError: It is no attribute.
        """
        check_names(type(self), {name: None})
        return changes_of(self).get(name, (getattr(self, name),))[0]

    def saved_change_to_attribute(self, name: str) -> bool:
        """Tell whether the last save changed an attribute (as Rails' ``saved_change_to_attribute?``).

        Raises:
            UnknownAttributeError: It is no attribute.
        """
        check_names(type(self), {name: None})
        return name in state_of(self).saved_changes


listen(Record)
guard(Record)
