"""Records that a flush deletes because they left a collection with the cascade "delete-orphan"."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy.orm import PassiveFlag, RelationshipProperty, Session
from sqlalchemy.orm.attributes import get_history

from lineside.models._lifecycle._state import instance_state, is_orphan


class Orphan(NamedTuple):
    """A record that has left a collection.

    Attributes:
        record: The record.
        owner: Whose collection it was.
        relationship: The collection.
    """

    record: Any
    owner: Any
    relationship: RelationshipProperty[Any]

    def keep(self, session: Session) -> None:
        """Leave its row to the owner: SQLAlchemy neither deletes nor unties it."""
        # Nothing public says that a record is no orphan, but for putting it back into the collection.
        attribute: Any = getattr(type(self.owner), self.relationship.key)
        attribute.impl.sethasparent(instance_state(self.record), instance_state(self.owner), True)  # noqa: FBT003 - SQLAlchemy's
        if self.relationship.back_populates:
            session.expire(self.record, [self.relationship.back_populates])


def orphans(session: Session) -> Iterator[Orphan]:
    """Yield the records that have left a collection; without a way back they are not changed themselves."""
    for owner in session.dirty:
        for relationship in instance_state(owner).mapper.relationships:
            if relationship.cascade.delete_orphan:
                left = get_history(owner, relationship.key, PassiveFlag.PASSIVE_NO_INITIALIZE).deleted
                for record in left or ():
                    if record is not None and record in session and is_orphan(record):
                        yield Orphan(record, owner, relationship)
