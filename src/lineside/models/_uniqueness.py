"""A unique index has refused a row: which class and fields is it about?

SQLite names the columns in its message, PostgreSQL names the constraint and the table.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Constraint, PrimaryKeyConstraint, Table, UniqueConstraint, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlmodel import SQLModel

_UNIQUE_VIOLATION: Final = "23505"
_SQLITE_COLUMNS: Final = re.compile(r"UNIQUE constraint failed: ([^'].*)$")
_SQLITE_INDEX: Final = re.compile(r"UNIQUE constraint failed: index '(.+)'$")
_MAX_NAME_CHARS: Final = 63


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
    tables = {table: mapper for mapper in reversed(mappers) for table in _tables(mapper)}
    for table, columns in _refused(error, tables):
        mapper = tables[table]
        fields = tuple(_field(mapper, column) for column in columns)
        if fields and None not in fields:
            return mapper.class_, tuple(field for field in fields if field is not None)
    return None


def _refused(error: IntegrityError, tables: Iterable[Table]) -> Iterator[tuple[Table, tuple[Any, ...]]]:
    """Yield the tables that may be meant, each with the columns of its constraint."""
    text = str(error.orig)
    if match := _SQLITE_COLUMNS.search(text):
        places = [place.partition(".") for place in match[1].split(", ")]
        names = [column for _, _, column in places]
        for table in tables:
            if table.name == places[0][0] and all(name in table.columns for name in names):
                yield table, tuple(table.columns[name] for name in names)
        return
    found = _SQLITE_INDEX.search(text)
    name, table_name = (found[1], None) if found else _constraint_of_postgres(error)
    for table in tables if name else ():
        if table_name in (None, table.name):
            for known, columns in _unique_in(table):
                if known == name:
                    yield table, columns


def _constraint_of_postgres(error: IntegrityError) -> tuple[str | None, str | None]:
    """Read what the server said of the constraint: from asyncpg, or from psycopg."""
    driver: Any = getattr(error.orig, "__cause__", None) or error.orig
    if getattr(driver, "sqlstate", None) != _UNIQUE_VIOLATION:
        return None, None
    said: Any = getattr(driver, "diag", driver)
    return said.constraint_name, said.table_name


def _unique_in(table: Table) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the names and columns of what is unique in a table; PostgreSQL names what nobody has named."""
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
            yield _name(table, constraint), tuple(constraint.columns)
    for index in table.indexes:
        if index.unique and index.name:
            # An index on lower(email) is about email.
            yield str(index.name), tuple(index.columns)


def _name(table: Table, constraint: Constraint) -> str:
    if isinstance(constraint.name, str):
        return constraint.name
    if isinstance(constraint, UniqueConstraint):
        return _generated(table.name, "_".join(column.name for column in constraint.columns), "key")
    return _generated(table.name, "", "pkey")


def _generated(table: str, columns: str, label: str) -> str:
    """Name a constraint as PostgreSQL does: what is too long loses characters, the longer part first."""
    available = _MAX_NAME_CHARS - len(label) - (2 if columns else 1)
    while len(table) + len(columns) > available:
        if len(table) > len(columns):
            table = table[:-1]
        else:
            columns = columns[:-1]
    return "_".join(part for part in (table, columns, label) if part)


def _tables(mapper: Mapper[Any]) -> Iterable[Table]:
    return [table for table in mapper.tables if isinstance(table, Table)]


def _field(mapper: Mapper[Any], column: Any) -> str | None:
    try:
        return mapper.get_property_by_column(column).key
    except UnmappedColumnError:
        return None


def _all_models() -> Iterator[type]:
    waiting = [*SQLModel.__subclasses__()]
    while waiting:
        model = waiting.pop(0)
        if "__mapper__" in vars(model):
            yield model
        waiting += model.__subclasses__()
