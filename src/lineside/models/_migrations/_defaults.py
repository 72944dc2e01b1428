"""Rows that exist need a value for a new column: the default that the model has in Python."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from alembic.operations import ops
from sqlalchemy import Column, DefaultClause, MetaData
from sqlalchemy.dialects import sqlite

# A quoted text is read by each database as its column's type: '0' is false, in PostgreSQL too.
_DIALECT: Final = sqlite.dialect()


def fill_rows(script: ops.MigrationScript) -> None:
    """Give the rows that exist the model's default, and then let the column forget it (as Django does).

    A column that may not be NULL could not be added to a table with rows. The default is no part of the
    model's table, so it goes again in the same migration.

    Args:
        script: What autogenerate has found, already in both directions; changed in place.
    """
    for upgrade in script.upgrade_ops_list:
        upgrade.ops = list(_filled(upgrade.ops))


def _filled(operations: Sequence[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    for operation in operations:
        yield operation
        if isinstance(operation, ops.ModifyTableOps):
            forget = [
                _forget_default(one)
                for one in operation.ops
                if isinstance(one, ops.AddColumnOp) and _add_default(one)
            ]
            # In a batch of its own: SQLite copies the table, and one copy cannot have both.
            if forget:
                yield ops.ModifyTableOps(operation.table_name, forget, schema=operation.schema)


def _add_default(operation: ops.AddColumnOp) -> bool:
    column = operation.column
    if column.nullable or column.server_default is not None or (text := _text(column)) is None:
        return False
    # The copy belongs to the file; the model's own column has no such default.
    operation.column = column.table.to_metadata(MetaData()).columns[column.name]
    operation.column.server_default = DefaultClause(text)
    return True


def _forget_default(operation: ops.AddColumnOp) -> ops.MigrateOperation:
    return ops.AlterColumnOp(
        operation.table_name,
        operation.column.name,
        schema=operation.schema,
        existing_type=operation.column.type,
        existing_nullable=False,
        modify_server_default=None,
    )


def _text(column: Column[Any]) -> str | None:
    """Return the default as a text that every database reads alike; None when the developer has to choose."""
    value = _value(column.default)
    # Without its zone, as SQLite keeps it, PostgreSQL would take it for a time of the session's zone.
    if value is None or isinstance(value, datetime):
        return None
    process = column.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    bound = process(value) if process is not None else value
    if isinstance(bound, bool):
        return str(int(bound))
    return str(bound) if isinstance(bound, str | int | float | Decimal) else None


def _value(default: Any) -> Any:
    if default is None or not default.is_callable:
        return getattr(default, "arg", None) if getattr(default, "is_scalar", False) else None
    # Any other function may give another value for each row, a token for instance.
    factory = getattr(default.arg, "__wrapped__", None)
    return factory() if factory in (dict, list) else None
