"""A foreign key has refused a row: which record and fields are about it?

PostgreSQL names the constraint. SQLite names nothing, but can still be asked which of the keys points
nowhere: it has undone one statement only.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, ForeignKeyConstraint, Table, literal, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError

from lineside.models._association._n_plus_one import allow_n_plus_one
from lineside.models._lifecycle._state import changes_of, instance_state
from lineside.models._validation._constraints import (
    constraint_of_postgres,
    driver_error,
    field_of,
    name_of,
    names_values,
    tables_of,
)
from lineside.models._validation._errors import BASE
from lineside.models._validation._limits import Problem

MISSING: Final[Problem] = ("required", "must exist")
_FOREIGN_KEY_VIOLATION: Final = "23503"


class Reference(NamedTuple):
    """A foreign key that a record has been given, with its columns' attributes and values."""

    record: Any
    constraint: ForeignKeyConstraint
    fields: tuple[str, ...]
    values: tuple[Any, ...]


def missing_reference(
    context: ExceptionContext, error: IntegrityError, records: Sequence[Any]
) -> tuple[Any, tuple[str, ...]] | None:
    """Find the record and the fields that a foreign key has refused.

    Args:
        context: What SQLAlchemy knows of the failure.
        error: What it is going to raise.
        records: The records that were being written.

    Returns:
        The record and its fields, or None: it is another violation, or no record was to blame. Where the
        key is no attribute of the record, `BASE` stands for it.
    """
    table, is_insert = _written_table(context)
    if table is None or context.connection is None:
        return None
    named = constraint_of_postgres(error, _FOREIGN_KEY_VIOLATION)
    if named is None and not _is_of_sqlite(error):
        return None
    writers = [record for record in records if table in tables_of(instance_state(record).mapper)]
    references = list(_references(writers, table))
    if named is None:
        refused = [each for each in references if not _exists(context.connection, each)]
    else:
        refused = [each for each in references if named == (table.name, name_of(table, each.constraint))]
        refused.sort(key=lambda each: not names_values(error, each.values))
    if refused:
        return refused[0].record, refused[0].fields
    return (writers[0], (BASE,)) if is_insert and writers else None


def _written_table(context: ExceptionContext) -> tuple[Table | None, bool]:
    """Return the table that an INSERT or UPDATE was to write, and whether it is an INSERT."""
    compiled: Any = getattr(context.execution_context, "compiled", None)
    if compiled is None or not (compiled.isinsert or compiled.isupdate):
        return None, False
    return compiled.statement.table, compiled.isinsert


def _is_of_sqlite(error: IntegrityError) -> bool:
    return getattr(driver_error(error), "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY


def _references(records: Iterable[Any], table: Table) -> Iterator[Reference]:
    """Yield the foreign keys in a table that the records change, with a value in every column."""
    for record in records:
        state, changes = instance_state(record), changes_of(record)
        for constraint in table.foreign_key_constraints:
            fields = tuple(name for column in constraint.columns if (name := field_of(state.mapper, column)))
            values = tuple(state.dict.get(field) for field in fields)
            is_whole = len(fields) == len(constraint.columns) and None not in values
            if is_whole and not changes.keys().isdisjoint(fields):
                yield Reference(record, constraint, fields, values)


def _exists(connection: Connection, reference: Reference) -> bool:
    elements = reference.constraint.elements
    is_target = (element.column == value for element, value in zip(elements, reference.values, strict=True))
    question = select(literal(1)).select_from(reference.constraint.referred_table).where(*is_target).limit(1)
    with allow_n_plus_one():
        return connection.execute(question).first() is not None
