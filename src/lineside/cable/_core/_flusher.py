"""Writes what waits for clients, once per turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from lineside.cable._protocol._frame import Frame

if TYPE_CHECKING:
    from lineside.cable._core._outbox import Outbox

__all__ = ["Flusher"]

_CONGESTED_RETRY_SECONDS: Final = 0.05


class Flusher:
    """Writes the outboxes of one event loop that have something to say.

    Args:
        call_soon: The loop's ``call_soon``; default: that of the running loop.

    Attributes:
        shared: The audiences that have been given a frame which no outbox has yet. The only message of a
            turn goes from here to the wires, without a stay in every outbox; whatever else is said in the
            turn settles it first, so that it comes behind it, in the same write.
    """

    __slots__ = ("_call_soon", "_congested", "_dirty", "_timer", "shared")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object] | None = None) -> None:
        self._call_soon = call_soon
        self._dirty: list[Outbox] = []
        self.shared: list[tuple[Mapping[str, Outbox], Frame]] = []
        self._congested: list[Outbox] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, outbox: Outbox) -> None:
        """Write this outbox at the end of the turn.

        Args:
            outbox: One that has just got its first frame.
        """
        if not self._dirty and not self.shared:
            self._schedule()
        self._dirty.append(outbox)

    def share(self, outboxes: Mapping[str, Outbox], frame: Frame) -> None:
        """Send a frame to a whole audience at the end of the turn.

        Args:
            outboxes: The audience; it settles before it changes.
            frame: What they are sent.
        """
        if not self._dirty and not self.shared:
            self._schedule()
        self.shared.append((outboxes, frame))

    def settle(self) -> None:
        """Put what was shared into the outboxes."""
        if not self.shared:
            return
        shared, self.shared = self.shared, []
        for outboxes, frame in shared:
            for outbox in outboxes.values():
                outbox.push(frame)

    def flush(self) -> None:
        """Write what waits, now."""
        if self._dirty:
            self.settle()
        dirty, self._dirty = self._dirty, []
        shared, self.shared = self.shared, []
        for outbox in dirty:
            outbox.flush()
        for outboxes, frame in shared:
            frames, size = [frame], frame.size
            for outbox in outboxes.values():
                outbox.pass_on(frames, size)

    def _schedule(self) -> None:
        if self._call_soon is None:
            asyncio.get_running_loop().call_soon(self.flush)
        else:
            self._call_soon(self.flush)

    def retry(self, outbox: Outbox) -> None:
        """Look at this outbox again soon: its peer reads slowly.

        Args:
            outbox: One whose wire still has enough to do.
        """
        self._congested.append(outbox)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_CONGESTED_RETRY_SECONDS, self._retry)

    def _retry(self) -> None:
        self._timer = None
        congested, self._congested = self._congested, []
        for outbox in congested:
            outbox.flush()

    def close(self) -> None:
        """Write what waits and stop the timer."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._congested.clear()
