"""Any chain of methods finds what SQL's logic says it finds, on both databases."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from lineside.exceptions import RecordNotFound
from lineside.models import Database, SyncQuery, use_session
from tests.models.chains import Base, Item, Step, applied, chains, refer_to, tables
from tests.models.reference import Reference, Row, compared, opposite

EXAMPLES = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder: Path = tmp_path_factory.mktemp("property")
    url = (
        f"sqlite:///{folder / 'a.sqlite3'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    engine = Database(url, n_plus_one="off").sync_engine
    Base.metadata.create_all(engine)
    with Session(engine) as session, use_session(session):
        yield session
    Base.metadata.drop_all(engine)
    engine.dispose()


def both_of(session: Session, table: tuple[Row, ...], steps: list[Step]) -> tuple[SyncQuery[Item], Reference]:
    """Return a query over a table, and what it means; sorted in full where the order matters."""
    session.rollback()
    session.execute(delete(Item))
    if table:
        session.execute(insert(Item), list(table))
    query: SyncQuery[Item] = applied(SyncQuery(Item), steps)
    reference = refer_to(
        Reference(table, lambda row: opposite(compared(row["flag"], True, bool.__eq__))), steps
    )
    if reference.is_cut or reference.ordering:
        return query.order("id"), reference.order("id")
    return query, reference


def keys(records: list[Item]) -> list[int]:
    return [record.id for record in records]


@EXAMPLES
@given(table=tables, steps=chains)
def test_records(session: Session, table: tuple[Row, ...], steps: list[Step]) -> None:
    query, reference = both_of(session, table, steps)
    rows = [row["id"] for row in reference.rows()]
    found = keys(query.all())
    assert found == rows if reference.ordering else Counter(found) == Counter(rows)
    assert Counter(query.ids()) == Counter(rows)
    assert query.count() == len(rows)
    assert query.exists() is bool(rows)
    assert keys(query.first(3)) == rows[:3]
    assert keys(query.last(3)) == rows[-3:]
    first, last = query.first(), query.last()
    assert (first and first.id, last and last.id) == (rows[0] if rows else None, rows[-1] if rows else None)
    assert len(query.take(2)) == min(2, len(rows))
    if not query.state.columns:  # with them, it stands for their values
        assert Counter(keys(SyncQuery(Item).unscoped().where(id=query).all())) == Counter(rows)


@EXAMPLES
@given(table=tables, steps=chains, column=st.sampled_from(["a", "b"]))
def test_values(session: Session, table: tuple[Row, ...], steps: list[Step], column: str) -> None:
    query, reference = both_of(session, table, steps)
    if reference.is_distinct:
        query, reference = query.reorder(column), replace(reference, ordering=((column, False),))
    values = reference.values(column)
    numbers = [value for value in values if value is not None]
    plucked = query.pluck(column)
    assert plucked == values if reference.ordering else Counter(plucked) == Counter(values)
    assert query.count(column) == len(numbers)
    assert query.sum(column) == sum(numbers)
    assert query.minimum(column) == min(numbers, default=None)
    assert query.maximum(column) == max(numbers, default=None)
    mean = query.average(column)
    assert mean == (pytest.approx(sum(numbers) / len(numbers)) if numbers else None)
    if reference.ordering:
        assert query.pick(column) == (values[0] if values else None)


@EXAMPLES
@given(table=tables, steps=chains, size=st.integers(1, 4))
def test_walks(session: Session, table: tuple[Row, ...], steps: list[Step], size: int) -> None:
    query, reference = both_of(session, table, steps)
    by_key = replace(reference, ordering=(("id", False),))
    batches = [keys(batch) for batch in query.offset(None).reorder().in_batches(size)]
    assert [*chain.from_iterable(batches)] == [row["id"] for row in replace(by_key, offset=None).rows()]
    assert all(len(batch) == size for batch in batches[:-1])
    whole, reference = query.limit(None).offset(None).order("id"), replace(reference, limit=None, offset=None)
    rows = [row["id"] for row in reference.order("id").rows()]
    assert walked(whole, size) == rows
    pages = [whole.page(number, size) for number in range(1, len(rows) // size + 2)]
    assert [*chain.from_iterable(keys(page.items) for page in pages)] == rows
    assert {page.total for page in pages} == {len(rows)}


@EXAMPLES
@given(table=tables, steps=chains, key=st.integers(0, 9))
def test_one_record_and_groups(session: Session, table: tuple[Row, ...], steps: list[Step], key: int) -> None:
    query, reference = both_of(session, table, steps)
    plain = query.limit(None).offset(None).reorder()
    rows = replace(reference, limit=None, offset=None, ordering=()).rows()
    is_there = any(row["id"] == key for row in rows)
    assert (plain.find_by(id=key) is not None) is is_there
    try:
        assert plain.find(key).id == key
        assert is_there
    except RecordNotFound:
        assert not is_there
    if not reference.is_distinct:
        assert plain.group("a", "flag").count() == Counter((row["a"], row["flag"]) for row in rows)


def walked(query: SyncQuery[Any], size: int) -> list[int]:
    found, cursor = [], None
    while True:
        page = query.keyset(cursor, size)
        found += keys(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == size
