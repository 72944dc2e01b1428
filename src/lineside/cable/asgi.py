"""The cable as an ASGI app: the handshake, the socket's frames, and the way back.

One endpoint speaks every protocol of its cable. It needs no web framework:

    from lineside.cable.asgi import Refused

    async def admit(scope):
        raise Refused(401, "Unauthorized: Token required", close_code=4401)

``CableEndpoint(cable, admit)`` is an ASGI app then. Who is not let in gets a real HTTP answer before the
upgrade: 400, 401, 403, 429 or 503 with ``{"detail": ...}``. A server without ASGI's extension for that
answers 403. A client of Action Cable whose token has ended is let in, told ``token_expired`` and sent away.

Under plain uvicorn, SIGTERM closes the sockets with 1012 before the app hears of it; its cable then stops
in the lifespan's shutdown, with every ``unsubscribed`` run. ``lineside server`` drains first.

While an app runs, ``ServerHooks`` tells the server about it: ``lineside server`` finds there what to drain
when it is told to stop, and ``lineside.cable.uvicorn`` which paths are a cable's.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from lineside.cable._auth._headers import Scope
from lineside.cable._protocol._frame_size import is_too_large
from lineside.cable._protocol._wire import Wire
from lineside.cable._server._answers import Receive, ask_for_upgrade, refuse, say_goodbye
from lineside.cable._server._front_door import FrontDoor
from lineside.cable._server._handshake import Admission, Admit, HandshakeRequest, Refused
from lineside.cable._server._seam import EXTENSION, TransportDoor, install_seam
from lineside.cable._server._send_wire import Send, SendWire
from lineside.cable._server._server_hooks import STATE_KEY, ServerHooks
from lineside.cable._server._transport_wire import TransportWire

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = [
    "STATE_KEY",
    "Admission",
    "Admit",
    "CableEndpoint",
    "HandshakeRequest",
    "Refused",
    "ServerHooks",
    "install_seam",
]


class CableEndpoint(FrontDoor):
    """An ASGI app for the WebSocket connections of a cable.

    The ASGI call of a connection is its receive loop; it starts no other task.

    Args:
        cable: The cable, started by whoever owns it.
        admit: Decides who comes in; called before the upgrade.
        handshake_seconds: How long it may take; 503 then.
    """

    __slots__ = ("_tasks",)

    def __init__(self, cable: Cable, admit: Admit, *, handshake_seconds: float = 10.0) -> None:
        super().__init__(cable, admit, handshake_seconds=handshake_seconds)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await ask_for_upgrade(send)
            return
        await receive()
        try:
            admission = await self.admit(scope)
        except Refused as refusal:
            await refuse(scope, receive, send, refusal)
            return
        try:
            await self._serve(admission, scope, receive, send)
        finally:
            self.leave()

    def open(self, admission: Admission, wire: Wire) -> Connection:
        """Make the connection of one that was let in.

        Args:
            admission: What `admit` returned.
            wire: The way to its peer.
        """
        return self.cable.open(
            codec=admission.codec, wire=wire, identity=admission.identity, handshake=admission.handshake
        )

    async def _serve(self, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "websocket.accept", "subprotocol": admission.subprotocol, "headers": []})
        except OSError:
            return  # uvicorn's ClientDisconnected: the peer left during the handshake
        task = cast("asyncio.Task[None]", asyncio.current_task())
        cut = _Cut(task)
        wire = await self._wire(scope, send, cut)
        connection = self.open(admission, wire)
        try:
            await connection.start(admission.restore)
            await _read(connection, receive, self.cable.limits.frame_bytes)
        except asyncio.CancelledError:
            if not cut.done:
                raise
            task.uncancel()
            if isinstance(wire, SendWire) and wire.goodbye is not None:
                await say_goodbye(send, *wire.goodbye, seconds=self.cable.limits.close_seconds)
        finally:
            if isinstance(wire, SendWire):
                wire.lost()
            await connection.closed()

    async def _wire(self, scope: Scope, send: Send, cut: _Cut) -> SendWire | TransportWire:
        close_seconds = self.cable.limits.close_seconds
        # Taken out: the server's object holds the scope, and would hold itself.
        door = scope.get("extensions", {}).pop(EXTENSION, None)
        transport = await door.open() if isinstance(door, TransportDoor) else None
        if transport is None:
            return SendWire(send, cut, close_seconds=close_seconds)
        return TransportWire(transport, partial(self._say_goodbye, send), close_seconds=close_seconds)

    def _say_goodbye(self, send: Send, code: int, reason: str) -> None:
        seconds = self.cable.limits.close_seconds
        task = asyncio.get_running_loop().create_task(say_goodbye(send, code, reason, seconds=seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Cut:
    """Ends the receive loop of a connection: it says goodbye, or returns and the server drops the socket."""

    __slots__ = ("_task", "done")

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task
        self.done = False

    def __call__(self) -> None:
        if not self.done:
            self.done = True
            self._task.cancel()


async def _read(connection: Connection, receive: Receive, limit: int) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text: str | None = message.get("text")
        frame: str | bytes = (message.get("bytes") or b"") if text is None else text
        if is_too_large(frame, limit):
            connection.disconnect("message_too_large", reconnect=False, code=1009)
        else:
            await connection.receive(frame)
