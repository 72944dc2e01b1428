"""Enums are types of their own in PostgreSQL, which Alembic does not create and drop with their columns."""

from collections.abc import Iterator, Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import Column, Enum, MetaData, String
from sqlalchemy.dialects import postgresql

_Place = tuple[str, str]
"""A table and a column."""


class CreateEnumOp(ops.MigrateOperation):
    """Create the type of an enum, where the database has such types.

    Args:
        enum: The type.
    """

    def __init__(self, enum: Enum) -> None:
        self.enum = enum

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Say what it does, as Alembic's own operations do."""
        return ("add_enum", self.enum)


class DropEnumOp(ops.MigrateOperation):
    """Drop the type of an enum, where the database has such types.

    Args:
        enum: The type.
    """

    def __init__(self, enum: Enum) -> None:
        self.enum = enum


def handle_enums(script: ops.MigrationScript, metadata: Sequence[MetaData]) -> None:
    """Let a new migration create, share and drop the types of its enums.

    Args:
        script: What autogenerate has found, already in both directions; changed in place.
        metadata: The tables of the models.
    """
    for upgrade, downgrade in zip(script.upgrade_ops_list, script.downgrade_ops_list, strict=True):
        with_table = dict(_columns_of_new_tables(upgrade.ops))
        alone = dict(_added_columns(upgrade.ops))
        kept = _names(_all_columns(metadata), without={*with_table, *alone})
        for column in with_table.values():
            _share(column, kept)
        created = {
            enum.name: enum for enum in map(_enum, with_table.values()) if enum and enum.name not in kept
        }
        added = {enum.name: enum for enum in map(_enum, alone.values()) if enum and enum.name not in kept}
        upgrade.ops[:0] = [CreateEnumOp(enum) for name, enum in added.items() if name not in created]
        downgrade.ops += [DropEnumOp(enum) for enum in {**added, **created}.values()]


def _share(column: Column[Any], kept: set[str | None]) -> None:
    """Use a type that exists already: creating the table would create it a second time."""
    enum = _enum(column)
    if enum is not None and enum.name in kept:
        existing = postgresql.ENUM(*enum.enums, name=str(enum.name), create_type=False)
        # Not a variant of the enum: a copy of an enum loses its variants.
        column.type = String(enum.length).with_variant(existing, "postgresql")


def _columns_of_new_tables(operations: Sequence[Any]) -> Iterator[tuple[_Place, Column[Any]]]:
    for operation in operations:
        if isinstance(operation, ops.CreateTableOp):
            for item in operation.columns:
                if isinstance(item, Column):
                    yield (operation.table_name, item.name), item


def _added_columns(operations: Sequence[Any]) -> Iterator[tuple[_Place, Column[Any]]]:
    for operation in operations:
        if isinstance(operation, ops.AddColumnOp):
            yield (operation.table_name, operation.column.name), operation.column
        elif isinstance(operation, ops.OpContainer):
            yield from _added_columns(operation.ops)


def _all_columns(metadata: Sequence[MetaData]) -> Iterator[tuple[_Place, Column[Any]]]:
    for one in metadata:
        for table in one.tables.values():
            yield from (((table.name, column.name), column) for column in table.columns)


def _names(columns: Iterator[tuple[_Place, Column[Any]]], *, without: set[_Place]) -> set[str | None]:
    found = (_enum(column) for place, column in columns if place not in without)
    return {enum.name for enum in found if enum is not None}


def _enum(column: Column[Any]) -> Enum | None:
    kind = column.type
    return kind if isinstance(kind, Enum) and kind.native_enum and kind.name else None


@renderers.dispatch_for(CreateEnumOp)
def _render_create(_context: AutogenContext, operation: CreateEnumOp) -> str:
    return f"{_rendered(operation.enum)}.create(op.get_bind(), checkfirst=True)"


@renderers.dispatch_for(DropEnumOp)
def _render_drop(_context: AutogenContext, operation: DropEnumOp) -> str:
    return f"{_rendered(operation.enum)}.drop(op.get_bind(), checkfirst=True)"


def _rendered(enum: Enum) -> str:
    schema = f", schema={enum.schema!r}" if enum.schema else ""
    return f"sa.Enum({', '.join(map(repr, enum.enums))}, name={enum.name!r}{schema})"
