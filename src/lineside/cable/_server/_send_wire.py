"""The long way to a peer, which every ASGI server has: its ``send``."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from lineside.cable._protocol._frame import Frame
from lineside.cable._server._transport_wire import short_reason

__all__ = ["Send", "SendWire"]

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""ASGI's ``send``."""

_logger = logging.getLogger("lineside.cable")


class SendWire:
    """A wire (`lineside.cable._protocol._wire.Wire`) over ASGI's ``send``.

    One task writes while there is something to write, and ends when there is not: an idle connection has
    none, a delivery never starts one of its own. What waits is bounded by the outbox in front, which asks
    for ``pending_bytes`` first.

    The goodbye is not written here: a server may hold it back while somebody waits for its ``receive``, as
    granian does. The receive loop is ended, and says it.

    Args:
        send: The connection's, the handshake done.
        cut: Ends the receive loop of the connection, when `goodbye` is to be said or there is none to say.
        close_seconds: How long the peer may take to read what waits, once it is being closed.

    Attributes:
        goodbye: The close code and reason, once it is being closed in good order.
    """

    __slots__ = (
        "_close_seconds",
        "_closed",
        "_cut",
        "_pending",
        "_send",
        "_task",
        "_timer",
        "_waiting",
        "goodbye",
    )

    def __init__(self, send: Send, cut: Callable[[], None], *, close_seconds: float) -> None:
        self._send = send
        self._cut = cut
        self._close_seconds = close_seconds
        self._waiting: deque[Frame] = deque()
        self._pending = 0
        self._closed = False
        self.goodbye: tuple[int, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def write(self, frames: Sequence[Frame]) -> None:
        """Hand frames to the writer; see `Wire`."""
        if self._closed:
            return
        self._waiting.extend(frames)
        self._pending += sum([frame.size for frame in frames])
        self._begin()

    def pending_bytes(self) -> int:
        """Return what the server has not taken yet; see `Wire`."""
        return self._pending

    def is_gone(self) -> bool:
        """Tell whether the server could not write any more; see `Wire`."""
        return self._closed

    def close(self, code: int, reason: str) -> None:
        """Close behind what was written, and cut after ``close_seconds``; see `Wire`."""
        if self._closed:
            return
        self._closed = True
        self.goodbye = (code, short_reason(reason))
        self._timer = asyncio.get_running_loop().call_later(self._close_seconds, self.abort)
        self._begin()

    def abort(self) -> None:
        """Cut the connection; see `Wire`."""
        self.lost()
        self._cut()

    def lost(self) -> None:
        """Take notice that the peer is gone."""
        self._closed = True
        self.goodbye = None
        self._waiting.clear()
        self._pending = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            await self._write_all()
        except Exception as error:  # noqa: BLE001 - each server has its own way to say that the peer is gone
            # The receiving side of the connection is told too, and ends it there.
            _logger.debug("a peer is gone while it is written to: %r", error)
            self._closed = True
            self._waiting.clear()
            self._pending = 0
        finally:
            self._task = None

    async def _write_all(self) -> None:
        while self._waiting:
            frame = self._waiting.popleft()
            kind = "text" if isinstance(frame.payload, str) else "bytes"
            await self._send({"type": "websocket.send", kind: frame.payload})
            self._pending = max(0, self._pending - frame.size)
        if self.goodbye is not None:
            self._cut()
