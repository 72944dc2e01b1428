"""A client of the chat that goes on where it was, on whatever node it comes back to."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import websockets

SECONDS = 20.0


class Reader:
    """Reads one room; speaks AnyCable's extension of Action Cable's protocol.

    A message of a stream comes with its place there: an epoch, which names one life of the stream, and an
    offset. Who comes back names the last place it knows, and is sent what came after.
    """

    def __init__(self, name: str, room: str) -> None:
        self.name = name
        self.texts: list[str] = []
        self._identifier = json.dumps({"channel": "ChatChannel", "room": room, "name": name})
        self._positions: dict[str, Any] = {}
        self._socket: websockets.ClientConnection
        self._stack = AsyncExitStack()

    async def connect(self, url: str) -> None:
        """Connect and subscribe, and bring back what was missed."""
        self._socket = await self._stack.enter_async_context(
            websockets.connect(
                url, subprotocols=[websockets.Subprotocol("actioncable-v1-ext-json")], proxy=None
            )
        )
        await self._command("subscribe", history={"streams": self._positions})
        await self._until("confirm_history")

    async def close(self) -> None:
        await self._stack.aclose()

    async def speak(self, text: str) -> None:
        await self._command("message", data=json.dumps({"action": "speak", "text": text}))

    async def hear(self, text: str) -> None:
        """Wait for a message."""
        while text not in self.texts:
            await self._next()

    async def sent_away(self) -> str:
        """Wait until the server sends this client away, and return why."""
        reason: str = (await self._until("disconnect"))["reason"]
        await self.close()
        return reason

    async def _until(self, wanted: str) -> Any:
        while (frame := await self._next()).get("type") != wanted:
            pass
        return frame

    async def _next(self) -> Any:
        frame = json.loads(await asyncio.wait_for(self._socket.recv(), SECONDS))
        if "stream_id" in frame:
            self._positions[frame["stream_id"]] = {"epoch": frame["epoch"], "offset": frame["offset"]}
            self.texts.append(frame["message"]["text"])
        return frame

    async def _command(self, command: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"command": command, "identifier": self._identifier, **fields}))
