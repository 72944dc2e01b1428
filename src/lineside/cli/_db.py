"""``lineside db``: the database of an app, and its migrations."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineside.cli._db_target import STATEMENT_SECONDS, find_database, find_metadata, refuse_production, run

if TYPE_CHECKING:
    from lineside.models.migrations import MigrationStatus

__all__ = ["db_commands"]

_App = Annotated[str | None, typer.Option(help="The app: module:app, or module:create_app()")]
_Url = Annotated[str | None, typer.Option(help="The URL of the database, instead of an app.")]
_Directory = Annotated[Path, typer.Option(help="The folder that has versions/.")]
_Metadata = Annotated[
    list[str] | None,
    typer.Option(help="Where the tables of the models are: module:Base.metadata; may be repeated."),
]
_Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds that one statement may take.")]
_LockTimeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for another migrator.")]
_Seeds = Annotated[Path, typer.Option("--file", help="A file with `async def seed(session)`.")]

_DIRECTORY = Path("migrations")
_SEEDS = Path("db/seeds.py")
_LOCK_SECONDS = 60.0


def db_commands() -> typer.Typer:
    """Return the commands behind ``lineside db``."""
    group = typer.Typer(help="Create, migrate and fill the database.", no_args_is_help=True)
    for command in (create, migrate, rollback, status, check, revision, stamp, seed, reset):
        group.command()(command)
    return group


def create(app: _App = None, url: _Url = None) -> None:
    """Create the database, unless it exists already."""
    from lineside.models.migrations import create as create_database

    database = find_database(app, url)
    created = run(database, create_database(database))
    typer.echo(f"created {database!r}" if created else f"{database!r} exists already")


def migrate(
    app: _App = None,
    url: _Url = None,
    directory: _Directory = _DIRECTORY,
    *,
    revision: Annotated[str, typer.Option(help="Where to stop.")] = "heads",
    timeout: _Timeout = STATEMENT_SECONDS,
    lock_timeout: _LockTimeout = _LOCK_SECONDS,
) -> None:
    """Run the migrations that have not run yet."""
    from lineside.models.migrations import migrate as run_migrations

    database = find_database(app, url, timeout)
    work = run_migrations(
        database, directory, revision=revision, lock_timeout_seconds=lock_timeout, report=_report
    )
    if not run(database, work):
        typer.echo("nothing to do: every migration has run")


def rollback(
    app: _App = None,
    url: _Url = None,
    directory: _Directory = _DIRECTORY,
    *,
    steps: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    timeout: _Timeout = STATEMENT_SECONDS,
    lock_timeout: _LockTimeout = _LOCK_SECONDS,
) -> None:
    """Undo the last migrations."""
    from lineside.models.migrations import rollback as undo_migrations

    database = find_database(app, url, timeout)
    work = undo_migrations(
        database, directory, steps=steps, lock_timeout_seconds=lock_timeout, report=_report
    )
    if not run(database, work):
        typer.echo("nothing to do: no migration has run")


def status(app: _App = None, url: _Url = None, directory: _Directory = _DIRECTORY) -> None:
    """List all migrations: up when they have run, else down."""
    from lineside.models.migrations import status as list_migrations

    database = find_database(app, url)
    found = run(database, list_migrations(database, directory))
    rows = [("STATUS", "REVISION", "MESSAGE"), *((one.status, one.revision, one.message) for one in found)]
    width = max(len(name) for _, name, _ in rows)
    for state, name, message in rows:
        typer.echo(f"{state:6}  {name:{width}}  {message}")


def check(
    app: _App = None, url: _Url = None, directory: _Directory = _DIRECTORY, *, metadata: _Metadata = None
) -> None:
    """Fail when a migration has not run, or when the models are not what the database has."""
    from lineside.models.migrations import check as check_migrations

    database = find_database(app, url)
    models = find_metadata(metadata) if app or metadata else None
    run(database, check_migrations(database, directory, metadata=models))
    typer.echo("the database is up to date" + ("" if models else "; no models were compared"))


def revision(
    app: _App = None,
    url: _Url = None,
    directory: _Directory = _DIRECTORY,
    *,
    message: Annotated[str, typer.Option("--message", "-m", help="What it does, in a few words.")],
    autogenerate: Annotated[
        bool, typer.Option("--autogenerate", help="Write what leads from the database to the models.")
    ] = False,
    metadata: _Metadata = None,
) -> None:
    """Write a new migration."""
    from lineside.models.migrations import revision as write_migration

    if not autogenerate:
        written = asyncio.run(write_migration(message, directory))
    else:
        database = find_database(app, url)
        work = write_migration(message, directory, database=database, metadata=find_metadata(metadata))
        written = run(database, work)
    if written.path is None:
        typer.echo("nothing to do: the database is what the models are")
        return
    for change in written.changes:
        typer.echo(f"  {change}")
    typer.echo(f"wrote {os.path.relpath(written.path)}; read it before it runs")


def stamp(
    app: _App = None,
    url: _Url = None,
    directory: _Directory = _DIRECTORY,
    *,
    revision: Annotated[str, typer.Option(help="The last one that counts as run.")] = "heads",
) -> None:
    """Note that migrations have run, without running them: their tables exist already."""
    from lineside.models.migrations import stamp as note_migrations

    database = find_database(app, url)
    run(database, note_migrations(database, directory, revision=revision))
    typer.echo(f"noted: the database is at {revision}")


def seed(app: _App = None, url: _Url = None, file: _Seeds = _SEEDS) -> None:
    """Fill the database with the rows that the app begins with."""
    from lineside.models.migrations import seed as plant

    database = find_database(app, url)
    run(database, plant(database, file))
    typer.echo(f"ran {file}")


def reset(
    app: _App = None,
    url: _Url = None,
    directory: _Directory = _DIRECTORY,
    file: _Seeds = _SEEDS,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also in production.")] = False,
) -> None:
    """Drop the database, create it, migrate, and seed when there is a file of seeds."""
    from lineside.models import migrations

    database = find_database(app, url)
    if not force:
        refuse_production(app)

    async def work() -> None:
        await migrations.drop(database)
        await migrations.create(database)
        await migrations.migrate(database, directory, report=_report)
        if file != _SEEDS or file.is_file():
            await migrations.seed(database, file)
            typer.echo(f"ran {file}")
        else:
            typer.echo(f"no seeds: there is no {file}")

    run(database, work())
    typer.echo(f"reset {database!r}")


def _report(done: "MigrationStatus") -> None:
    typer.echo(f"{done.status:4}  {done.revision}  {done.message}")
