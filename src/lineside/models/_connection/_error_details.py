"""The texts of a driver's errors without the values that PostgreSQL puts into them."""

from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

# "Failing row contains (1, ..., the digest of a password)", "Key (email)=(...) already exists".
_DETAIL: Final = "\nDETAIL:"


def hide_details(engine: Engine) -> None:
    """Keep the values of a row out of the errors of an engine, and so out of logs.

    SQLAlchemy's ``hide_parameters`` hides those of the statement only.

    Args:
        engine: The engine, before its first connection.
    """
    event.listen(engine, "handle_error", _hide)


def _hide(context: ExceptionContext) -> None:
    original: Any = context.original_exception
    errors: list[Any] = [context.sqlalchemy_exception, original, original.__cause__]
    for error in errors:
        if error is None:
            continue
        error.args = tuple(_cut(each) for each in error.args)
        if isinstance(getattr(error, "detail", None), str):
            error.detail = None  # asyncpg adds it to the text when it is asked for it


def _cut(value: Any) -> Any:
    return value.partition(_DETAIL)[0] if isinstance(value, str) else value
