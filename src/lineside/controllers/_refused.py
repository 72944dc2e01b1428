"""Values that a schema lets pass and the driver of the database refuses."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, inspect
from sqlalchemy.exc import IntegrityError, StatementError

__all__ = ["answering_refused_values", "decimals_past_a_double"]

# "Data exception", ISO 9075-2 table 38: out of range, no such text in this encoding, and the like.
_DATA_EXCEPTION = "22"


@contextmanager
def answering_refused_values(answer: Exception) -> Generator[None]:
    """Raise ``answer`` in the place of an error that says: this value does not fit its column.

    How large a number, date or interval may be depends on the database and not on the model, so no
    schema can know it. Any other error of the database passes.

    Args:
        answer: What to raise; the client sent the value, so it is no fault of the server.
    """
    try:
        yield
    except (ArithmeticError, StatementError) as error:
        if not _is_about_a_value(error):
            raise
        raise answer from error


def decimals_past_a_double(record: Any, dialect: Dialect) -> list[str]:
    """Name the attributes that a driver without decimals, as SQLite's, would store as infinity.

    It does so without an error, and the record could never be read as decimals again.

    Args:
        record: An object of a mapped class.
        dialect: The dialect of its database.
    """
    if dialect.supports_native_decimal:
        return []
    loaded: dict[str, Any] = inspect(record).dict
    return [
        name for name, value in loaded.items() if isinstance(value, Decimal) and not _is_finite_double(value)
    ]


def _is_finite_double(value: Decimal) -> bool:
    return value.is_finite() and math.isfinite(float(value))


def _is_about_a_value(error: Exception) -> bool:
    if isinstance(error, IntegrityError):
        return False
    cause = error.orig if isinstance(error, StatementError) else error
    code = str(getattr(cause, "sqlstate", None) or "")
    if code or cause is None:
        return code.startswith(_DATA_EXCEPTION)
    # asyncpg looks at arguments before it sends them: its ValueError lies below SQLAlchemy's.
    return isinstance(cause, ArithmeticError | ValueError) or isinstance(cause.__cause__, ValueError)
