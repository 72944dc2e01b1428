"""The regular looks at every connection: pings, silence, and tokens that end while one is connected.

A period is cut into slices, and each connection belongs to one: twenty thousand pings are no burst.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from lineside.cable._core._connection import Connection
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._events import PingEvent
from lineside.cable._protocol._frame import Frame

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["CLOSE_TOKEN_EXPIRED", "Pulse"]

CLOSE_TOKEN_EXPIRED: Final = 4408
CLOSE_NO_PONG: Final = 4411
CLOSE_IDLE: Final = 4412
_SLICES: Final = 30

_logger = logging.getLogger("lineside.cable")


class Pulse:
    """Looks at every connection of a node once in ``ping_seconds``.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable
        self._slices: list[dict[Connection, None]] = [{} for _ in range(_SLICES)]
        self._slice_of: dict[Connection, int] = {}
        self._next = 0
        self._last_time = 0
        self._task: asyncio.Task[None] | None = None

    def add(self, connection: Connection) -> None:
        """Look at a connection from now on; its first ping comes a whole period later."""
        self._slices[self._next][connection] = None
        self._slice_of[connection] = self._next

    def remove(self, connection: Connection) -> None:
        """Look at a connection no longer."""
        number = self._slice_of.pop(connection, None)
        if number is not None:
            self._slices[number].pop(connection, None)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._cable.limits.ping_seconds / _SLICES)
            self._next = (self._next + 1) % _SLICES
            self.beat(self._slices[self._next])

    def beat(self, connections: dict[Connection, None]) -> None:
        """Ping these connections, and end those that are silent or whose time is over.

        Args:
            connections: One slice.
        """
        now, monotonic = self._cable.clock(), self._cable.monotonic()
        pings: dict[Codec, Frame | None] = {}
        for connection in list(connections):
            try:
                if not self._end_if_due(connection, now, monotonic):
                    self._send_ping(connection, now, pings)
            except Exception:  # a codec or a wire of the app's own: the others are looked at all the same
                _logger.exception("connection %s could not be looked at", connection.id)

    def _send_ping(self, connection: Connection, now: float, pings: dict[Codec, Frame | None]) -> None:
        codec = connection.codec
        if codec not in pings:
            pings[codec] = self._ping(codec, now)
        frame = pings[codec]
        if frame is not None:
            connection.outbox.push(frame)

    def _ping(self, codec: Codec, now: float) -> Frame | None:
        if not codec.pings:
            return None
        # Clients take a ping for a stale one unless its time has grown.
        self._last_time = max(int(now), self._last_time)
        payload = codec.encode(PingEvent(self._last_time))
        return None if payload is None else Frame(payload)

    def _end_if_due(self, connection: Connection, now: float, monotonic: float) -> bool:
        limits = self._cable.limits
        pong, idle = limits.pong_seconds, limits.idle_seconds
        expires_at = connection.identity.expires_at
        silent = monotonic - connection.heard_at
        if expires_at is not None and now >= expires_at:
            connection.disconnect("token_expired", reconnect=False, code=CLOSE_TOKEN_EXPIRED)
        elif pong is not None and connection.codec.restores and silent > pong:
            connection.disconnect("no_pong", reconnect=True, code=CLOSE_NO_PONG)
        elif idle is not None and not connection.subscriptions and silent > idle:
            connection.disconnect("idle_timeout", reconnect=False, code=CLOSE_IDLE)
        else:
            return False
        return True
