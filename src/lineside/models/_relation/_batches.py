"""All records in parts: each part begins behind the last key of the one before."""

from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from lineside.models._relation._builder import Builder
from lineside.models._relation._statements import one_of
from lineside.models._relation._terminals import every


class Place(NamedTuple):
    """Where the next batch begins.

    Attributes:
        query: The query, sorted by primary key.
        size: How many records a batch has.
        after: The key of the last record so far.
        left: How many records the query's own limit leaves; None: all.
    """

    query: Builder[Any]
    size: int
    after: tuple[Any, ...] | None
    left: int | None


def start_of_batches(query: Builder[Any], size: int) -> Place:
    """Return where the first batch begins.

    Raises:
        ValueError: The size is not positive, or the query has an order or offset, which batches cannot keep.
    """
    if size < 1:
        raise ValueError(f"a batch has at least one record, not {size}")
    state = query.scoped().state
    if query.ordering or state.offset is not None:
        raise ValueError("batches go by primary key: leave order() and offset() out")
    by_key = query.reorder(*(key.asc() for key in query.key_columns()))
    return Place(by_key, size, None, state.limit)


def next_batch(session: Session, place: Place) -> tuple[list[Any], Place | None]:
    """Load a batch, and say where the next one begins; None at the end."""
    size = place.size if place.left is None else min(place.size, place.left)
    keys = place.query.key_columns()
    query = place.query.limit(size)
    if place.after is not None:
        query = query.where(one_of(keys) > (place.after if len(keys) > 1 else place.after[0]))
    found = every(session, query)
    left = None if place.left is None else place.left - len(found)
    if len(found) < size or left == 0:
        return found, None
    last = tuple(getattr(found[-1], key.key) for key in keys)
    return found, place._replace(after=last, left=left)
