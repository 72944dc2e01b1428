"""What a query must find, worked out in Python: SQL's logic of three values, one row at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

Row = dict[str, Any]
Truth = bool | None
Condition = Callable[[Row], Truth]


def both(truths: Iterable[Truth]) -> Truth:
    """Return SQL's AND."""
    seen = {*truths}
    return False if False in seen else (None if None in seen else True)


def either(truths: Iterable[Truth]) -> Truth:
    """Return SQL's OR."""
    seen = {*truths}
    return True if True in seen else (None if None in seen else False)


def opposite(truth: Truth) -> Truth:
    """Return SQL's NOT."""
    return None if truth is None else not truth


def compared(left: Any, right: Any, how: Callable[[Any, Any], bool]) -> Truth:
    """Compare two values; with NULL, the answer is NULL."""
    return None if left is None or right is None else how(left, right)


def place(value: Any) -> tuple[bool, Any]:
    """Return what to sort a value by: NULL is the greatest."""
    return (value is None, 0 if value is None else value)


@dataclass(frozen=True)
class Reference:
    """The rows of a table, and what a query says about them.

    Attributes:
        table: All rows.
        default: The condition of the default scope.
        conditions: Those of the query.
        ordering: Columns, and whether they are descending.
        limit: How many rows at most.
        offset: How many are left out before.
        is_none: Whether nothing is to be found.
        is_scoped: Whether the default scope counts.
        is_distinct: Whether values are to be different ones.
    """

    table: tuple[Row, ...]
    default: Condition
    conditions: tuple[Condition, ...] = ()
    ordering: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None
    offset: int | None = None
    is_none: bool = False
    is_scoped: bool = True
    is_distinct: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether only a part is meant."""
        return self.limit is not None or self.offset is not None

    def said(self, row: Row) -> Truth:
        """Return whether a row is what the conditions ask for."""
        return False if self.is_none else both(condition(row) for condition in self.conditions)

    def where(self, condition: Condition) -> "Reference":
        """Add a condition."""
        return replace(self, conditions=(*self.conditions, condition))

    def or_(self, condition: Condition) -> "Reference":
        """Find this instead, too."""
        if self.is_none:
            return replace(self, is_none=False, conditions=(condition,))
        if not self.conditions:
            return self
        so_far = self.conditions
        return replace(self, conditions=(lambda row: either((both(c(row) for c in so_far), condition(row))),))

    def order(self, *columns: str) -> "Reference":
        """Sort, after what is sorted by already."""
        added = tuple((column.removeprefix("-"), column.startswith("-")) for column in columns)
        return replace(self, ordering=(*self.ordering, *added))

    def reverse_order(self) -> "Reference":
        """Turn the order round."""
        ordering = self.ordering or (("id", False),)
        return replace(self, ordering=tuple((column, not down) for column, down in ordering))

    def merge(self, other: "Reference") -> "Reference":
        """Add what another says."""
        return replace(
            self,
            conditions=(*self.conditions, *other.conditions),
            ordering=(*self.ordering, *other.ordering),
            limit=self.limit if other.limit is None else other.limit,
            offset=self.offset if other.offset is None else other.offset,
            is_none=self.is_none or other.is_none,
            is_scoped=self.is_scoped and other.is_scoped,
            is_distinct=self.is_distinct or other.is_distinct,
        )

    def rows(self) -> list[Row]:
        """Return what is found, in its order; without one, in that of the key."""
        found = [row for row in self.table if self.said(row) is True]
        if self.is_scoped:
            found = [row for row in found if self.default(row) is True]
        for column, down in reversed(self.ordering):
            found.sort(key=lambda row: place(row[column]), reverse=down)
        return self.cut(found)

    def values(self, column: str) -> list[Any]:
        """Return a column of the rows; of a distinct query, each value once."""
        if not self.is_distinct:
            return [row[column] for row in self.rows()]
        every = replace(self, limit=None, offset=None).rows()
        return self.cut(list(dict.fromkeys(row[column] for row in every)))

    def cut(self, found: list[Any]) -> list[Any]:
        """Return the part that is meant."""
        return found[self.offset or 0 :][: self.limit]
