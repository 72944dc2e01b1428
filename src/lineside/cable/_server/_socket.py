"""A client's socket with nothing between it and its connection: no ASGI call, no task, no queue."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from lineside.cable._server._eager import run_eagerly
from lineside.cable._server._keepalive import Keepalive
from lineside.cable._server._rfc6455 import (
    CloseFrame,
    FrameFault,
    FrameReader,
    Incoming,
    Opcode,
    Ping,
    Pong,
    close_frame,
    control_frame,
)
from lineside.cable._server._transport_wire import TransportWire

if TYPE_CHECKING:
    from lineside.cable._core._connection import Connection
    from lineside.cable._server._handshake import Admission
    from lineside.cable.asgi import CableEndpoint

__all__ = ["CableSocket"]

_RESTART: Final = 1012
_TOO_BIG: Final = 1009

_logger = logging.getLogger("lineside.cable")


class CableSocket(asyncio.Protocol):
    """An asyncio protocol for one client of a cable, its handshake done.

    Frames are read and handed on in the callback that brought them. A task exists only while the
    connection makes its peer wait; the socket is not read meanwhile.

    Args:
        transport: The connection's, its reading paused; ``open`` makes this its protocol, and reads on.
        endpoint: Where it was let in.
        keepalive: Asks it whether it lives; None for nobody.
        connections: What the server closes when it stops: all that have ``shutdown``.
        tasks: What the server waits for when it stops.
    """

    __slots__ = (
        "_asked",
        "_busy",
        "_closing",
        "_connection",
        "_connections",
        "_deaf",
        "_endpoint",
        "_heard",
        "_inbox",
        "_keepalive",
        "_lost",
        "_opening",
        "_paused",
        "_place",
        "_reader",
        "_tasks",
        "_transport",
        "_wire",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        endpoint: "CableEndpoint",
        *,
        keepalive: Keepalive | None,
        connections: set[Any],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._keepalive = keepalive
        self._connections = connections
        self._tasks = tasks
        self._connection: Connection | None = None
        self._wire = TransportWire(
            transport, self._say_goodbye, close_seconds=endpoint.cable.limits.close_seconds
        )
        self._reader: FrameReader | None = None
        self._inbox: list[str | bytes] = []
        self._place = 0
        self._opening = self._busy = self._paused = self._heard = True
        self._asked = self._closing = self._deaf = self._lost = False

    async def open(self, admission: "Admission") -> None:
        """Take the transport over and begin the connection.

        Args:
            admission: Who was let in.
        """
        self._transport.set_protocol(self)
        self._connections.add(self)
        if self._keepalive is not None:
            self._place = self._keepalive.add(self)
        connection = self._connection = self._endpoint.open(admission, self._wire)
        try:
            await connection.start(admission.restore)
        except Exception:
            _logger.exception("connection %s could not begin", connection.id)
            self._transport.abort()
        finally:
            self._opening = False
            if self._lost:
                await self._end(connection)
        await self._deliver()

    # -- what the event loop calls ----------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read frames; see `asyncio.Protocol`."""
        self._heard = True
        if self._deaf:
            return
        reader = self._reader or FrameReader(self._endpoint.cable.limits.frame_bytes)
        try:
            incoming = reader.feed(data)
        except FrameFault as fault:
            self._fail(fault)
            return
        # A reader that holds nothing is thrown away: an idle connection has none.
        self._reader = None if reader.idle else reader
        for message in incoming:
            self._take(message)
        if self._inbox and not self._busy:
            self._busy = True
            waiting = run_eagerly(self._deliver())
            if waiting is not None and not self._transport.is_closing():
                self._paused = True
                self._transport.pause_reading()
            self._keep(waiting)

    def eof_received(self) -> None:
        """Let the transport close, as it does when nothing is returned; see `asyncio.Protocol`."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection; see `asyncio.Protocol`."""
        self._lost = self._deaf = True
        self._inbox = []
        self._reader = None
        self._wire.lost()
        self._connections.discard(self)
        if self._keepalive is not None:
            self._keepalive.remove(self, self._place)
        if self._connection is not None and not self._opening:
            self._keep(run_eagerly(self._end(self._connection)))

    # -- what the server and the keepalive call ----------------------------------

    def shutdown(self) -> None:
        """Close as uvicorn does when it stops: 1012, "service restart"."""
        if not self._closing:
            self._closing = self._deaf = True
            self._transport.write(close_frame(_RESTART))
        self._transport.close()

    def ask(self) -> None:
        """Ping a silent peer, cut one that does not answer; see `lineside.cable._server._keepalive.Kept`."""
        if self._heard:
            self._heard = self._asked = False
        elif self._asked:
            _logger.info("a peer does not answer pings; it is cut off")
            self._wire.abort()
        elif not self._transport.is_closing():
            self._asked = True
            self._transport.write(control_frame(Opcode.PING))

    # -- inside -------------------------------------------------------------------

    def _take(self, message: Incoming) -> None:
        if isinstance(message, Ping):
            if not self._closing:
                self._transport.write(control_frame(Opcode.PONG, message.payload))
        elif isinstance(message, CloseFrame):
            self._deaf = True
            if not self._closing:
                self._closing = True
                self._transport.write(close_frame(message.code))
            self._transport.close()
        elif not isinstance(message, Pong) and not self._closing and not self._deaf:
            self._inbox.append(message)

    async def _deliver(self) -> None:
        try:
            while self._inbox:
                inbox, self._inbox = self._inbox, []
                for frame in inbox:
                    connection = self._connection
                    if connection is None:
                        return
                    await connection.receive(frame)
        finally:
            self._busy = False
            if self._paused and not self._transport.is_closing():
                self._paused = False
                self._transport.resume_reading()

    async def _end(self, connection: "Connection") -> None:
        self._connection = None
        try:
            await connection.closed()
        finally:
            self._endpoint.leave()

    def _fail(self, fault: FrameFault) -> None:
        """Fail the connection (RFC 6455 section 7.1.7): nothing is read any more, not even a goodbye."""
        self._deaf = True
        connection = self._connection
        if fault.code == _TOO_BIG and connection is not None:
            connection.disconnect("message_too_large", reconnect=False, code=_TOO_BIG)
        else:
            self._wire.close(fault.code, fault.reason)

    def _say_goodbye(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            self._transport.write(close_frame(code, reason))
        if self._deaf:
            self._transport.close()

    def _keep(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("a connection failed", exc_info=error)
            self._transport.abort()
