"""Names for constraints: what has no name in SQLite cannot be dropped again."""

from collections.abc import Sequence
from typing import Any

from alembic.operations import ops
from sqlalchemy import MetaData
from sqlalchemy.sql.elements import conv

from lineside.models._migrations._convention import NAMING_CONVENTION


def name_constraints(script: ops.MigrationScript) -> None:
    """Give the constraints of a new migration their names, in both directions.

    The names stand in the file, and the models stay untouched: an app whose tables exist already has
    no difference to its database because of them.

    Args:
        script: What autogenerate has found; changed in place.
    """
    for upgrade, downgrade in zip(script.upgrade_ops_list, script.downgrade_ops_list, strict=True):
        upgrade.ops = _named(upgrade.ops)
        upgrade.reverse_into(downgrade)


def _named(operations: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    return [_named_operation(operation) for operation in operations]


def _named_operation(operation: ops.MigrateOperation) -> ops.MigrateOperation:
    if isinstance(operation, ops.CreateTableOp):
        metadata = MetaData(naming_convention=NAMING_CONVENTION)
        return ops.CreateTableOp.from_table(operation.to_table().to_metadata(metadata))
    if isinstance(operation, ops.OpContainer):
        operation.ops = _named(operation.ops)
    elif isinstance(operation, ops.CreateUniqueConstraintOp) and not operation.constraint_name:
        operation.constraint_name = _name("uq", operation.table_name, operation.columns)
    elif isinstance(operation, ops.CreateForeignKeyOp) and not operation.constraint_name:
        operation.constraint_name = _name("fk", operation.source_table, operation.local_cols)
    return operation


def _name(kind: str, table: str, columns: Sequence[Any]) -> str:
    return conv(NAMING_CONVENTION[kind] % {"table_name": table, "column_0_N_name": "_".join(columns)})
