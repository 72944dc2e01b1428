"""The way from a connection's outbox into an HTTP response that goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lineside.cable._protocol._frame import Frame

__all__ = ["EventStreamWire"]

Send = Callable[[dict[str, Any]], Awaitable[None]]


class EventStreamWire:
    """Writes frames as parts of a response's body (`lineside.cable._protocol._wire.Wire`).

    Args:
        close_seconds: How long a client may take to read what waits for it when it is sent away.
    """

    __slots__ = (
        "_close_seconds",
        "_closing",
        "_cut",
        "_flying",
        "_timer",
        "_waiting",
        "_waiting_bytes",
        "_woken",
    )

    def __init__(self, *, close_seconds: float) -> None:
        self._close_seconds = close_seconds
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._flying = 0
        self._woken = asyncio.Event()
        self._closing = False
        self._cut = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def write(self, frames: Sequence[Frame]) -> None:
        """Hand frames over (`Wire.write`)."""
        if self._closing:
            return
        for frame in frames:
            payload = frame.payload
            body = payload.encode() if isinstance(payload, str) else payload
            self._waiting.append(body)
            self._waiting_bytes += len(body)
        self._woken.set()

    def pending_bytes(self) -> int:
        """Return how many bytes the server has not taken yet (`Wire.pending_bytes`)."""
        return self._waiting_bytes + self._flying

    def is_gone(self) -> bool:
        """Tell whether the response has ended (`Wire.is_gone`)."""
        return self._closing

    def close(self, code: int, reason: str) -> None:
        """End the response behind what waits (`Wire.close`); an event stream has no close code."""
        if not self._closing:
            self._closing = True
            self._woken.set()
            self._timer = asyncio.get_running_loop().call_later(self._close_seconds, self.abort)

    def abort(self) -> None:
        """End the response at once (`Wire.abort`)."""
        self._closing = True
        self._cut.set()

    async def run(self, send: Send, gone: Awaitable[object]) -> None:
        """Send what is written until the wire is closed or the client has gone.

        Args:
            send: ASGI's ``send``; the response has begun.
            gone: Returns when the client has gone.
        """
        ends = [asyncio.ensure_future(each) for each in (self._write_on(send), gone, self._cut.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._closing = True
            if self._timer is not None:
                self._timer.cancel()
            for end in ends:
                end.cancel()
            results = await asyncio.gather(*ends, return_exceptions=True)
        # A peer that leaves while it is written to is no fault.
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                raise result

    async def _write_on(self, send: Send) -> None:
        while True:
            while self._waiting:
                body = b"".join(self._waiting)
                self._waiting.clear()
                self._waiting_bytes, self._flying = 0, len(body)
                await send({"type": "http.response.body", "body": body, "more_body": True})
                self._flying = 0
            if self._closing:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            self._woken.clear()
            await self._woken.wait()
