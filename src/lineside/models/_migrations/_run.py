"""Running migrations, one at a time, each in a transaction of its own."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel

from lineside.models._migrations._convention import NAMING_CONVENTION
from lineside.models._migrations._errors import (
    IrreversibleMigration,
    MigrationError,
    UnknownMigrationVersionError,
)
from lineside.models._migrations._foreign_keys import Violations, check_foreign_keys, violations
from lineside.models._migrations._lock import begin
from lineside.models._migrations._scripts import applied_revisions, status_of
from lineside.models._migrations._status import MigrationStatus

# In the words of SQLite, when it adds a column or copies the table, and of PostgreSQL.
_ROW_WITHOUT_VALUE: Final = re.compile(
    "Cannot add a NOT NULL column|NOT NULL constraint failed|contains null values"
)

Plan = Callable[[Sequence[str]], RevisionStep | None]
"""Chooses the next migration, by what the database has in ``alembic_version``; None ends."""


def current_heads(connection: Connection) -> tuple[str, ...]:
    """Return the last migrations that have run."""
    return MigrationContext.configure(connection).get_current_heads()


def stamp_at(connection: Connection, scripts: ScriptDirectory, revision: str) -> None:
    """Note a migration and all before it as run, and those after it as not run.

    Raises:
        UnknownMigrationVersionError: No migration has the revision, or the one the database is at.
    """
    target = _target(scripts, revision)
    applied_revisions(scripts, current_heads(connection))
    MigrationContext.configure(connection).stamp(scripts, target)
    connection.commit()


def upgrade_to(scripts: ScriptDirectory, revision: str) -> Plan:
    """Plan the way up.

    Args:
        scripts: The migrations.
        revision: Where to stop; ``"heads"`` means that all run.

    Raises:
        UnknownMigrationVersionError: No migration has it.
    """
    target = _target(scripts, revision)

    def plan(heads: Sequence[str]) -> RevisionStep | None:
        if target in applied_revisions(scripts, heads):
            return None
        pending = list(scripts.iterate_revisions(target, tuple(heads), implicit_base=True))
        return MigrationStep.upgrade_from_script(scripts.revision_map, pending[-1]) if pending else None

    return plan


def downgrade(scripts: ScriptDirectory) -> Plan:
    """Plan one step down: of several last migrations the one with the highest revision, as in Rails."""

    def plan(heads: Sequence[str]) -> RevisionStep | None:
        applied_revisions(scripts, heads)
        if not heads:
            return None
        last = _find_script(scripts, max(heads))
        if not hasattr(last.module, "downgrade"):
            raise _irreversible(last, IrreversibleMigration("it has no downgrade()"))
        return MigrationStep.downgrade_from_script(scripts.revision_map, last)

    return plan


def _target(scripts: ScriptDirectory, revision: str) -> str:
    return "heads" if revision in ("head", "heads") else _find_script(scripts, revision).revision


def _find_script(scripts: ScriptDirectory, revision: str) -> Script:
    """Return the migration with a revision, which may be the beginning of its id.

    Raises:
        UnknownMigrationVersionError: There is none, or there are several.
    """
    found = [one for one in scripts.walk_revisions() if revision and one.revision.startswith(revision)]
    exact = [one for one in found if one.revision == revision] or found
    if len(exact) != 1:
        raise UnknownMigrationVersionError(revision)
    return exact[0]


def run_next(
    connection: Connection, scripts: ScriptDirectory, plan: Plan, *, lock_timeout_seconds: float
) -> MigrationStatus | None:
    """Run the next migration and commit, or roll it back as a whole.

    The plan is asked inside the transaction: what another process has just done is seen.

    Args:
        connection: A connection without a transaction, that holds the migration lock.
        scripts: The migrations.
        plan: Which one is next.
        lock_timeout_seconds: How long was waited, for the error.

    Returns:
        The migration that ran; None when there was nothing to do.

    Raises:
        MigrationError: It failed; nothing of it is left.
    """
    chosen: list[RevisionStep] = []

    def steps(heads: Sequence[str], _context: MigrationContext) -> list[RevisionStep]:
        step = plan(heads)
        chosen.extend([step] if step else [])
        return chosen

    before = Violations()

    def check(*_step: Any, **_named: Any) -> None:
        check_foreign_keys(connection, before)

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        _configure(environment, connection, check)
        begin(connection, lock_timeout_seconds)
        try:
            before.update(violations(connection))
            environment.run_migrations()
        except Exception as error:
            connection.rollback()
            if not chosen:
                raise
            raise _failed(chosen[0], error) from error
    connection.rollback()  # Alembic has committed; without a step there is an empty version table
    return status_of(chosen[0].revision, is_applied=chosen[0].is_upgrade) if chosen else None


def _configure(environment: EnvironmentContext, connection: Connection, check: Callable[..., None]) -> None:
    convention: dict[Any, Any] = {**NAMING_CONVENTION, **SQLModel.metadata.naming_convention}
    environment.configure(
        connection=connection,
        # For the constraints of hand-written migrations that are given no name.
        target_metadata=MetaData(naming_convention=convention),
        # SQLite's DDL, too: `Database` has switched off the driver's own transactions, which begin too late.
        transaction_per_migration=True,
        on_version_apply=check,
    )


def _failed(step: RevisionStep, error: Exception) -> MigrationError:
    script = step.revision
    if step.is_downgrade and isinstance(error, NotImplementedError | IrreversibleMigration):
        return _irreversible(script, error)
    way = "up" if step.is_upgrade else "down"
    # A driver's message has lines of detail, and SQLAlchemy's its statement; one line is enough here.
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    return MigrationError(
        f"migration {script.revision} ({script.path}) failed on its way {way}, and its transaction was "
        f"rolled back: {type(error).__name__}: {said}{_remedy(said)}"
    )


def _remedy(said: str) -> str:
    if _ROW_WITHOUT_VALUE.search(said) is None:
        return ""
    return (
        "; rows that exist need a value: add the column with server_default=..., "
        "or allow NULL, fill it with op.execute(...), and then forbid NULL"
    )


def _irreversible(script: Script, error: Exception) -> IrreversibleMigration:
    return IrreversibleMigration(
        f"migration {script.revision} ({script.path}) cannot be rolled back: {error}"
    )
