"""All commands in one place: a command is one file, and one line here."""

from typing import Annotated

import typer

import lineside
from lineside.cli._config import config_commands
from lineside.cli._db import db_commands
from lineside.cli._routes import routes
from lineside.cli._server import server

__all__ = ["commands"]


def commands() -> typer.Typer:
    """Return the command ``lineside`` with all that stands behind it."""
    root = typer.Typer(
        name="lineside",
        help="Rails laid beside your FastAPI app.",
        no_args_is_help=True,
        add_completion=False,
        # Plain text: it can be read in a log, and a traceback is Python's own.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    root.callback()(_options)
    root.command()(routes)
    root.command()(server)
    root.add_typer(config_commands(), name="config")
    root.add_typer(db_commands(), name="db")
    return root


def _print_version(asked: bool) -> None:  # noqa: FBT001 - the callback of an option, typer's signature
    if asked:
        typer.echo(f"lineside {lineside.__version__}")
        raise typer.Exit


def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Rails laid beside your FastAPI app."""
