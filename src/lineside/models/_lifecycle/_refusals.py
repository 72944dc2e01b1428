"""A constraint has refused a row of a flush: the error that says so of the record's fields."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, literal, not_, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError

from lineside.models._association._n_plus_one import allow_n_plus_one
from lineside.models._exceptions import InvalidForeignKey, RecordNotUnique
from lineside.models._lifecycle._state import instance_state
from lineside.models._lifecycle._unit import Unit
from lineside.models._validation._constraints import field_of, names_values
from lineside.models._validation._errors import errors_of
from lineside.models._validation._foreign_keys import MISSING, missing_reference
from lineside.models._validation._uniqueness import unique_violation
from lineside.models._validation._validations import add_taken, add_to_each


def refusal(unit: Unit, context: ExceptionContext) -> Exception | None:
    """Return the error to raise in the place of the driver's, or None: it stays what it is.

    A row that cannot be deleted is not meant: nothing is wrong with its fields.

    Args:
        unit: The records that are being written.
        context: What SQLAlchemy knows of the failure.
    """
    error = context.sqlalchemy_exception
    if not isinstance(error, IntegrityError):
        return None
    flights = unit.flights.values()
    records = [each.record for each in flights if each.is_ready and each.action != "destroy"]
    return _not_unique(context, error, records) or _without_target(context, error, records)


def _not_unique(
    context: ExceptionContext, error: IntegrityError, records: Sequence[Any]
) -> RecordNotUnique | None:
    found = {model: unique_violation(error, among=[model]) for model in {type(each) for each in records}}
    refused = [(record, each[1]) for record in records if (each := found[type(record)])]
    if not refused:
        return None
    # Of two that are new and equal, the later one is too many.
    is_meant = (each for each in reversed(refused) if len(refused) == 1 or _is_taken(context, error, *each))
    record, fields = next(is_meant, refused[-1])
    add_taken(record, fields)
    return RecordNotUnique(type(record).__name__, errors_of(record), record=record, cause=error)


def _is_taken(context: ExceptionContext, error: IntegrityError, record: Any, fields: tuple[str, ...]) -> bool:
    """Tell whether a row of another record has these values: PostgreSQL names them, SQLite is asked."""
    state = instance_state(record)
    values = {field: state.dict.get(field) for field in fields}
    if context.dialect.name != "sqlite" or context.connection is None:
        return names_values(error, values.values())
    columns = state.mapper.columns
    criteria = [columns[field] == value for field, value in values.items()]
    own = [
        column == state.dict.get(field_of(state.mapper, column) or "") for column in state.mapper.primary_key
    ]
    question = (
        select(literal(1)).select_from(state.mapper.persist_selectable).where(*criteria, not_(and_(*own)))
    )
    with allow_n_plus_one():
        return context.connection.execute(question.limit(1)).first() is not None


def _without_target(
    context: ExceptionContext, error: IntegrityError, records: Sequence[Any]
) -> InvalidForeignKey | None:
    found = missing_reference(context, error, records)
    if found is None:
        return None
    record, fields = found
    add_to_each(record, fields, MISSING)
    return InvalidForeignKey(type(record).__name__, errors_of(record), record=record, cause=error)
