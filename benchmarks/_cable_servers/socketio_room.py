"""python-socketio: ``emit`` to a room."""

from typing import Any

import socketio

from benchmarks._cable_servers._serving import serve

_server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")


@_server.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    """Let everybody into the room."""
    await _server.enter_room(sid, "lobby")


@_server.event
async def speak(sid: str, message: Any) -> None:
    """Send a client's message to everybody."""
    await _server.emit("message", message, room="lobby")


if __name__ == "__main__":
    serve(socketio.ASGIApp(_server))
