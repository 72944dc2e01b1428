"""The validation of one record, in SQLAlchemy's sync world.

First the types: what pydantic says of each field, and what its column can hold. Then, of the values that
passed, the declared rules; then, if all passed, the methods and validators that look at the whole record.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy.orm import Session

from lineside.models._lifecycle._chain import settled
from lineside.models._lifecycle._loaded import NOT_LOADED, loaded_value
from lineside.models._validation._errors import Error, Errors, On, errors_of
from lineside.models._validation._limits import Problem
from lineside.models._validation._normalizes import apply_normalizers
from lineside.models._validation._rules import Declarations, Rule, SupportsValidate
from lineside.models._validation._typecheck import Types
from lineside.models._validation._unique_validator import TAKEN, Uniqueness
from lineside.models._validation._validators import Subject

__all__ = ["add_taken", "add_to_each", "errors_of", "validate"]


def validate(record: Any, session: Session, *, on: On) -> bool:
    """Validate a record: clear its errors, and fill them again.

    Values are put into the types of their fields and into their normal form. Nothing is loaded for it:
    what is not in memory is as the database has it.

    Args:
        record: The record.
        session: The session that is going to write it; uniqueness asks it.
        on: Whether the record is new or changed.

    Returns:
        Whether it is valid.

    Raises:
        CallbackError: A method marked with ``@validate`` is async, and the session is not.
    """
    errors = errors_of(record)
    errors.clear()
    # A query must not write the record that it is about.
    with session.no_autoflush:
        wrong = _typed(record, session, on)
        _check(record, session, on, wrong, errors)
    return not errors


def add_taken(record: object, fields: Collection[str]) -> None:
    """Turn a refusal of the database into the error of the ``uniqueness`` that it breaks.

    Args:
        record: The record that was refused.
        fields: The fields of the constraint, from `unique_violation`. Each of them gets the error where
            the class declares no uniqueness of all of them.
    """
    for rule in Declarations.of(type(record)).rules:
        for check in rule.checks:
            for field in rule.fields:
                if isinstance(check, Uniqueness) and {field, *check.scope} == set(fields):
                    kind, message = TAKEN
                    add_to_each(record, [field], (kind, rule.message or message))
                    return
    add_to_each(record, fields, TAKEN)


def add_to_each(record: object, fields: Iterable[str], problem: Problem) -> None:
    """Add the same error to several fields."""
    kind, message = problem
    for field in fields:
        errors_of(record).add(field, message, type=kind)


def _typed(record: Any, session: Session, on: On) -> list[Error]:
    types = Types.of(type(record))
    apply_normalizers(record)
    changed, wrong = types.check(record, session, on)
    if changed and apply_normalizers(record, changed):
        # A normal form is a value as any other.
        _, wrong = types.check(record, session, on)
    return wrong


def _check(record: Any, session: Session, on: On, wrong: list[Error], errors: Errors) -> None:
    declarations = Declarations.of(type(record))
    rules = [rule for rule in declarations.rules if rule.when.applies_to(record, on, is_typed=not wrong)]
    demanded = {field for rule in rules if rule.demands_presence for field in rule.fields}
    worded = [error for error in wrong if not (error.field in demanded and error.input is None)]
    for error in worded:
        errors.append(error)
    broken = frozenset(error.field for error in worded)
    for rule in rules:
        for field in rule.fields:
            if field not in broken:
                _apply(rule, record, session, field, broken, errors)
    if wrong:
        return
    for error in Types.of(type(record)).shadow.check_whole(record):
        errors.append(error)
    _check_as_a_whole(record, on, declarations, errors)


def _apply(
    rule: Rule, record: Any, session: Session, field: str, broken: frozenset[str], errors: Errors
) -> None:
    value = loaded_value(record, field)
    if value is NOT_LOADED or rule.allows(value):
        return
    subject = Subject(record, field, value, session, broken)
    for check in rule.checks:
        if isinstance(check, Uniqueness) and field in errors:
            continue  # the database is asked about good values only
        for kind, message in check(subject):
            errors.append(Error(field, rule.message or message, kind, value))


def _check_as_a_whole(record: Any, on: On, declarations: Declarations, errors: Errors) -> None:
    for validator, when in declarations.validators:
        if when.applies_to(record, on, is_typed=True):
            call = validator.validate if isinstance(validator, SupportsValidate) else validator
            settled(call(record, errors), f"the validator {validator!r} of {type(record).__name__}")
    for name, when in declarations.methods:
        if when.applies_to(record, on, is_typed=True):
            settled(getattr(record, name)(), f"{type(record).__name__}.{name} (validate)")
