"""What owners keep of their records: how many there are, and when one last changed.

Each owner's row is changed by one atomic UPDATE for each flush, in the transaction that writes the
records. Whom a row named before is read from the row itself, which is held until the end of the
transaction: two that destroy or move the same record at once are counted once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Mapper, RelationshipProperty, Session, aliased
from sqlalchemy.orm.attributes import set_committed_value

from lineside.exceptions import ConfigurationError, RecordNotFound
from lineside.models._association._declared import Association, associations
from lineside.models._association._pairs import Key, chunks, foreign_names, is_one_of, owner_names, values
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._lifecycle._state import instance_state, state_of
from lineside.models._lifecycle._timestamps import now
from lineside.models._relation._hidden import is_shown
from lineside.models._validation._references import instance_mapper

if TYPE_CHECKING:
    from lineside.models._lifecycle._flight import Flight
    from lineside.models._lifecycle._unit import Unit


@dataclass(frozen=True, slots=True)
class _Kept:
    """A ``belongs_to`` whose owner keeps something."""

    association: Association
    relationship: RelationshipProperty[Any]

    @property
    def foreign_names(self) -> tuple[str, ...]:
        """The foreign key's attributes of the record."""
        find = self.relationship.parent.get_property_by_column
        return tuple(find(local).key for local, _ in self.relationship.local_remote_pairs)

    @property
    def owner_names(self) -> tuple[str, ...]:
        """The attributes of the owner that it names."""
        find = self.relationship.mapper.get_property_by_column
        return tuple(find(remote).key for _, remote in self.relationship.local_remote_pairs)


@dataclass(slots=True)
class _Change:
    """What happens to the row of one owner."""

    kept: _Kept
    key: Key
    counts: dict[str, int] = field(default_factory=dict[str, int])
    touches: bool = False


def note_owners(session: Session, flights: Sequence["Flight"]) -> None:
    """Remember whom rows name that are about to be destroyed or moved.

    Args:
        session: The session, which must not flush meanwhile.
        flights: Records of one class.
    """
    kept = list(_kept(type(flights[0].record)))
    leaving = [flight for flight in flights if kept and _may_leave(flight, kept)]
    for some in chunks(leaving):
        _note(session, some, kept)


def update_owners(session: Session, flights: Sequence["Flight"]) -> None:
    """Count and touch for the records that a flush has written."""
    changes: dict[tuple[Any, ...], _Change] = {}
    for flight in flights:
        for kept in _kept(type(flight.record)) if flight.owners is not None else ():
            _add(changes, kept, flight)
    # In one order for all, so that two transactions do not wait for each other.
    with session.no_autoflush:
        for key in sorted(changes, key=repr):
            _write(session, changes[key])


def reset_counters(session: Session, model: type, key: Any, *names: str) -> None:
    """Count the records of associations anew, each in one statement; see `Record.reset_counters`."""
    mapper = instance_mapper(model)
    identity: Key = key if isinstance(key, tuple) else (key,)
    for name in names:
        counter, relationship = _counter_of(mapper, name)
        record = aliased(relationship.mapper)
        pairs = zip(foreign_names(relationship), owner_names(relationship), strict=True)
        theirs = [getattr(record, foreign) == getattr(model, own) for foreign, own in pairs]
        counted = select(func.count()).select_from(record).where(*theirs, *is_shown(record))
        number = counted.correlate(mapper).scalar_subquery()
        statement = update(model).where(is_one_of(mapper.primary_key, [identity])).values({counter: number})
        written = session.execute(statement.execution_options(synchronize_session=False))
        if cast("CursorResult[Any]", written).rowcount == 0:
            raise RecordNotFound(model.__name__, key)
        owner = session.identity_map.get(mapper.identity_key_from_primary_key(identity))
        if owner is not None:
            session.refresh(owner, [counter])


def _kept(model: type) -> Iterator[_Kept]:
    for association, relationship in associations(model):
        if association.counter_cache or association.touch:
            yield _Kept(association, relationship)


def _may_leave(flight: "Flight", kept: Sequence[_Kept]) -> bool:
    if flight.action != "update":
        return flight.action == "destroy"
    changed = instance_state(flight.record).committed_state
    return any(name in changed for each in kept for name in (each.relationship.key, *each.foreign_names))


