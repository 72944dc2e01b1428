"""``lineside server``: the app on uvicorn, stopped gracefully."""

import importlib
import os
import signal
import socket
import sys
from contextlib import suppress
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
        int,
        typer.Option(min=0, help="Seconds that open requests, streams and WebSockets get when it stops."),
    ] = 15,
    timeout_headers: Annotated[
        float, typer.Option(min=0, help="Seconds in which a client sends its headers; 0 for any time.")
    ] = 10.0,
    timeout_peer: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds that a peer may not read before it is dropped; 0 for many minutes."
        ),
    ] = 5.0,
    ws: Annotated[str, typer.Option(help="uvicorn's WebSocket class, or module:Class.")] = "auto",
    ws_max_size: Annotated[
        int, typer.Option(min=1, help="The largest WebSocket message, in bytes.")
    ] = 1_048_576,
    ws_per_message_deflate: Annotated[
        bool, typer.Option("--ws-per-message-deflate", help="Offer compression to WebSocket clients.")
    ] = False,
    log_config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A logging file: .json, .yml or .ini")
    ] = None,
    factory: Annotated[bool, typer.Option("--factory", help="The name is a function's.")] = False,
) -> None:
    """Serve an app over HTTP; SIGTERM and Ctrl+C send clients away and let open requests finish."""
    try:
        importlib.import_module("uvicorn")
    except ImportError:
        raise MissingDependencyError("uvicorn", extra="cli") from None
    from lineside.cli._header_timeout import PatientProtocol
    from lineside.cli._listening import listen
    from lineside.cli._load import load_app, parse_name
    from lineside.cli._server_config import ServerConfig, logging_config

    name = parse_name(app, factory=factory)
    environment = _choose_environment(env)
    # What works in one process only, as the memory bus, asks for it.
    os.environ["LINESIDE_WORKERS"] = str(workers)
    # Also when other processes will serve it: one clear error is better than one in each of them.
    loaded = load_app(name)
    if reload:
        _check_reload(getattr(loaded, "state", None), environment=environment, workers=workers)
    # Before anything of the app starts: uvicorn would start it, fail, and stop it again.
    sockets = listen(host, port, peer_timeout_seconds=timeout_peer)
    signal.signal(signal.SIGTERM, _end)
    several = reload or workers > 1
    config = ServerConfig(
        name.import_string if several else loaded,
        factory=several and name.factory,
        host=host,
        port=port,
        reload=reload,
        workers=workers,
        http=PatientProtocol,
        ws=ws,
        ws_max_size=ws_max_size,
        ws_per_message_deflate=ws_per_message_deflate,
        timeout_graceful_shutdown=timeout_graceful_shutdown,
        timeout_headers=timeout_headers,
        log_config=logging_config() if log_config is None else str(log_config),
    )
    _serve(config, sockets)


def _serve(config: Any, sockets: list[socket.socket]) -> None:
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import ChangeReload

    from lineside.cli._graceful import GracefulServer, log_addresses, run_workers

    server = GracefulServer(config)
    with suppress(KeyboardInterrupt):
        if config.should_reload:
            log_addresses(config.host, sockets)
            ChangeReload(config, target=server.run, sockets=sockets).run()
        elif config.workers > 1:
            run_workers(config, sockets)
        else:
            server.run(sockets)
            if not server.started:
                sys.exit(STARTUP_FAILURE)


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


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    # uvicorn raises the signal again when it has stopped gracefully: that is a success.
    sys.exit(0)
