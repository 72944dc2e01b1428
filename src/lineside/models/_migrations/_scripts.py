"""The folder of migrations, read by Alembic without a file of its own in the app's repository."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alembic.script import Script, ScriptDirectory

from lineside.exceptions import ConfigurationError
from lineside.models._migrations._errors import MigrationError, UnknownMigrationVersionError
from lineside.models._migrations._status import MigrationStatus

_HERE: Final = Path(__file__).parent


def open_scripts(directory: str | Path) -> ScriptDirectory:
    """Read the migrations of a folder.

    Args:
        directory: The folder that has ``versions/``.

    Raises:
        ConfigurationError: The folder is not there, or has an Alembic environment of its own.
        MigrationError: A file in it cannot be read.
    """
    scripts = new_scripts(directory)
    versions = Path(directory) / "versions"
    if not versions.is_dir():
        raise ConfigurationError(
            f"there is no folder {str(versions)!r}{_of_alembic()}; the first "
            "`lineside db revision -m ...` makes it, and --directory names another"
        )
    return scripts


def new_scripts(directory: str | Path) -> ScriptDirectory:
    """Read the migrations of a folder that may not be there yet."""
    folder = Path(directory)
    if (folder / "env.py").exists():
        raise ConfigurationError(
            f"{str(folder / 'env.py')!r} is an Alembic environment of your own, whose settings only Alembic "
            "follows: go on with `alembic upgrade head`, or delete it and alembic.ini to use `lineside db`"
        )
    scripts = ScriptDirectory(_HERE, version_locations=[folder / "versions"], messaging_opts={"quiet": True})
    try:
        # Alembic reads the files at the first question; here their mistakes have one place. Of two with
        # one revision it would leave out either, with a warning.
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Revision .* is present more than once")
            list(scripts.walk_revisions())
    except Exception as error:  # the files are programs: anything may come out of them
        raise MigrationError(
            f"the migrations in {str(folder / 'versions')!r} cannot be read: {type(error).__name__}: {error}"
        ) from error
    return scripts


def applied_revisions(scripts: ScriptDirectory, heads: Sequence[str]) -> set[str]:
    """Return the revisions that have run, of which the database keeps only the last ones.

    Args:
        scripts: The migrations.
        heads: What the database has in ``alembic_version``.

    Raises:
        UnknownMigrationVersionError: One of them has no file.
    """
    known = {script.revision for script in scripts.walk_revisions()}
    for head in heads:
        if head not in known:
            raise UnknownMigrationVersionError(
                head,
                message=f"the database is at revision {head!r}, which has no file in "
                f"{scripts.versions!r}; get the file from the branch that made it",
            )
    return {script.revision for script in scripts.iterate_revisions(tuple(heads), "base")}


def statuses(scripts: ScriptDirectory, heads: Sequence[str]) -> list[MigrationStatus]:
    """Return all migrations in the order in which they run."""
    applied = applied_revisions(scripts, heads)
    ordered = reversed(list(scripts.walk_revisions()))
    return [status_of(script, is_applied=script.revision in applied) for script in ordered]


def status_of(script: Script, *, is_applied: bool) -> MigrationStatus:
    """Describe one migration."""
    return MigrationStatus(script.revision, script.doc, Path(script.path), is_applied)


def _of_alembic() -> str:
    return ", and alembic.ini names one of its own" if Path("alembic.ini").exists() else ""
