"""A difference between models and database, in words."""

from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.sql.schema import ColumnCollectionConstraint, Index


def described(difference: Any) -> str:
    """Say what autogenerate has found, for instance ``"add column post.title"``.

    Args:
        difference: One entry of Alembic's ``as_diffs()``: a tuple, or a list of tuples about one column.
    """
    if isinstance(difference, list):
        return ", ".join(described(one) for one in difference)
    verb, *rest = difference
    return f"{verb.replace('_', ' ')} {_subject(rest)}"


def _subject(rest: list[Any]) -> str:
    first = rest[0]
    if isinstance(first, Table):
        return str(first.fullname)
    if isinstance(first, ColumnCollectionConstraint | Index):
        columns = ", ".join(column.name for column in first.columns)
        return f"{first.name or 'without a name'} on {_table_of(first)}({columns})"
    if not isinstance(first, str | None):
        return str(getattr(first, "name", None) or first)
    # Alembic names a column by its schema, its table and itself.
    column = rest[2].name if isinstance(rest[2], Column) else rest[2]
    return f"{rest[1]}.{column}"


def _table_of(item: ColumnCollectionConstraint | Index) -> str:
    return item.table.name if item.table is not None else ""
