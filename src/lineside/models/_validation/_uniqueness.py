"""A unique index has refused a row: which class and fields is it about?

SQLite names the columns in its message, PostgreSQL names the constraint and the table.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapper
from sqlmodel import SQLModel

from lineside.models._validation._constraints import (
    constraint_of_postgres,
    field_of,
    name_of,
    tables_of,
)

_UNIQUE_VIOLATION: Final = "23505"
_SQLITE_SAYS: Final = "UNIQUE constraint failed: "


def unique_violation(
    error: IntegrityError, *, among: Iterable[type] | None = None
) -> tuple[type, tuple[str, ...]] | None:
    """Find the class and the fields that a unique constraint or index has refused.

    Args:
        error: What SQLAlchemy raised.
        among: The classes that were being written; default: all of SQLModel's. Two registries may have a
            table of the same name.

    Returns:
        The class and its fields in the constraint's order, or None: it is another violation, or the table
        or the constraint belongs to no class.
    """
    mappers: list[Mapper[Any]] = [inspect(model) for model in (_all_models() if among is None else among)]
    tables = {table: mapper for mapper in reversed(mappers) for table in tables_of(mapper)}
    for table, columns in _refused(error, tables):
        mapper = tables[table]
        fields = tuple(field_of(mapper, column) for column in columns)
        if fields and None not in fields:
            return mapper.class_, tuple(field for field in fields if field is not None)
    return None


def _refused(error: IntegrityError, tables: Iterable[Table]) -> Iterator[tuple[Table, tuple[Any, ...]]]:
    """Yield the tables that may be meant, each with the columns of its constraint."""
    text = str(error.orig)
    # At its beginning only: PostgreSQL repeats the value further on, which may be anything.
    said = text.removeprefix(_SQLITE_SAYS) if text.startswith(_SQLITE_SAYS) else None
    place = constraint_of_postgres(error, _UNIQUE_VIOLATION)
    for table in tables:
        for name, columns in _unique_in(table):
            spelled = ", ".join(f"{table.name}.{column.name}" for column in columns)
            if place == (table.name, name) or said in (spelled, f"index '{name}'"):
                yield table, columns


def _unique_in(table: Table) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the names and columns of what is unique in a table; PostgreSQL names what nobody has named."""
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
            yield name_of(table, constraint), tuple(constraint.columns)
    for index in table.indexes:
        if index.unique and index.name:
            # An index on lower(email) is about email.
            yield str(index.name), tuple(index.columns)


def _all_models() -> Iterator[type]:
    waiting = [*SQLModel.__subclasses__()]
    while waiting:
        model = waiting.pop(0)
        if "__mapper__" in vars(model):
            yield model
        waiting += model.__subclasses__()
