"""What a query says, as a value: conditions, order, joins and the rest."""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, false, true
from sqlalchemy.orm import QueryableAttribute

_MAX_ROWS: Final = 2**63 - 1


class Join(NamedTuple):
    """One step of a join."""

    attribute: QueryableAttribute[Any]
    entity: Any
    is_outer: bool

    @property
    def is_to_many(self) -> bool:
        """Whether a record may come several times because of it."""
        return bool(self.attribute.property.uselist)


class Lock(NamedTuple):
    """What ``lock()`` asks for."""

    nowait: bool
    skip_locked: bool
    read: bool


@dataclass(frozen=True, slots=True)
class State:
    """Everything a query says, in tuples."""

    criteria: tuple[ColumnElement[bool], ...] = ()
    ordering: tuple[ColumnElement[Any], ...] = ()
    limit: int | None = None
    offset: int | None = None
    columns: tuple[QueryableAttribute[Any], ...] = ()
    is_distinct: bool = False
    joins: tuple[tuple[str, Join], ...] = ()
    loads: tuple[Any, ...] = ()
    is_none: bool = False
    is_scoped: bool = True
    has_doubles: bool = False
    lock: Lock | None = None

    @property
    def is_cut(self) -> bool:
        """Whether only a part of the rows is meant."""
        return self.limit is not None or self.offset is not None


BLANK: Final = {field.name: getattr(State(), field.name) for field in fields(State)}
"""What a query says before it says anything."""


def merged(ours: State, theirs: State) -> State:
    """Return what two queries say together; where only one can be meant, it is theirs.

    Raises:
        TypeError: Both join the same table, each in a way of its own.
    """
    return replace(
        ours,
        criteria=(*ours.criteria, *theirs.criteria),
        ordering=(*ours.ordering, *theirs.ordering),
        limit=ours.limit if theirs.limit is None else theirs.limit,
        offset=ours.offset if theirs.offset is None else theirs.offset,
        columns=(*ours.columns, *theirs.columns),
        is_distinct=ours.is_distinct or theirs.is_distinct,
        joins=tuple(_merged_joins(dict(ours.joins), dict(theirs.joins)).items()),
        loads=(*ours.loads, *theirs.loads),
        is_none=ours.is_none or theirs.is_none,
        is_scoped=ours.is_scoped and theirs.is_scoped,
        has_doubles=ours.has_doubles or theirs.has_doubles,
        lock=theirs.lock or ours.lock,
    )


def _merged_joins(ours: dict[str, Join], theirs: dict[str, Join]) -> dict[str, Join]:
    joins = dict(ours)
    for path, join in theirs.items():
        known = joins.get(path)
        used = {other.entity for name, other in joins.items() if name != path}
        if join.entity in used or (known is not None and known.entity is not join.entity):
            # The conditions of each name a table that is another one in the other.
            raise TypeError(f"merge() finds {join.attribute} joined differently in both queries; join in one")
        joins[path] = join._replace(is_outer=join.is_outer and (known is None or known.is_outer))
    return joins


def said_by(ours: State, theirs: State) -> ColumnElement[bool]:
    """Return the conditions of another query as one condition.

    Raises:
        TypeError: The other says more than conditions, and that could not be kept.
    """
    known = dict(ours.joins)
    joins = [
        path for path, join in theirs.joins if path not in known or known[path].entity is not join.entity
    ]
    if joins:
        raise TypeError(f'only the conditions of a query are taken; add .joins("{joins[0]}") before it')
    if theirs.is_cut:
        raise TypeError("only the conditions of a query are taken; leave its limit() and offset() out")
    return false() if theirs.is_none else and_(true(), *theirs.criteria)


def row_count(what: str, count: Any) -> int | None:
    """Return a number of rows, or None, which is no limit; see `number_of_rows`."""
    return None if count is None else number_of_rows(what, count)


def number_of_rows(what: str, count: Any) -> int:
    """Return a number of rows that every database takes.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is negative or past 64 bits.
    """
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{what}() takes a whole number, not {count!r}")
    if not 0 <= count <= _MAX_ROWS:
        raise ValueError(f"{what}() takes a number from 0 to 2**63 - 1, not {count}")
    return count
