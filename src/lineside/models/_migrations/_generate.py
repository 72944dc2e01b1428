"""New migrations: empty ones, and those that Alembic derives from the models."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from alembic.autogenerate import RevisionContext
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.engine import Connection

from lineside.models._migrations._defaults import fill_rows
from lineside.models._migrations._describe import described
from lineside.models._migrations._enums import handle_enums
from lineside.models._migrations._errors import PendingMigrationError
from lineside.models._migrations._naming import name_constraints
from lineside.models._migrations._render import render_item
from lineside.models._migrations._scripts import statuses
from lineside.models._migrations._status import GeneratedMigration


def write_revision(scripts: ScriptDirectory, message: str) -> GeneratedMigration:
    """Write an empty migration after the last ones.

    Args:
        scripts: The migrations so far.
        message: What it does, in a few words; part of its file's name.
    """
    return GeneratedMigration(_write(_context(scripts, message)), [])


def autogenerate(
    connection: Connection, scripts: ScriptDirectory, message: str, metadata: Sequence[MetaData]
) -> GeneratedMigration:
    """Write a migration that leads from the database to the models.

    Args:
        connection: To a database in which every migration has run.
        scripts: The migrations so far.
        message: What it does.
        metadata: The tables of the models.

    Returns:
        The new migration.

    Raises:
        PendingMigrationError: The database is behind the migrations.
    """
    context = _context(scripts, message)
    found = _compare(connection, scripts, context, metadata)
    if not found:
        return GeneratedMigration(None, [])
    fill_rows(context.generated_revisions[-1])
    return GeneratedMigration(_write(context), found)


def differences(connection: Connection, scripts: ScriptDirectory, metadata: Sequence[MetaData]) -> list[str]:
    """Return what a new migration would do, one sentence each.

    Raises:
        PendingMigrationError: The database is behind the migrations.
    """
    return _compare(connection, scripts, _context(scripts, "check"), metadata)


def _context(scripts: ScriptDirectory, message: str) -> RevisionContext:
    return RevisionContext(
        Config(),
        scripts,
        {
            "message": message,
            "sql": False,
            # All of them: migrations of two branches that were merged in git are joined by the next one.
            "head": "heads",
            "splice": False,
            "branch_label": None,
            "version_path": None,
            "rev_id": _next_revision(scripts),
            "depends_on": None,
        },
    )


def _next_revision(scripts: ScriptDirectory) -> str:
    """The time, as in Rails, so that files sort in the order in which they were made."""
    taken = {script.revision for script in scripts.walk_revisions()}
    moment = datetime.now(UTC)
    while (revision := f"{moment:%Y%m%d%H%M%S}") in taken:
        moment += timedelta(seconds=1)
    return revision


def _compare(
    connection: Connection, scripts: ScriptDirectory, context: RevisionContext, metadata: Sequence[MetaData]
) -> list[str]:
    def compare(heads: tuple[str, ...], migration_context: MigrationContext) -> list[Any]:
        if pending := [one.revision for one in statuses(scripts, heads) if not one.is_applied]:
            raise PendingMigrationError(pending)
        context.run_autogenerate(heads, migration_context)
        return []

    with EnvironmentContext(
        Config(), scripts, fn=compare, dont_mutate=True, template_args=context.template_args
    ) as environment:
        environment.configure(
            connection=connection,
            target_metadata=list(metadata),
            # On every database: a file that was made on PostgreSQL shall run on SQLite, too.
            render_as_batch=True,
            compare_type=True,
            compare_server_default=_compare_default,
            render_item=render_item,
            process_revision_directives=_process,
        )
        environment.run_migrations()
    connection.rollback()
    script = context.generated_revisions[-1]
    return [described(diff) for upgrade in script.upgrade_ops_list for diff in upgrade.as_diffs()]


def _process(context: MigrationContext, _heads: Any, scripts: list[ops.MigrationScript]) -> None:
    for script in scripts:
        name_constraints(script)
        handle_enums(script, context.opts["target_metadata"])


def _compare_default(
    _context: MigrationContext,
    _inspected: Any,
    _column: Any,
    in_database: str | None,
    _default: Any,
    in_model: str | None,
) -> bool | None:
    """Know the empty text of SQLite for the same; of all others Alembic knows more."""
    return False if in_model == "" and (in_database or "").strip("()") == "''" else None


def _write(context: RevisionContext) -> Path:
    (script,) = context.generate_scripts()
    return Path(cast("Script", script).path)  # None would be a template without a revision
