"""What becomes of the records of an owner that is destroyed: ``dependent``, as in ActiveRecord.

Owners come in lists: a tree is destroyed with one SELECT for each level and association, not with one for
each record. Nothing here needs a collection to be loaded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, delete, select, tuple_, update
from sqlalchemy.orm import Mapper, RelationshipProperty, Session, aliased
from sqlalchemy.orm.attributes import set_committed_value

from lineside.models._association._declared import Dependent, associations
from lineside.models._association._pairs import Key, chunks, foreign_names, is_one_of, owner_names, values
from lineside.models._exceptions import DeleteRestrictionError
from lineside.models._lifecycle._state import instance_state
from lineside.models._relation._hidden import hides_rows, is_shown

if TYPE_CHECKING:
    from lineside.models._lifecycle._unit import Unit


@dataclass(slots=True)
class Consequences:
    """What follows when an owner is deleted, done when nothing can refuse it any more.

    Attributes:
        records: Those that are deleted with it; their own before_destroy callbacks have run.
        statements: What is left to the database.
    """

    records: list[Any] = field(default_factory=list[Any])
    statements: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])

    def happen(self, session: Session) -> None:
        """Delete the records with the next flush, and run the statements now."""
        for record in self.records:
            session.delete(record)
        with session.no_autoflush:
            for run in self.statements:
                run()


def destroy_dependents(
    session: Session,
    unit: "Unit",
    owners: Sequence[Any],
    consequences: Consequences,
    *,
    is_for_good: bool = False,
) -> None:
    """Find what the associations of records say for when they are destroyed.

    While the row of an owner stays, hidden by `SoftDelete`, it means the records that are shown. When the
    row goes, it means hidden ones, too: a foreign key that names nobody is refused by the database.

    Args:
        session: The session, which must not flush meanwhile.
        unit: Its unit.
        owners: Records of one class, whose own before_destroy callbacks have run.
        consequences: Where to note it.
        is_for_good: Whether their rows go, though their class hides rows.

    Raises:
        DeleteRestrictionError: An association with ``dependent="restrict"`` has records.
    """
    leave = is_for_good or not hides_rows(type(owners[0]))
    for association, relationship in associations(type(owners[0])):
        if association.dependent is not None:
            for some in chunks(owners):
                bond = _Bond(relationship, some, leave)
                _RULES[association.dependent](session, unit, bond, consequences)


@dataclass(frozen=True, slots=True)
class _Bond:
    """An association of some owners.

    Attributes:
        relationship: The association.
        owners: Its owners.
        leave: Whether the rows of the owners go; else they are hidden.
    """

    relationship: RelationshipProperty[Any]
    owners: Sequence[Any]
    leave: bool

    def select(self, *what: Any, record: Any = None) -> Select[*tuple[Any, ...]]:
        """Select something of the records that are meant, by the relationship's own join condition."""
        owner = aliased(self.relationship.parent)
        target = getattr(owner, self.relationship.key)
        key = _key_of(owner, self.relationship.parent)
        identities = [instance_state(one).identity or () for one in self.owners]
        return (
            select(*what)
            .select_from(owner)
            .join(target if record is None else target.of_type(record))
            .where(is_one_of(key, identities), *(() if self.leave else self.is_shown(record)))
        )

    def is_shown(self, record: Any = None) -> tuple[ColumnElement[bool], ...]:
        """Return what is true of the records that are not hidden."""
        return is_shown(self.relationship.mapper.class_ if record is None else record)

    def is_theirs(self) -> ColumnElement[bool]:
        """Compare a record's key with those of the owners' records, for statements without a join."""
        record = aliased(self.relationship.mapper)
        theirs = self.select(*_key_of(record, self.relationship.mapper), record=record)
        key = self.relationship.mapper.primary_key
        return (key[0] if len(key) == 1 else tuple_(*key)).in_(theirs)

    def fill(self, found: Mapping[Key, list[Any]]) -> None:
        """Tell SQLAlchemy what the association holds: a flush would ask the database for each owner."""
        names = owner_names(self.relationship)
        for owner in self.owners:
            records = found.get(values(owner, names), [])
            content = records if self.relationship.uselist else next(iter(records), None)
            set_committed_value(owner, self.relationship.key, content)


def _destroy(session: Session, unit: "Unit", bond: _Bond, consequences: Consequences) -> None:
    foreign = foreign_names(bond.relationship)
    found: dict[Key, list[Any]] = {values(owner, owner_names(bond.relationship)): [] for owner in bond.owners}
    for record in session.scalars(bond.select(bond.relationship.mapper.class_)).unique():
        # One that was given to another owner, and is not written yet, belongs to that one.
        found.get(values(record, foreign), []).append(record)
    bond.fill(found)
    staying: list[Any] = []
    for record in [record for records in found.values() for record in records]:
        if not unit.is_leaving(record):
            staying.append(record)
        elif bond.leave:
            _follow(session, unit, record, consequences)
    for _, siblings in groupby(sorted(staying, key=_class_name), key=type):
        together = list(siblings)
        unit.prepare_all(session, together, "destroy", consequences, is_for_good=bond.leave)
        consequences.records.extend(together)


def _follow(session: Session, unit: "Unit", record: Any, consequences: Consequences) -> None:
    """Let a record that was to be hidden in this flush go for good, and what depends on it."""
    flight = unit.flights[id(record)]
    if hides_rows(type(record)) and not flight.is_for_good:
        flight.is_for_good = True
        destroy_dependents(session, unit, [record], consequences, is_for_good=True)


def _nullify(session: Session, _unit: "Unit", bond: _Bond, consequences: Consequences) -> None:
    nothing = dict.fromkeys(foreign_names(bond.relationship))
    statement = update(bond.relationship.mapper.class_).where(bond.is_theirs()).values(nothing)
    consequences.statements += [lambda: session.execute(statement), lambda: bond.fill({})]


def _delete_all(session: Session, _unit: "Unit", bond: _Bond, consequences: Consequences) -> None:
    statement = delete(bond.relationship.mapper.class_).where(bond.is_theirs())
    consequences.statements += [lambda: session.execute(statement), lambda: bond.fill({})]


def _restrict(session: Session, _unit: "Unit", bond: _Bond, consequences: Consequences) -> None:
    # Those that go in the same flush are no reason to stay.
    model = bond.relationship.mapper.class_
    going = (record for record in (*session.deleted, *consequences.records) if isinstance(record, model))
    leaving = {instance_state(record).identity for record in going}
    statement = bond.select(*bond.relationship.mapper.primary_key)
    found = _first_keys(session, statement, len(leaving) + 1)
    if found - leaving:
        shown = _first_keys(session, statement.where(*bond.is_shown()), len(leaving) + 1)
        owner, hidden_in = type(bond.owners[0]).__name__, None if shown - leaving else model.__name__
        raise DeleteRestrictionError(owner, bond.relationship.key, hidden_in=hidden_in)
    if not found:
        bond.fill({})


_RULES: Final[Mapping[Dependent, Callable[[Session, "Unit", _Bond, Consequences], None]]] = {
    "destroy": _destroy,
    "nullify": _nullify,
    "delete_all": _delete_all,
    "restrict": _restrict,
}


def _first_keys(session: Session, statement: Select[*tuple[Any, ...]], count: int) -> set[Key]:
    return {tuple(key) for key in session.execute(statement.limit(count))}


def _key_of(entity: Any, mapper: Mapper[Any]) -> list[Any]:
    return [getattr(entity, mapper.get_property_by_column(column).key) for column in mapper.primary_key]


def _class_name(record: Any) -> str:
    return type(record).__qualname__
