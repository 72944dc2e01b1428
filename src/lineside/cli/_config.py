"""``lineside config``: what is set, and by what."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lineside.config import Config

__all__ = ["config_commands"]

_Directory = Annotated[str, typer.Option(help="Where the configuration files are.")]
_Environment = Annotated[
    str | None, typer.Option("--env", help="The environment; else LINESIDE_ENV, else development.")
]


def config_commands() -> typer.Typer:
    """Return the commands behind ``lineside config``."""
    group = typer.Typer(help="Show the configuration; secrets are masked.", no_args_is_help=True)
    group.command()(explain)
    group.command()(dump)
    return group


def explain(
    key: Annotated[str, typer.Argument(help="The dotted key, for instance database.url")],
    directory: _Directory = "config",
    env: _Environment = None,
) -> None:
    """Say what a key is set to, which file or variable set it, and what that overrode."""
    typer.echo(str(_load(directory, env).explain(key)))


def dump(directory: _Directory = "config", env: _Environment = None) -> None:
    """Print the whole configuration as JSON."""
    typer.echo(json.dumps(_load(directory, env).dump(), indent=2, ensure_ascii=False, default=str))


def _load(directory: str, environment: str | None) -> "Config":
    from lineside.config import Config

    # Without the production checks: whoever looks for a missing setting must be able to look.
    return Config.load(directory, environment=environment, checks=())
