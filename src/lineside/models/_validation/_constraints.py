"""The constraints of a table, as PostgreSQL names them in its errors."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Constraint, ForeignKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.exc import UnmappedColumnError

_MAX_NAME_CHARS: Final = 63


def constraint_of_postgres(error: IntegrityError, sqlstate: str) -> tuple[str, str] | None:
    """Read the table and the constraint of which the server speaks: from asyncpg, or from psycopg.

    Args:
        error: What SQLAlchemy raised.
        sqlstate: The kind of violation that is looked for.

    Returns:
        The names of the two, or None: it is another violation, or another database.
    """
    driver = driver_error(error)
    if getattr(driver, "sqlstate", None) != sqlstate:
        return None
    said: Any = getattr(driver, "diag", driver)
    return said.table_name, said.constraint_name


def driver_error(error: IntegrityError) -> Any:
    """Return the error of the driver itself: SQLAlchemy wraps that of asyncpg twice."""
    return getattr(error.orig, "__cause__", None) or error.orig


def names_values(error: IntegrityError, values: Iterable[Any]) -> bool:
    """Tell whether PostgreSQL says that it is about these values; other databases never do."""
    driver = driver_error(error)
    said: Any = getattr(getattr(driver, "diag", None), "message_detail", None) or getattr(
        driver, "detail", None
    )
    return f"=({', '.join(map(str, values))})" in (said or "")


def name_of(table: Table, constraint: Constraint) -> str:
    """Return the name of a constraint; PostgreSQL names what nobody has named."""
    if isinstance(constraint.name, str):
        return constraint.name
    if isinstance(constraint, UniqueConstraint | ForeignKeyConstraint):
        label = "key" if isinstance(constraint, UniqueConstraint) else "fkey"
        return _generated(table.name, "_".join(column.name for column in constraint.columns), label)
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


def tables_of(mapper: Mapper[Any]) -> Iterable[Table]:
    """Return the tables of a class."""
    return [table for table in mapper.tables if isinstance(table, Table)]


def field_of(mapper: Mapper[Any], column: Any) -> str | None:
    """Return the attribute of a column, or None: it has none."""
    try:
        return mapper.get_property_by_column(column).key
    except UnmappedColumnError:
        return None
