"""Litestar's channels plugin, over its backend in memory."""

import json
from contextlib import suppress

from litestar import Litestar, WebSocket, websocket
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from litestar.exceptions import WebSocketDisconnect

from benchmarks._cable_servers._serving import serve

_channels = ChannelsPlugin(backend=MemoryChannelsBackend(), channels=["lobby"])


@websocket("/room")
async def room(socket: WebSocket) -> None:
    """Take one client's messages until it leaves."""
    await socket.accept()
    async with (
        _channels.start_subscription(["lobby"]) as subscriber,
        subscriber.run_in_background(socket.send_text),
    ):
        with suppress(WebSocketDisconnect):
            while True:
                _channels.publish(json.loads(await socket.receive_text()), "lobby")


if __name__ == "__main__":
    serve(Litestar([room], plugins=[_channels], openapi_config=None))
