"""``uniqueness``: is the value taken in the database?

The query tells the user in time; only a unique index keeps two writers apart that ask at the same moment.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypedDict

from sqlalchemy import ColumnElement, and_, func, literal, not_, select
from sqlalchemy.orm import Mapper

from lineside.exceptions import ConfigurationError
from lineside.models._lifecycle._loaded import NOT_LOADED
from lineside.models._lifecycle._state import instance_state
from lineside.models._relation._hidden import HIDDEN_SINCE, hides_rows, is_shown
from lineside.models._validation._limits import Problem
from lineside.models._validation._references import UNKNOWN_YET, future_value
from lineside.models._validation._validators import Subject, check_options

TAKEN: Final = ("taken", "has already been taken")


class UniquenessOptions(TypedDict, total=False):
    """What ``uniqueness=`` takes.

    ``scope``: attributes within which the value is unique. ``case_sensitive``: False compares in lower
    case; the unique index then stands on ``lower(column)``.
    """

    scope: str | tuple[str, ...]
    case_sensitive: bool


class Uniqueness:
    """The validator of one declaration.

    Args:
        options: `UniquenessOptions`.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        check_options("uniqueness", options, ("scope", "case_sensitive"))
        scope = options.get("scope", ())
        self.scope: tuple[str, ...] = (scope,) if isinstance(scope, str) else tuple(scope)
        self._is_case_sensitive: bool = options.get("case_sensitive", True)

    def __call__(self, subject: Subject) -> Iterator[Problem]:
        """Ask the database, unless nothing has changed."""
        names = (subject.field, *self.scope)
        state = instance_state(subject.record)
        # What is restored comes back among values that may have been taken since.
        asked = (*names, HIDDEN_SINCE) if hides_rows(state.class_) else names
        if state.has_identity and not any(self._has_changed(subject.record, name) for name in asked):
            return
        values = {name: future_value(subject.record, name) for name in names}
        # Within a record that is not numbered yet nothing can be taken.
        is_open = any(value is UNKNOWN_YET or value is NOT_LOADED for value in values.values())
        if is_open or not subject.broken.isdisjoint(names):
            return
        if self._is_taken(subject, values):
            yield TAKEN

    def check_columns(self, model: type, fields: tuple[str, ...]) -> None:
        """Refuse a name that is no column.

        Raises:
            ConfigurationError: Names the columns.
        """
        known: Mapping[str, object] = getattr(model, "model_fields", {})
        for name in (*fields, *self.scope):
            if known and name not in known:
                raise ConfigurationError(
                    f"{model.__name__}: uniqueness needs columns, which {name!r} is not; "
                    f"they are {', '.join(sorted(known))}"
                )

    @staticmethod
    def _has_changed(record: object, name: str) -> bool:
        state = instance_state(record)
        return name in state.committed_state or future_value(record, name) != state.dict.get(name)

    def _is_taken(self, subject: Subject, values: dict[str, Any]) -> bool:
        state = instance_state(subject.record)
        mapper = _owner(state.mapper, subject.field)
        criteria = [self._equals(mapper.columns[name], value) for name, value in values.items()]
        criteria += is_shown(mapper.class_)
        if state.identity is not None:
            # By the key that the row has: the record may have been given another one.
            is_self = zip(mapper.primary_key, state.identity, strict=True)
            criteria.append(not_(and_(*(column == key for column, key in is_self))))
        query = select(literal(1)).select_from(mapper.persist_selectable).where(*criteria).limit(1)
        return subject.session.execute(query, bind_arguments={"mapper": mapper}).first() is not None

    def _equals(self, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
        if not self._is_case_sensitive and isinstance(value, str):
            return func.lower(column) == func.lower(value)
        return column.is_(None) if value is None else column == value


def _owner(mapper: Mapper[Any], field: str) -> Mapper[Any]:
    """Return the topmost class that has the column: a value is unique among all its kinds."""
    return [each for each in mapper.iterate_to_root() if field in each.column_attrs][-1]
