"""How many queries a piece of code runs."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lineside.models import Database

__all__ = ["assert_no_n_plus_one", "assert_no_queries", "assert_queries_count"]

# As in Rails, neither what frames a transaction nor what sets up a connection counts.
_NOT_COUNTED: Final = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "PRAGMA", "SET ", "SHOW ")


@contextmanager
def assert_queries_count(
    expected: int | None = None, *, database: "Database | None" = None
) -> Generator[list[str]]:
    """Fail unless a block runs so many queries (Rails' ``assert_queries_count``).

    What other threads run meanwhile counts, too: an app under test has its own.

    Args:
        expected: How many; None means at least one.
        database: Count those of this database only; default: of all.

    Yields:
        The statements, as they come.

    Raises:
        AssertionError: There are more or fewer; the statements are listed.
    """
    from sqlalchemy import Engine, event

    statements: list[str] = []

    def count(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        is_counted = not statement.lstrip().upper().startswith(_NOT_COUNTED)
        if is_counted and (database is None or _is_of(connection, database)):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    found = len(statements)
    if found != expected if expected is not None else found == 0:
        wanted = "at least 1" if expected is None else expected
        listed = "".join(f"\n  {statement}" for statement in statements)
        raise AssertionError(f"expected {wanted} queries, got {found}{listed}")


def assert_no_queries(*, database: "Database | None" = None) -> AbstractContextManager[list[str]]:
    """Fail if a block runs a query (Rails' ``assert_no_queries``); see `assert_queries_count`."""
    return assert_queries_count(0, database=database)


@contextmanager
def assert_no_n_plus_one() -> Generator[None]:
    """Fail if a block runs the same query once for each record of a list (as Prosopite's ``scan``).

    Raises:
        AssertionError: It does; the message has the place, the query and the remedy.
    """
    from lineside.models import collect_n_plus_one

    with collect_n_plus_one() as found:
        yield
    if found:
        raise AssertionError(found[0])


def _is_of(connection: Any, database: "Database") -> bool:
    from sqlalchemy.orm import Session

    return database.owns(Session(connection))
