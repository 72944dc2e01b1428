"""What callers give to a bulk statement, as rows that a table takes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic_core import PydanticUndefined
from sqlalchemy import inspect
from sqlmodel import SQLModel

from lineside.exceptions import RecordInvalid
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._lifecycle._timestamps import now
from lineside.models._relation._columns import mapper_of
from lineside.models._validation._errors import Errors
from lineside.models._validation._normalizes import normalize_value_for
from lineside.models._validation._typecheck import Types

Row = dict[str, Any]
"""Attribute to value; every row of a statement has the same attributes."""


def prepared(model: type[SQLModel], rows: Iterable[Mapping[str, Any]]) -> tuple[list[Row], set[str]]:
    """Return rows with what the class fills in, in their columns' types, and the names that were given.

    Raises:
        UnknownAttributeError: A name is no column.
        RecordInvalid: A value is not of its column's type.
    """
    given = [dict(row) for row in rows]
    named = {name for row in given for name in row}
    known = mapper_of(model).column_attrs.keys()
    if unknown := named - set(known):
        raise UnknownAttributeError(model.__name__, min(unknown), known=known)
    moment = now()
    return [{**_filled_in(model, row, named, moment), **_typed(model, row)} for row in given], named


def _typed(model: type[SQLModel], row: Row) -> Row:
    values = {name: normalize_value_for(model, name, value) for name, value in row.items()}
    typed, wrong = Types.of(model).shadow.check(values)
    if not wrong:
        return typed
    errors = Errors()
    for error in wrong:
        errors.append(error)
    raise RecordInvalid(model.__name__, errors)


def _filled_in(model: type[SQLModel], row: Row, named: set[str], moment: datetime) -> Row:
    columns = inspect(model).column_attrs.keys()
    filled: Row = {name: moment for name in ("created_at", "updated_at") if name in columns}
    for name, field in model.model_fields.items():
        if name in columns and name not in row and name not in filled:
            value = field.get_default(call_default_factory=True)
            is_set = value is not None and value is not PydanticUndefined
            # What nobody names and the class does not fill in is left to the database.
            if is_set or name in named:
                filled[name] = value if is_set else None
    return filled
