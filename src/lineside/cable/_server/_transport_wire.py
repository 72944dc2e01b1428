"""The short way to a peer: finished frames straight into the event loop's transport."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from lineside.cable._protocol._frame import Frame

__all__ = ["Goodbye", "TransportWire", "short_reason"]

Goodbye = Callable[[int, str], None]
"""Begins the closing handshake with a code and a reason, behind what has been written."""

_MAX_REASON_BYTES: Final = 123


def short_reason(reason: str) -> str:
    """Return as much of a close reason as a close frame holds: 123 bytes (RFC 6455 section 5.5).

    Args:
        reason: The reason, of any length.
    """
    return reason.encode(errors="replace")[:_MAX_REASON_BYTES].decode(errors="ignore")


class TransportWire:
    """A wire (`lineside.cable._protocol._wire.Wire`) over an asyncio transport.

    Everything that is written at once leaves in one ``write``: one system call, whatever the number of
    frames. The transport stays the server's: it is never closed here in good order, only aborted when the
    peer has not read what waits for it in time.

    Args:
        transport: The connection's transport, its handshake done.
        goodbye: Says goodbye in the server's own way.
        close_seconds: How long the peer may take to read what waits, once it is being closed.
    """

    __slots__ = ("_close_seconds", "_closed", "_goodbye", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, goodbye: Goodbye, *, close_seconds: float) -> None:
        self._transport = transport
        self._goodbye: Goodbye | None = goodbye
        self._close_seconds = close_seconds
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    def write(self, frames: Sequence[Frame]) -> None:
        """Write frames in one go; see `Wire`."""
        if self._closed:
            return
        try:
            self._transport.write(
                frames[0].wire if len(frames) == 1 else b"".join([each.wire for each in frames])
            )
        except RuntimeError:
            # uvloop's word for a transport whose peer has gone in this turn; asking first costs each write.
            self._closed = True

    def pending_bytes(self) -> int:
        """Return what the kernel has not taken yet; see `Wire`."""
        return 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()

    def is_gone(self) -> bool:
        """Tell whether the transport is closed, or about to be; see `Wire`."""
        return self._transport.is_closing()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye behind what was written, and cut after ``close_seconds``; see `Wire`."""
        if self._closed:
            return
        self._closed = True
        goodbye, self._goodbye = self._goodbye, None
        if goodbye is None or (self._transport.is_closing() and not self._transport.get_write_buffer_size()):
            return
        self._timer = asyncio.get_running_loop().call_later(self._close_seconds, self._transport.abort)
        goodbye(code, short_reason(reason))

    def abort(self) -> None:
        """Cut the connection; see `Wire`."""
        self._closed = True
        self._transport.abort()

    def lost(self) -> None:
        """Take notice that the transport is gone."""
        self._closed = True
        self._goodbye = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
