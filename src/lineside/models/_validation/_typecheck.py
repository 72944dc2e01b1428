"""The first step of a validation: is each value of its field's type, and can its column hold it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import BaseModel
from sqlalchemy import inspect
from sqlalchemy.ext.mutable import MutableBase
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_attribute

from lineside.models._lifecycle._state import instance_state
from lineside.models._per_class import kept_on
from lineside.models._validation._errors import Error, On
from lineside.models._validation._limits import Limit, limit_of
from lineside.models._validation._references import UNKNOWN_YET, future_value, held_value, instance_mapper
from lineside.models._validation._shadow import Shadow

_PLAN: Final = "__lineside_types__"


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A field and its column.

    Attributes:
        name: The field.
        is_required: Whether the class gives it no default.
        is_nullable: Whether the column takes NULL.
        is_filled: Whether the database or SQLAlchemy gives a new row a value.
        is_reference: Whether it is a foreign key.
        limit: What the column can hold.
    """

    name: str
    is_required: bool
    is_nullable: bool
    is_filled: bool
    is_reference: bool
    limit: Limit | None


class Types:
    """What the fields of one class may be; made once, when the first record is validated."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.shadow = Shadow(model)
        self.attributes = tuple(_attributes(model))

    @classmethod
    def of(cls, model: type[Any]) -> "Types":
        """Return those of a class, and not those of its base."""
        return kept_on(model, _PLAN, lambda: cls(model))

    def check(self, record: Any, session: Session, on: On) -> tuple[list[str], list[Error]]:
        """Validate what is loaded of a record, and give it the values in their types.

        Returns:
            The fields whose value was put into its type, and the errors.
        """
        values, errors = self._values(record, session, on)
        typed, wrong = self.shadow.check(values)
        errors += wrong
        dialect = session.get_bind(inspect(type(record))).dialect.name
        for attribute in self.attributes:
            problem = attribute.name in typed and _problem(attribute, typed[attribute.name], on, dialect)
            if problem:
                kind, message = problem
                errors.append(Error(attribute.name, message, kind, typed[attribute.name]))
        return _write_back(record, values, typed), errors

    def _values(self, record: Any, session: Session, on: On) -> tuple[dict[str, Any], list[Error]]:
        values: dict[str, Any] = {}
        errors: list[Error] = []
        state = instance_state(record)
        present, has_row = state.dict, state.has_identity
        for attribute in self.attributes:
            name = attribute.name
            is_set = name in present
            if not is_set and has_row:
                continue  # not loaded: it is as it was
            value = present.get(name)
            if value is None and attribute.is_filled and on == "create":
                continue
            if attribute.is_reference:
                value = future_value(record, name)
                if value is None and not attribute.is_nullable:
                    value = held_value(record, name, session)
                if value is UNKNOWN_YET:
                    continue
                if value is None and not attribute.is_nullable:
                    errors.append(Error(name, "must exist", "required"))
                    continue
            if is_set or value is not None:
                values[name] = value
            elif attribute.is_required:
                errors.append(Error(name, "Field required", "missing"))
        return values, errors


def _problem(attribute: _Attribute, value: Any, on: On, dialect: str) -> tuple[str, str] | None:
    if value is None:
        is_good = attribute.is_nullable or (attribute.is_filled and on == "create")
        return None if is_good else ("blank", "can't be blank")
    return attribute.limit(value, dialect) if attribute.limit else None


def _write_back(record: Any, values: dict[str, Any], typed: dict[str, Any]) -> list[str]:
    state = instance_state(record)
    changed: list[str] = []
    for name, value in typed.items():
        is_new = not state.has_identity or name in state.committed_state
        # A foreign key may have come from a related record: the flush writes that.
        if is_new and name in state.dict and not _is_same(value, values[name]):
            set_attribute(record, name, value)
            changed.append(name)
    return changed


def _is_same(new: Any, old: Any) -> bool:
    """Tell whether nothing was put into another type; ``[1]`` equals ``[Decimal(1)]``, and is not it."""
    if new is old:
        return True
    # pydantic makes a plain list or dict of one that is tracked; the tracked one stays.
    is_tracked = isinstance(cast("object", old), MutableBase)
    if type(new) is not type(old) and not is_tracked:
        return False
    if isinstance(new, dict):
        keys: set[Any] = set(new)
        return keys == set(old) and all(_is_same(new[key], old[key]) for key in keys)
    if isinstance(new, list | tuple):
        return len(new) == len(old) and all(map(_is_same, new, old))
    return bool(new == old)


def _attributes(model: type[BaseModel]) -> Iterator[_Attribute]:
    mapper = instance_mapper(model)
    for name, field in model.model_fields.items():
        if name not in mapper.column_attrs:
            continue
        columns: list[Any] = mapper.column_attrs[name].columns
        yield _Attribute(
            name,
            is_required=field.is_required(),
            is_nullable=all(column.nullable for column in columns),
            is_filled=any(_is_filled(column, mapper.version_id_col) for column in columns),
            is_reference=any(column.foreign_keys for column in columns),
            limit=limit_of(columns[0].type),
        )


def _is_filled(column: Any, version: Any) -> bool:
    is_numbered = column is column.table.autoincrement_column
    return is_numbered or column is version or column.default is not None or column.server_default is not None
