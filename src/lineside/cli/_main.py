"""The entry of the command line: what goes wrong becomes one clear line and an exit status."""

import sys
from collections.abc import Sequence

from lineside.exceptions import LinesideError, MissingDependencyError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What stands behind ``lineside``; by default what the process was given.

    Returns:
        The exit status: 0 for success, 1 for a failure that was explained, 2 for wrong usage.
    """
    try:
        _run(arguments)
    except SystemExit as end:
        return _status(end.code)
    except LinesideError as error:
        print(f"lineside: {error.message}", file=sys.stderr)  # noqa: T201 - this is the terminal
        return 1
    return 0


def _run(arguments: Sequence[str] | None) -> None:
    try:
        from lineside.cli._commands import commands
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        raise MissingDependencyError("typer", extra="cli") from None
    commands()(args=None if arguments is None else list(arguments), prog_name="lineside")


def _status(code: str | int | None) -> int:
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201 - as Python does with sys.exit("text")
        return 1
    return code or 0
