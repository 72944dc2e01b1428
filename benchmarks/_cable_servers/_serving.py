"""Serves an app with uvicorn on an inherited socket, as every server of a benchmark that has one."""

import socket
import sys
from typing import Any

import uvicorn

__all__ = ["listening_socket", "serve"]


def listening_socket() -> socket.socket:
    """Return the socket that this process was started with."""
    return socket.socket(fileno=int(sys.argv[1]))


def serve(app: Any, *, ws: Any = "auto") -> None:
    """Serve an app until the process is told to end.

    Args:
        app: An ASGI app.
        ws: uvicorn's class for WebSockets.
    """
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws=ws, log_level="warning", timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listening_socket()])
