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
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from lineside.cable._auth._expiry import EXPIRED
from lineside.cable._auth._headers import Scope
from lineside.cable._auth._refusals import AccessRefused, TokenExpired
from lineside.cable._handshake import (
    Admission,
    Admit,
    HandshakeRequest,
    Refused,
    offered_protocols,
    restored_session,
)
from lineside.cable._seam import EXTENSION, TransportDoor, install_seam
from lineside.cable._send_wire import Send, SendWire
from lineside.cable._server_hooks import STATE_KEY, ServerHooks
from lineside.cable._transport_wire import TransportWire
from lineside.cable._wire import Wire

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._codec import Codec
    from lineside.cable._connection import Connection
    from lineside.cable._identity import Identity

__all__ = [
    "STATE_KEY",
    "Admission",
    "Admit",
    "CableEndpoint",
    "HandshakeRequest",
    "Refused",
    "ServerHooks",
    "install_seam",
    "is_too_large",
]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""ASGI's ``receive``."""

_MAX_UTF8: Final = 4
_RETRY_SECONDS: Final = "2"
_FAREWELL_SECONDS: Final = 1.0
_UNAVAILABLE: Final = 1013  # "try again later", from IANA's registry of close codes

_logger = logging.getLogger("lineside.cable")


def is_too_large(frame: str | bytes, limit: int) -> bool:
    """Tell whether a message has more bytes than a limit; its text is only encoded when that is close.

    Args:
        frame: The payload of a text or binary message.
        limit: In bytes.
    """
    size = len(frame)
    if isinstance(frame, bytes) or size > limit or size * _MAX_UTF8 <= limit:
        return size > limit
    return len(frame.encode(errors="replace")) > limit


class CableEndpoint:
    """An ASGI app for the WebSocket connections of a cable.

    The ASGI call of a connection is its receive loop; it starts no other task.

    Args:
        cable: The cable, started by whoever owns it.
        admit: Decides who comes in; called before the upgrade.
        handshake_seconds: How long it may take; 503 then.
    """

    __slots__ = ("_admit", "_handshake_seconds", "_seats", "_tasks", "cable")

    def __init__(self, cable: Cable, admit: Admit, *, handshake_seconds: float = 10.0) -> None:
        self.cable = cable
        self._admit = admit
        self._handshake_seconds = handshake_seconds
        self._seats = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await _ask_for_upgrade(send)
            return
        await receive()
        try:
            admission = await self.admit(scope)
        except Refused as refusal:
            await _refuse(scope, receive, send, refusal)
            return
        try:
            await self._serve(admission, scope, receive, send)
        finally:
            self.leave()

    async def admit(self, scope: Scope) -> Admission:
        """Let a connection in, which takes a seat: call `leave` when it has ended.

        Args:
            scope: Its ASGI scope.

        Raises:
            Refused: It is not let in; it has no seat.
        """
        self._check_room()
        self._seats += 1
        try:
            offered = offered_protocols(scope)
            codec = self.cable.codecs.choose(offered)
            if codec is None:
                raise Refused(
                    400, f"none of the offered subprotocols is known; offer one of: {self._known()}"
                )
            async with asyncio.timeout(self._handshake_seconds):
                identity = await self._identity(scope, codec)
            # A drain may have begun meanwhile.
            self._check_accepting()
        except AccessRefused as refused:
            self.leave()
            _logger.info("a connection is refused: %s (%s)", refused.message, refused.detail)
            raise Refused.because(refused) from None
        except TimeoutError:
            self.leave()
            raise _unavailable("the authentication took too long; connect again later") from None
        except BaseException:
            self.leave()
            raise
        subprotocol = codec.subprotocol if codec.subprotocol in offered else None
        return Admission(codec, identity, HandshakeRequest(scope), restored_session(scope), subprotocol)

    async def _identity(self, scope: Scope, codec: Codec) -> Identity:
        try:
            return await self._admit(scope)
        except TokenExpired:
            # Action Cable's clients cannot see the answer to a handshake: they would come back with the same
            # token for ever. AnyCable's fetch another one when a frame tells them.
            if codec.pings:
                return EXPIRED
            raise

    def leave(self) -> None:
        """Give up the seat of a connection that was let in and has ended."""
        self._seats -= 1

    def open(self, admission: Admission, wire: Wire) -> Connection:
        """Make the connection of one that was let in.

        Args:
            admission: What `admit` returned.
            wire: The way to its peer.
        """
        return self.cable.open(
            codec=admission.codec, wire=wire, identity=admission.identity, handshake=admission.handshake
        )

    def _known(self) -> str:
        codecs = self.cable.codecs
        protocols = [codecs.by_name(name).subprotocol for name in codecs.names]
        return ", ".join(protocol for protocol in protocols if protocol is not None)

    def _check_room(self) -> None:
        self._check_accepting()
        if max(self._seats, len(self.cable.connections)) >= self.cable.limits.connections:
            _logger.warning("a connection is refused: all %s are taken", self.cable.limits.connections)
            raise _unavailable("this node has no room for more connections; connect again later")

    def _check_accepting(self) -> None:
        if not self.cable.accepting:
            raise _unavailable("this node takes no connections now; connect again later")

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
                await _send_close(send, *wire.goodbye, seconds=self.cable.limits.close_seconds)
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
        task = asyncio.get_running_loop().create_task(_send_close(send, code, reason, seconds=seconds))
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


async def _send_close(send: Send, code: int, reason: str, *, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await send({"type": "websocket.close", "code": code, "reason": reason})
    except (OSError, RuntimeError, TimeoutError) as error:
        # uvicorn's words for a peer that has closed by itself in the meantime, or does not read.
        _logger.debug("a connection was closed before it could be: %r", error)


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refused) -> None:
    with suppress(OSError, TimeoutError):  # the peer has gone: nobody is left to be told
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": refusal.close_code, "reason": ""})
            return
        await _answer(send, "websocket.http.response", refusal)
        async with asyncio.timeout(_FAREWELL_SECONDS):
            # uvicorn logs an error for a call that returns before the socket of a refused peer is gone;
            # it says so once when the answer is complete, and once more when the socket is closed.
            await receive()
            await receive()


async def _ask_for_upgrade(send: Send) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}  # RFC 9110 section 15.5.22
    message = "this is a WebSocket endpoint; connect with a WebSocket client"
    await _answer(send, "http.response", Refused(HTTPStatus.UPGRADE_REQUIRED, message, headers=headers))


async def _answer(send: Send, kind: str, refusal: Refused) -> None:
    await send({"type": f"{kind}.start", "status": refusal.status.value, "headers": refusal.raw_headers})
    await send({"type": f"{kind}.body", "body": refusal.body, "more_body": False})


def _unavailable(message: str) -> Refused:
    return Refused(503, message, close_code=_UNAVAILABLE, headers={"Retry-After": _RETRY_SECONDS})
