"""Find a record, or make it: safe against others who do the same at the same moment."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from lineside.exceptions import RecordInvalid
from lineside.models._connection._ambient import AnySession, run
from lineside.models._lifecycle import _persistence
from lineside.models._relation._sync_query import SyncQuery
from lineside.models._validation._errors import Errors

if TYPE_CHECKING:
    from lineside.models._base._record import Record

RecordT = TypeVar("RecordT", bound="Record")
Values = Mapping[str, Any]


class Finding(SQLModel):
    """Class methods that find a record by its values, or make one that has them."""

    @classmethod
    async def find_or_create_by(
        cls, *, create_with: Values | None = None, session: AnySession | None = None, **values: Any
    ) -> Self:
        """Load the first record with these values, or create one (as Rails' ``find_or_create_by``).

        If another session creates it in between, that record is loaded: a unique index of the columns must
        tell. Without one, two may be created.

        Args:
            create_with: Further values for a new record.
            session: The session to use; default: the ambient one.
            values: What to look for, and what a new record has.

        Raises:
            RecordInvalid: A new record breaks its validations.
            UnknownAttributeError: A name is no attribute.
        """
        work = _work(find_or_create, cls, values, create_with)
        return cast("Self", await run(work, session, f"{cls.__name__}.find_or_create_by()"))

    @classmethod
    async def create_or_find_by(
        cls, *, create_with: Values | None = None, session: AnySession | None = None, **values: Any
    ) -> Self:
        """Create a record with these values, or load the one that has them already.

        The better choice where most calls create. The attempt stands in a savepoint: a unique index that
        refuses it leaves the transaction usable. As Rails' ``create_or_find_by``; here a ``uniqueness``
        validation that refuses the new record counts, too.

        Args:
            create_with: Further values for a new record.
            session: The session to use; default: the ambient one.
            values: What a new record has, and what to look for.

        Raises:
            RecordInvalid: A new record breaks its validations.
            IntegrityError: The database refuses it, and no record has these values.
        """
        work = _work(create_or_find, cls, values, create_with)
        return cast("Self", await run(work, session, f"{cls.__name__}.create_or_find_by()"))

    @classmethod
    async def find_or_initialize_by(
        cls, *, create_with: Values | None = None, session: AnySession | None = None, **values: Any
    ) -> Self:
        """Load the first record with these values, or build one without saving it.

        Args:
            create_with: Further values for a new record.
            session: The session to use; default: the ambient one.
            values: What to look for, and what a new record has.
        """
        work = _work(find_or_build, cls, values, create_with)
        return cast("Self", await run(work, session, f"{cls.__name__}.find_or_initialize_by()"))


class SyncFinding(SyncQuery[RecordT]):
    """The same for ``Post.sync``."""

    __slots__ = ()

    def find_or_create_by(
        self, *, create_with: Values | None = None, session: Session | None = None, **values: Any
    ) -> RecordT:
        """Load the first record with these values, or create one; see `Finding.find_or_create_by`."""
        found = self._session(session, "find_or_create_by")
        return find_or_create(found, self.model, values, create_with or {})

    def create_or_find_by(
        self, *, create_with: Values | None = None, session: Session | None = None, **values: Any
    ) -> RecordT:
        """Create a record, or load the one that has its values; see `Finding.create_or_find_by`."""
        found = self._session(session, "create_or_find_by")
        return create_or_find(found, self.model, values, create_with or {})

    def find_or_initialize_by(
        self, *, create_with: Values | None = None, session: Session | None = None, **values: Any
    ) -> RecordT:
        """Load the first record with these values, or build one; see `Finding.find_or_initialize_by`."""
        found = self._session(session, "find_or_initialize_by")
        return find_or_build(found, self.model, values, create_with or {})


def find_or_create(session: Session, model: type[RecordT], values: Values, create_with: Values) -> RecordT:
    """See `Finding.find_or_create_by`."""
    return _find(session, model, values) or create_or_find(session, model, values, create_with)


def create_or_find(session: Session, model: type[RecordT], values: Values, create_with: Values) -> RecordT:
    """See `Finding.create_or_find_by`."""
    record = model(**{**values, **create_with})
    session.flush()  # what waits is not part of the attempt
    try:
        with session.begin_nested():
            _persistence.save(session, record)
    except (IntegrityError, RecordInvalid) as error:
        if not _is_taken(error):
            raise
        existing = _find(session, model, values)
        if existing is None:
            raise
        return existing
    return record


def find_or_build(session: Session, model: type[RecordT], values: Values, create_with: Values) -> RecordT:
    """See `Finding.find_or_initialize_by`."""
    return _find(session, model, values) or model(**{**values, **create_with})


def _find(session: Session, model: type[RecordT], values: Values) -> RecordT | None:
    return SyncQuery(model).find_by(session=session, **values)


def _is_taken(error: IntegrityError | RecordInvalid) -> bool:
    if isinstance(error, IntegrityError):
        return True
    return isinstance(error.errors, Errors) and all(found.type == "taken" for found in error.errors)


def _work(function: Any, model: type, values: Values, create_with: Values | None) -> Any:
    return lambda session: function(session, model, values, create_with or {})
