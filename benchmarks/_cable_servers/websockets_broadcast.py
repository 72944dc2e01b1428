"""The websockets library with its own ``broadcast``, on uvloop."""

import asyncio
import json

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks._cable_servers._serving import listening_socket

_room: set[ServerConnection] = set()


async def handle(socket: ServerConnection) -> None:
    """Take one client's messages until it leaves."""
    _room.add(socket)
    try:
        async for text in socket:
            broadcast(_room, json.dumps(json.loads(text)))
    finally:
        _room.discard(socket)


async def main() -> None:
    """Serve until the process is told to end."""
    async with serve(handle, sock=listening_socket(), compression=None) as server:
        await asyncio.wait_for(server.serve_forever(), None)


if __name__ == "__main__":
    uvloop.run(main())
