"""``lineside routes``: every route of an app, FastAPI's own included."""

import dataclasses
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lineside.routing import RouteRow

__all__ = ["routes"]


class Format(StrEnum):
    """How the list is printed."""

    TABLE = "table"
    JSON = "json"


def routes(
    app: Annotated[str, typer.Argument(help="The app: module:app, or module:create_app()")],
    *,
    grep: Annotated[str, typer.Option(help="Only routes with this text anywhere, in any case.")] = "",
    output: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    factory: Annotated[bool, typer.Option("--factory", help="The name is a function's.")] = False,
) -> None:
    """List all routes in the order in which they are tried."""
    # Here and not above, as in every command: the others start without them.
    from fastapi import APIRouter, FastAPI

    from lineside.cli._load import load_app, parse_name
    from lineside.routing import route_list

    loaded = load_app(parse_name(app, factory=factory))
    if not isinstance(loaded, FastAPI | APIRouter):
        raise ConfigurationError(
            f"{app} is a {type(loaded).__name__}; only a FastAPI app can list its routes"
        )
    rows = [row for row in route_list(loaded) if grep.lower() in " ".join(_cells(row)).lower()]
    if output is Format.JSON:
        typer.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    elif rows:
        typer.echo(_table([("METHOD", "PATH", "NAME", "TARGET"), *map(_cells, rows)]))
    else:
        typer.echo(f"no route contains {grep!r}" if grep else "the app has no routes", err=True)


def _cells(row: "RouteRow") -> tuple[str, str, str, str]:
    return "|".join(row.methods), row.path, row.name, row.target


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
