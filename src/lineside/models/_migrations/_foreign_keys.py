"""SQLite's foreign keys, which are off while a migration runs and must hold when it ends."""

from collections import Counter
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection

from lineside.models._migrations._errors import MigrationError

Violations = Counter[tuple[str, str]]


def violations(connection: Connection) -> Violations:
    """Count the rows that point nowhere, by their table and the one they point to."""
    if connection.dialect.name != "sqlite":
        return Counter()
    rows: Any = connection.execute(text("PRAGMA foreign_key_check"))
    return Counter((row[0], row[2]) for row in rows)


def check_foreign_keys(connection: Connection, before: Violations) -> None:
    """Refuse a migration that has left rows behind which point nowhere.

    Args:
        connection: In the transaction of the migration, at its end.
        before: What pointed nowhere already.

    Raises:
        MigrationError: There are more of them now.
    """
    more = violations(connection) - before
    if more:
        found = ", ".join(f"{count} of {table!r} to {to!r}" for (table, to), count in more.items())
        raise MigrationError(f"it leaves rows that point nowhere: {found}; delete or change them first")
