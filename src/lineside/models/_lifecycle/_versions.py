"""The column ``lock_version``: what a statement of our own must know of optimistic locking."""

from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.orm import Mapper

LOCK_VERSION: Final = "lock_version"


def is_versioned(mapper: Mapper[Any]) -> bool:
    """Tell whether a class counts its saves in ``lock_version``."""
    column = mapper.version_id_col
    return column is not None and column.key == LOCK_VERSION


def next_version(mapper: Mapper[Any]) -> dict[str, Any]:
    """Return what a statement of our own must set, so that those who loaded the row before notice it."""
    return {LOCK_VERSION: func.coalesce(mapper.version_id_col, 0) + 1} if is_versioned(mapper) else {}
