"""The most frequent error of a first day: a table that nobody has created yet."""

from typing import Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNDEFINED_TABLE: Final = "42P01"
_SQLITE_SAYS: Final = "no such table: "
_NEXT: Final = (
    "The table does not exist yet: run `lineside db migrate`, or, in development, write "
    "install_database(app, url, create_tables=True) or `await database.create_all()`."
)


def explain_missing_tables(engine: Engine) -> None:
    """Add a note with the next action to the error about a missing table, which stays what it is.

    Args:
        engine: The engine.
    """
    event.listen(engine, "handle_error", _explain)


def _explain(context: ExceptionContext) -> None:
    original = context.original_exception
    is_missing = getattr(original, "sqlstate", None) == _UNDEFINED_TABLE or str(original).startswith(
        _SQLITE_SAYS
    )
    if is_missing and context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.add_note(_NEXT)
