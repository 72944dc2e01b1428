"""Chains of query methods at random, each step with what it means in Python."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from hypothesis import strategies as st
from sqlalchemy import and_, not_, or_
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.models import Query, Range, Record, SyncQuery, default_scope, scope
from tests.models.reference import Condition, Reference, Row, both, compared, either, opposite


class Base(Record, registry=registry()):
    pass


class Item(Base, table=True):
    id: int = Field(primary_key=True)
    a: int | None = None
    b: int | None = None
    name: str | None = None
    flag: bool | None = None

    @default_scope
    def unflagged(query: Query["Item"]) -> Query["Item"]:
        return query.not_(flag=True)

    @scope
    def small(query: Query["Item"]) -> Query["Item"]:
        return query.where(Item.a < 1).order("-b")


COLUMNS: Final = ("id", "a", "b", "name", "flag")
NUMBERS: Final = st.one_of(st.none(), st.integers(-2, 3))
# Past the column, past every column, and below both.
FAR: Final = st.sampled_from([2**31, 2**40, 2**63, -(2**70)])
NAMES: Final = st.one_of(st.none(), st.sampled_from(["", "A", "a", "ab", "b", "%", "'", "é"]))
FLAGS: Final = st.sampled_from([None, False, True])

tables: Final = st.lists(
    st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS, "name": NAMES, "flag": FLAGS}), max_size=8
).map(lambda rows: tuple({"id": number, **row} for number, row in enumerate(rows, 1)))


@dataclass(frozen=True)
class Said:
    """A condition, as arguments of ``where`` and as Python."""

    criteria: tuple[Any, ...]
    values: dict[str, Any]
    meaning: Condition

    def __repr__(self) -> str:
        return ", ".join(
            [*map(str, self.criteria), *(f"{name}={value!r}" for name, value in self.values.items())]
        )


@dataclass(frozen=True)
class Step:
    """One method of a query, and what it means."""

    text: str
    apply: Callable[[Any], Any]
    refer: Callable[[Reference], Reference]

    def __repr__(self) -> str:
        return self.text


def _is(column: str, value: Any) -> Condition:
    if value is None:
        return lambda row: row[column] is None
    return lambda row: compared(row[column], value, operator.eq)


def _is_one_of(column: str, values: list[Any]) -> Condition:
    return lambda row: either(_is(column, value)(row) for value in values)


def _is_in(column: str, start: int | None, end: int | None, *, exclude_end: bool) -> Condition:
    def meaning(row: Row) -> bool | None:
        value = row[column]
        if start is None and end is None:
            return value is not None
        parts = [] if start is None else [compared(value, start, operator.ge)]
        if end is not None:
            parts.append(compared(value, end, operator.lt if exclude_end else operator.le))
        return both(parts)

    return meaning


@st.composite
def _keywords(draw: st.DrawFn) -> Said:
    kind = draw(st.sampled_from(["value", "text", "list", "range", "Range"]))
    column = "name" if kind == "text" else draw(st.sampled_from(["a", "b", "id"]))
    number = st.one_of(NUMBERS, FAR)
    if kind in ("value", "text"):
        value = draw(NAMES if kind == "text" else number)
        return Said((), {column: value}, _is(column, value))
    if kind == "list":
        values = draw(st.lists(number, max_size=3))
        return Said((), {column: values}, _is_one_of(column, values))
    if kind == "range":
        step = draw(st.sampled_from([1, 2, 3, -1, -2]))
        whole = range(draw(st.integers(-3, 4)), draw(st.integers(-3, 4)), step)
        is_stepping = abs(step) > 1 or not whole
        meaning = (
            _is_one_of(column, [*whole])
            if is_stepping
            else _is_in(column, min(whole), max(whole), exclude_end=False)
        )
        return Said((), {column: whole}, meaning)
    start, end, is_open = draw(number), draw(number), draw(st.booleans())
    return Said(
        (), {column: Range(start, end, exclude_end=is_open)}, _is_in(column, start, end, exclude_end=is_open)
    )


_COMPARISONS: Final = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)


def _expression(pair: tuple[Any, Condition]) -> Said:
    return Said((pair[0],), {}, pair[1])


@st.composite
def _comparison(draw: st.DrawFn) -> tuple[Any, Condition]:
    how = draw(st.sampled_from(_COMPARISONS))
    left, right = draw(st.sampled_from(["a", "b", "id"])), draw(st.sampled_from(["a", "b", 0, 1, 2]))
    if isinstance(right, str):
        return how(getattr(Item, left), getattr(Item, right)), lambda row: compared(
            row[left], row[right], how
        )
    return how(getattr(Item, left), right), lambda row: compared(row[left], right, how)


def _joined(pairs: st.SearchStrategy[tuple[Any, Condition]]) -> st.SearchStrategy[tuple[Any, Condition]]:
    two = st.tuples(pairs, pairs)
    return st.one_of(
        two.map(lambda p: (and_(p[0][0], p[1][0]), lambda row: both(m(row) for _, m in p))),
        two.map(lambda p: (or_(p[0][0], p[1][0]), lambda row: either(m(row) for _, m in p))),
        pairs.map(lambda p: (not_(p[0]), lambda row: opposite(p[1](row)))),
    )


conditions: Final = st.one_of(
    _keywords(), st.recursive(_comparison(), _joined, max_leaves=3).map(_expression)
)


def _where(said: Said) -> Step:
    return Step(
        f".where({said})", lambda q: q.where(*said.criteria, **said.values), lambda r: r.where(said.meaning)
    )


def _not(said: Said) -> Step:
    def meaning(row: Row) -> bool | None:
        return opposite(said.meaning(row))

    return Step(f".not_({said})", lambda q: q.not_(*said.criteria, **said.values), lambda r: r.where(meaning))


def _or(said: Said) -> Step:
    return Step(
        f".or_({said})", lambda q: q.or_(*said.criteria, **said.values), lambda r: r.or_(said.meaning)
    )


def _or_query(steps: list[Step]) -> Step:
    def refer(reference: Reference) -> Reference:
        return reference.or_(refer_to(Reference((), lambda _: True), steps).said)

    return Step(f".or_(Item{steps})", lambda q: q.or_(applied(SyncQuery(Item), steps)), refer)


def _merge(steps: list[Step]) -> Step:
    return Step(
        f".merge(Item{steps})",
        lambda q: q.merge(applied(Query(Item), steps)),
        lambda r: r.merge(refer_to(Reference((), lambda _: True), steps)),
    )


def _order(columns: list[str]) -> Step:
    return Step(f".order{(*columns,)}", lambda q: q.order(*columns), lambda r: r.order(*columns))


def _reorder(columns: list[str]) -> Step:
    return Step(
        f".reorder{(*columns,)}",
        lambda q: q.reorder(*columns),
        lambda r: replace(r, ordering=()).order(*columns),
    )


def _plain(text: str, apply: Callable[[Any], Any], **changes: Any) -> Step:
    return Step(text, apply, lambda r: replace(r, **changes))


_orders: Final = st.lists(
    st.sampled_from([sign + name for name in COLUMNS for sign in ("", "-")]), max_size=2
)
_narrowing: Final = st.one_of(conditions.map(_where), conditions.map(_not), conditions.map(_or))
_rest: Final = st.one_of(
    _orders.map(_order),
    _orders.map(_reorder),
    st.just(Step(".reverse_order()", lambda q: q.reverse_order(), lambda r: r.reverse_order())),
    st.integers(0, 5).map(lambda n: _plain(f".limit({n})", lambda q: q.limit(n), limit=n)),
    st.integers(0, 5).map(lambda n: _plain(f".offset({n})", lambda q: q.offset(n), offset=n)),
    st.sampled_from(
        [
            _plain(".distinct()", lambda q: q.distinct(), is_distinct=True),
            _plain(".unscoped()", lambda q: q.unscoped(), is_scoped=False),
            _plain(".none()", lambda q: q.none(), is_none=True),
            _plain('.select("a")', lambda q: q.select("a")),
            _plain(".limit(None)", lambda q: q.limit(None), limit=None),
            Step(
                '.scopes("small")',
                lambda q: q.scopes("small"),
                lambda r: r.where(lambda row: compared(row["a"], 1, operator.lt)).order("-b"),
            ),
        ]
    ),
)
_one: Final = st.one_of(_narrowing, _narrowing, _rest)

chains: Final = st.lists(
    st.one_of(
        _one,
        _one,
        st.lists(_one, max_size=3).map(_merge),
        st.lists(_narrowing, max_size=3).map(_or_query),
    ),
    max_size=6,
)


def applied(query: Any, steps: list[Step]) -> Any:
    """Return a query after some steps."""
    for step in steps:
        query = step.apply(query)
    return query


def refer_to(reference: Reference, steps: list[Step]) -> Reference:
    """Return what the steps mean."""
    for step in steps:
        reference = step.refer(reference)
    return reference
