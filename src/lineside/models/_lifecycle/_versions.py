"""The column ``lock_version``: what statements of our own, and SQLAlchemy's errors, have to do with it."""

import sys
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.exc import StaleDataError

from lineside.models._exceptions import StaleObjectError
from lineside.models._lifecycle._state import instance_state

LOCK_VERSION: Final = "lock_version"


def is_versioned(mapper: Mapper[Any]) -> bool:
    """Tell whether a class counts its saves in ``lock_version``."""
    column = mapper.version_id_col
    return column is not None and column.key == LOCK_VERSION


def next_version(mapper: Mapper[Any]) -> dict[str, Any]:
    """Return what a statement of our own must set, so that those who loaded the row before notice it."""
    return {LOCK_VERSION: func.coalesce(mapper.version_id_col, 0) + 1} if is_versioned(mapper) else {}


def stale_error(records: Iterable[Any]) -> StaleObjectError | None:
    """Return what SQLAlchemy's error about a row that was not there means, if it is being handled now.

    SQLAlchemy says which table it was, and how many rows were missed, but not which.

    Args:
        records: Those that were being written.
    """
    error = sys.exc_info()[1]
    if not isinstance(error, StaleDataError):
        return None
    missed = [record for record in records if _is_about(error, record)]
    if not missed:
        return None
    keys = [short_key(record) for record in missed]
    stale = StaleObjectError(type(missed[0]).__name__, keys[0] if len(keys) == 1 else keys)
    stale.__cause__ = error
    return stale


def _is_about(error: StaleDataError, record: Any) -> bool:
    state = instance_state(record)
    return state.has_identity and any(
        f"table '{table.description}'" in str(error) for table in state.mapper.tables
    )


def short_key(record: Any) -> Any:
    """Return the key of a record's row for people: not a tuple, if it has one part."""
    identity = instance_state(record).identity or ()
    return identity[0] if len(identity) == 1 else identity
