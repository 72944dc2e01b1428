"""``lineside server``: the app on uvicorn, stopped gracefully."""

import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from lineside.exceptions import ConfigurationError, MissingDependencyError

__all__ = ["server"]


def server(
    app: Annotated[str, typer.Argument(help="The app: module:app, or module:create_app()")],
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="The port.")] = 8000,
    env: Annotated[
        str | None, typer.Option(help="Sets LINESIDE_ENV; default: what it is, or development.")
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Restart on changes, in development.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="How many processes.")] = 1,
    timeout_graceful_shutdown: Annotated[
        int, typer.Option(min=0, help="Seconds that open requests get when the server stops.")
    ] = 15,
    log_config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A logging file: .json, .yml or .ini")
    ] = None,
    factory: Annotated[bool, typer.Option("--factory", help="The name is a function's.")] = False,
) -> None:
    """Serve an app over HTTP; SIGTERM and Ctrl+C let open requests finish."""
    try:
        import uvicorn
        from uvicorn.config import LOGGING_CONFIG
    except ImportError:
        raise MissingDependencyError("uvicorn", extra="cli") from None
    from lineside.cli._load import load_app, parse_name

    name = parse_name(app, factory=factory)
    environment = _choose_environment(env)
    # Also when other processes will serve it: one clear error is better than one in each of them.
    loaded = load_app(name)
    if reload:
        _check_reload(getattr(loaded, "state", None), environment=environment, workers=workers)
    _check_port(host, port)
    signal.signal(signal.SIGTERM, _end)
    several = reload or workers > 1
    uvicorn.run(
        name.import_string if several else loaded,
        factory=several and name.factory,
        host=host,
        port=port,
        reload=reload,
        workers=workers,
        timeout_graceful_shutdown=timeout_graceful_shutdown,
        log_config=LOGGING_CONFIG if log_config is None else str(log_config),
    )


def _choose_environment(env: str | None) -> str:
    """Decide the environment, and tell the app: it reads the variable when it is imported."""
    from lineside.config import Config

    chosen = env or os.environ.get("LINESIDE_ENV") or "development"
    # No file and no check here: an app that does not use our settings has no need of them.
    environment = Config.from_dict({}, environment=chosen, checks=()).environment
    os.environ["LINESIDE_ENV"] = environment
    return environment


def _check_reload(state: object, *, environment: str, workers: int) -> None:
    installed = getattr(state, "lineside", None)
    actual = environment if installed is None else installed.environment
    if actual != "development":
        raise ConfigurationError(
            f"--reload is for development, and the environment is {actual!r}; leave it out, or use --workers"
        )
    if workers > 1:
        raise ConfigurationError("--reload serves with one process; leave out --workers")


def _check_port(host: str, port: int) -> None:
    """Find out before anything starts: uvicorn would start the app, fail, and stop it again."""
    try:
        # One name may stand for several addresses, as "localhost" does; all are listened on.
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            _check_address(family, kind, protocol, address)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {error.strerror}; stop what does, or choose another"
            " with --host and --port"
        ) from None


def _check_address(family: int, kind: int, protocol: int, address: Any) -> None:
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    # uvicorn raises the signal again when it has stopped gracefully: that is a success.
    sys.exit(0)
