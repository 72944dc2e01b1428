"""Types of columns, written so that the file can be run."""

from typing import Any, Final, Literal

from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import make_url

_DIALECT: Final = make_url("postgresql+asyncpg://").get_dialect()()
_POSTGRESQL: Final = PostgresqlImpl(_DIALECT, None, False, None, None, {})  # noqa: FBT003


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Write a type down, or leave it to Alembic (its ``render_item``).

    Args:
        kind: What the item is; only ``"type"`` is ours.
        item: The type.
        context: Of the comparison.
    """
    if kind != "type":
        return False
    module = type(item).__module__
    if not module.startswith("sqlalchemy."):
        # Alembic writes the module of a type down, and does not import it.
        context.imports.add(f"import {module}")
    if not module.startswith("sqlalchemy.dialects.postgresql"):
        return False
    # Also where the models are compared with SQLite: Alembic asks the database at hand, which does not know
    # how to write a type of PostgreSQL that has another one inside.
    context.imports.add("from sqlalchemy.dialects import postgresql")
    return _POSTGRESQL.render_type(item, context)