def _note(session: Session, flights: Sequence["Flight"], kept: Sequence[_Kept]) -> None:
    mapper = instance_state(flights[0].record).mapper
    found = {instance_state(flight.record).identity or (): flight for flight in flights}
    foreign = [name for each in kept for name in each.foreign_names]
    key = len(mapper.primary_key)
    rows = session.execute(
        select(*mapper.primary_key, *(mapper.columns[name] for name in foreign))
        .where(is_one_of(mapper.primary_key, list(found)))
        .with_for_update()
    )
    by_identity = {tuple(row[:key]): dict(zip(foreign, row[key:], strict=True)) for row in rows}
    for identity, flight in found.items():
        # Without a row, somebody else has deleted it, and has counted that.
        if (row := by_identity.get(identity)) is not None:
            flight.owners = {
                each.association.name: _whole(tuple(row[name] for name in each.foreign_names))
                for each in kept
            }


def _add(changes: dict[tuple[Any, ...], _Change], kept: _Kept, flight: "Flight") -> None:
    was, now_is = _before_and_after(kept, flight)
    name = kept.association.counter_cache
    is_touched = kept.association.touch and bool(
        flight.action != "update" or state_of(flight.record).saved_changes
    )
    for owner, number in ((was, -1), (now_is, 1)):
        if owner is None:
            continue
        target = kept.relationship.mapper
        change = changes.setdefault(
            (target.class_.__qualname__, kept.owner_names, owner), _Change(kept, owner)
        )
        change.touches = change.touches or is_touched
        if name and was != now_is:
            change.counts[name] = change.counts.get(name, 0) + number


def _before_and_after(kept: _Kept, flight: "Flight") -> tuple[Key | None, Key | None]:
    noted, name = flight.owners or {}, kept.association.name
    if flight.action == "destroy":
        return noted.get(name), None
    now_is = _whole(values(flight.record, kept.foreign_names))
    if flight.action == "create":
        return None, now_is
    if name in noted:
        return noted[name], now_is
    changes = state_of(flight.record).saved_changes
    return _whole(
        tuple(changes[n][0] if n in changes else getattr(flight.record, n) for n in kept.foreign_names)
    ), now_is


def _write(session: Session, change: _Change) -> None:
    mapper = change.kept.relationship.mapper
    counts = {name: number for name, number in change.counts.items() if number}
    moment = {"updated_at": now()} if change.touches else {}
    if not counts and not moment:
        return
    counted = {name: func.coalesce(mapper.columns[name], 0) + number for name, number in counts.items()}
    session.execute(
        update(mapper.class_)
        .where(is_one_of([mapper.columns[name] for name in change.kept.owner_names], [change.key]))
        .values({**counted, **moment})
        .execution_options(synchronize_session=False)
    )
    _follow(session, change, counts, moment)


def _follow(session: Session, change: _Change, counts: dict[str, int], moment: dict[str, Any]) -> None:
    """Change the owner in memory by as much, and back if the transaction is rolled back."""
    identity = change.kept.relationship.mapper.identity_key_from_primary_key(change.key)
    owner = session.identity_map.get(identity)
    if owner is None:
        return
    for name, value in moment.items():
        set_committed_value(owner, name, value)
    _shift(owner, counts, 1)
    unit: Unit = session.info["lineside"]
    unit.effects.after_rollback(session, lambda: _shift(owner, counts, -1))


def _shift(owner: Any, counts: dict[str, int], sign: int) -> None:
    loaded = instance_state(owner).dict
    for name, number in counts.items():
        if name in loaded:
            set_committed_value(owner, name, (loaded[name] or 0) + sign * number)


def _counter_of(mapper: Mapper[Any], name: str) -> tuple[str, RelationshipProperty[Any]]:
    """Find the column that counts a has_many: the other side declares it."""
    relationship = mapper.relationships.get(name)
    if relationship is None:
        raise UnknownAttributeError(mapper.class_.__name__, name, known=mapper.relationships.keys())
    ends = {(foreign, own) for own, foreign in relationship.synchronize_pairs}
    for association, back in associations(relationship.mapper.class_):
        if association.counter_cache and set(back.local_remote_pairs) == ends:
            return association.counter_cache, relationship
    raise ConfigurationError(
        f"{mapper.class_.__name__}.{name} has no counter cache; declare "
        f"@belongs_to(..., counter_cache=...) on {relationship.mapper.class_.__name__}"
    )


def _whole(key: Key) -> Key | None:
    return None if None in key else key
