"""FastAPI's documented way: a list of sockets and a loop over ``send_text``; encoded once."""

import json
from contextlib import suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from benchmarks._cable_servers._serving import serve

app = FastAPI()
_room: list[WebSocket] = []


@app.websocket("/room")
async def room(socket: WebSocket) -> None:
    """Take one client's messages until it leaves."""
    await socket.accept()
    _room.append(socket)
    with suppress(WebSocketDisconnect):
        while True:
            text = json.dumps(json.loads(await socket.receive_text()))
            for each in _room:
                await each.send_text(text)
    _room.remove(socket)


if __name__ == "__main__":
    serve(app)
