"""How two records are tied: by a foreign key, by a row of a link table, or by a record between them.

Written once for SQLAlchemy's sync session. Nothing is loaded for it; a collection that is loaded follows.
"""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, insert, select
from sqlalchemy.orm import RelationshipProperty, Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.orm.interfaces import MANYTOONE, ONETOMANY

from lineside.exceptions import ConfigurationError, RecordNotFound
from lineside.models._association._declared import associations
from lineside.models._association._pairs import foreign_names, owner_names, values
from lineside.models._lifecycle import _persistence
from lineside.models._lifecycle._state import instance_state
from lineside.models._lifecycle._unit import Unit
from lineside.models._relation._columns import relationship_named


class Tie:
    """An association of one owner: by a foreign key of the owner, as ``belongs_to`` is.

    Args:
        owner: The record that has the association.
        relationship: The association.
    """

    __slots__ = ("owner", "relationship")

    def __init__(self, owner: Any, relationship: RelationshipProperty[Any]) -> None:
        self.owner = owner
        self.relationship = relationship

    def attach(self, record: Any) -> None:
        """Give a new record to the owner, in memory."""
        setattr(self.owner, self.relationship.key, record)

    def create(self, session: Session, record: Any) -> None:
        """Save a new record that is tied to the owner."""
        _persistence.save(session, record)
        self.attach(record)

    def add(self, session: Session, records: Sequence[Any]) -> None:
        """Tie records to the owner; new ones are saved."""
        raise self._refusal(f"set {self.relationship.key} and save")

    def remove(self, session: Session, record: Any) -> None:
        """Untie a record from the owner."""
        raise self._refusal(f"set {self.relationship.key} to None and save")

    def _refusal(self, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{self.relationship}: this does not fit the association; {remedy}")

    def _missing(self, record: Any) -> RecordNotFound:
        return RecordNotFound(
            f"{type(record).__name__} in {self.relationship}", instance_state(record).identity
        )


class Owned(Tie):
    """By a foreign key of the record: ``has_many`` and ``has_one``."""

    __slots__ = ()

    def attach(self, record: Any) -> None:
        """Give a new record to the owner, in memory."""
        name = self.relationship.key
        if instance_state(self.owner).has_identity:
            # Without an event, which would put the record into the session before it is saved.
            self._name_owner(record, self.owner, values(self.owner, owner_names(self.relationship)))
        elif self.relationship.uselist:
            getattr(self.owner, name).append(record)
        else:
            setattr(self.owner, name, record)

    def create(self, session: Session, record: Any) -> None:
        """Save a new record that is tied to the owner."""
        self.add(session, [record])

    def add(self, session: Session, records: Sequence[Any]) -> None:
        """Tie records to the owner; new ones are saved."""
        _persistence.key_of(self.owner)
        for record in records:
            self.attach(record)
            _persistence.save(session, record)
            remember(session, self.owner, self.relationship.key, record)

    def remove(self, session: Session, record: Any) -> None:
        """Do to a record what ``dependent`` says; without it, empty its foreign key."""
        if values(record, foreign_names(self.relationship)) != values(
            self.owner, owner_names(self.relationship)
        ):
            raise self._missing(record)
        if self._dependent() in ("destroy", "delete_all"):
            _persistence.destroy(session, record)
        else:
            self._name_owner(record, None, [None] * len(foreign_names(self.relationship)))
            _persistence.save(session, record)
        forget(session, self.owner, self.relationship.key, record)

    def _name_owner(self, record: Any, owner: Any, keys: Sequence[Any]) -> None:
        for name, value in zip(foreign_names(self.relationship), keys, strict=True):
            setattr(record, name, value)
        if self.relationship.back_populates:
            set_committed_value(record, self.relationship.back_populates, owner)

    def _dependent(self) -> str | None:
        for association, relationship in associations(type(self.owner)):
            if relationship is self.relationship:
                return association.dependent
        return None


class Linked(Tie):
    """By a row of a link table: many-to-many."""

    __slots__ = ()

    def attach(self, record: Any) -> None:
        """Refuse: the row needs the keys of both."""
        raise self._refusal("use create() or add()")

    def create(self, session: Session, record: Any) -> None:
        """Save a new record that is tied to the owner."""
        self.add(session, [record])

    def add(self, session: Session, records: Sequence[Any]) -> None:
        """Tie records to the owner; new ones are saved."""
        _persistence.key_of(self.owner)
        for record in records:
            if not instance_state(record).has_identity:
                _persistence.save(session, record)
            self._link(session, record)
            for holder, name, held in self._sides(record):
                remember(session, holder, name, held)

    def remove(self, session: Session, record: Any) -> None:
        """Untie a record from the owner."""
        self._unlink(session, record)
        for holder, name, held in self._sides(record):
            forget(session, holder, name, held)

    def _link(self, session: Session, record: Any) -> None:
        link: Any = self.relationship.secondary
        session.execute(insert(link).values({column.key: value for column, value in self._row(record)}))

    def _unlink(self, session: Session, record: Any) -> None:
        link: Any = self.relationship.secondary
        is_link: list[ColumnElement[bool]] = [column == value for column, value in self._row(record)]
        done: CursorResult[Any] = session.connection().execute(delete(link).where(*is_link))
        if done.rowcount == 0:
            raise self._missing(record)

    def _row(self, record: Any) -> list[tuple[Any, Any]]:
        """Return the columns of the link's row, and what they are."""
        ends = (
            (self.owner, self.relationship.parent, self.relationship.synchronize_pairs),
            (record, self.relationship.mapper, self.relationship.secondary_synchronize_pairs or ()),
        )
        return [
            (linking, getattr(end, mapper.get_property_by_column(own).key))
            for end, mapper, pairs in ends
            for own, linking in pairs
        ]

    def _sides(self, record: Any) -> list[tuple[Any, str, Any]]:
        back = self.relationship.back_populates
        sides = [(self.owner, self.relationship.key, record)]
        return [*sides, (record, back, self.owner)] if back else sides


class Through(Linked):
    """By a record between the two, with validations and callbacks of its own: has_many through."""

    __slots__ = ()

    def _link(self, session: Session, record: Any) -> None:
        through, source = self._joint()
        Owned(self.owner, through).add(session, [through.mapper.class_(**{source: record})])

    def _unlink(self, session: Session, record: Any) -> None:
        through, source = self._joint()
        joint = through.mapper.class_
        keys = zip(foreign_names(through), values(self.owner, owner_names(through)), strict=True)
        is_theirs = [getattr(joint, name) == value for name, value in keys]
        found = session.scalars(select(joint).where(*is_theirs, getattr(joint, source) == record)).all()
        if not found:
            raise self._missing(record)
        for between in found:
            _persistence.destroy(session, between)

    def _joint(self) -> tuple[RelationshipProperty[Any], str]:
        """Find the owner's association with the records between, and the name of their other end."""
        own = self.relationship
        for through in own.parent.relationships:
            if through.direction is not ONETOMANY or through.mapper.local_table is not own.secondary:
                continue
            for source in through.mapper.relationships:
                if source.direction is MANYTOONE and source.mapper is own.mapper:
                    return through, source.key
        raise self._refusal(f"it is read only, because nothing of {own.parent.class_.__name__} has its links")


def tie(owner: Any, name: str) -> Tie:
    """Return an association of a record, as what ties it.

    Raises:
        UnknownAttributeError: There is none of this name.
    """
    relationship = cast("RelationshipProperty[Any]", relationship_named(type(owner), name).property)
    if relationship.secondary is not None:
        return (Through if relationship.viewonly else Linked)(owner, relationship)
    return (Tie if relationship.direction is MANYTOONE else Owned)(owner, relationship)


def remember(session: Session, holder: Any, name: str, record: Any) -> None:
    """Put a record into an association that is loaded, until a rollback."""
    if _put(holder, name, record):
        Unit.of(session).effects.after_rollback(session, lambda: _take(holder, name, record))


def forget(session: Session, holder: Any, name: str, record: Any) -> None:
    """Take a record out of an association that is loaded, until a rollback."""
    if _take(holder, name, record):
        Unit.of(session).effects.after_rollback(session, lambda: _put(holder, name, record))


def _put(holder: Any, name: str, record: Any) -> bool:
    state = instance_state(holder)
    if name not in state.dict:
        return False
    if not state.mapper.relationships[name].uselist:
        set_committed_value(holder, name, record)
    elif record not in (adapter := collection_adapter(state.dict[name])):
        adapter.append_without_event(record)
    return True


def _take(holder: Any, name: str, record: Any) -> bool:
    state = instance_state(holder)
    if name not in state.dict:
        return False
    if not state.mapper.relationships[name].uselist:
        set_committed_value(holder, name, None)
    elif record in (adapter := collection_adapter(state.dict[name])):
        adapter.remove_without_event(record)
    return True
