"""What waits for a client to read: bounded, and written once per turn of the event loop.

Pushing a frame never waits. All that was pushed to a connection within one turn of the loop leaves in
one write: under load this is what beats the price of a system call per message.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from lineside.cable._frame import Frame
from lineside.cable._limits import CableLimits
from lineside.cable._wire import Wire

__all__ = ["Flusher", "Outbox", "OutboxOwner"]

_CONGESTED_RETRY_SECONDS: Final = 0.05
_WIRE_SHARE: Final = 4
_WIRE_BYTES: Final = 262_144


class OutboxOwner(Protocol):
    """The connection that an outbox belongs to."""

    def outbox_overflowed(self) -> None:
        """Take notice that the client is too slow; called once."""
        ...

    def outbox_recovered(self) -> None:
        """Take notice that frames were dropped, and that there is room again."""
        ...


class Flusher:
    """Writes the outboxes of one event loop that have something to say.

    Args:
        call_soon: The loop's ``call_soon``; default: that of the running loop.
    """

    __slots__ = ("_call_soon", "_congested", "_dirty", "_scheduled", "_timer")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object] | None = None) -> None:
        self._call_soon = call_soon
        self._dirty: list[Outbox] = []
        self._congested: list[Outbox] = []
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None

    def add(self, outbox: "Outbox") -> None:
        """Write this outbox at the end of the turn.

        Args:
            outbox: One that has just got its first frame.
        """
        self._dirty.append(outbox)
        if not self._scheduled:
            self._scheduled = True
            if self._call_soon is None:
                asyncio.get_running_loop().call_soon(self.flush)
            else:
                self._call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits, now."""
        self._scheduled = False
        dirty, self._dirty = self._dirty, []
        for outbox in dirty:
            outbox.flush()

    def retry(self, outbox: "Outbox") -> None:
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


class Outbox:
    """The frames that one connection has not been given yet.

    Args:
        wire: Where they go.
        limits: How many frames and bytes may wait, and what happens then.
        flusher: Writes them at the end of the turn.
        owner: Is told when there are too many.
    """

    __slots__ = (
        "_dropped",
        "_flusher",
        "_limits",
        "_may_wait",
        "_owner",
        "_room",
        "_unasked",
        "_waits",
        "closed",
        "frames",
        "size",
        "wire",
    )

    def __init__(self, wire: Wire, limits: CableLimits, flusher: Flusher, owner: OutboxOwner) -> None:
        self.wire: Wire = wire
        self.frames: list[Frame] = []
        self.size: int = 0
        self.closed: bool = False
        self._limits = limits
        self._flusher = flusher
        self._owner = owner
        self._waits = False
        self._dropped = False
        self._may_wait = min(_WIRE_BYTES, limits.outbox_bytes // _WIRE_SHARE)
        self._unasked = 0
        self._room: asyncio.Event | None = None

    @property
    def crowded(self) -> bool:
        """Half of what may wait does."""
        limits = self._limits
        return self.size * 2 > limits.outbox_bytes or len(self.frames) * 2 > limits.outbox_frames

    async def room(self) -> None:
        """Wait until the peer has read so much that what waits could be handed over.

        One that reads nothing in ``close_seconds`` is too slow.
        """
        while self.crowded and not self.closed:
            before = self.wire.pending_bytes()
            room = self._room = asyncio.Event()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.close_seconds):
                    await room.wait()
                    continue
            if self.wire.pending_bytes() >= before:
                self._overflow()
                return

    def push(self, frame: Frame) -> None:
        """Add a frame; it leaves at the end of the turn.

        Args:
            frame: The same object for every connection that is sent it.
        """
        frames = self.frames
        if not frames and not self._waits:
            if self.closed:
                return
            self._flusher.add(self)
        frames.append(frame)
        self.size += frame.size
        if self.size > self._limits.outbox_bytes or len(frames) > self._limits.outbox_frames:
            self._overflow()

    def flush(self) -> None:
        """Hand over what waits, unless the wire has enough to do."""
        self._waits = False
        frames = self.frames
        if self.closed or not frames:
            return
        # Asking the wire each time would cost as much as half a write, for clients that do read.
        self._unasked += self.size
        if self._unasked > self._may_wait and self._congested():
            self._waits = True
            self._flusher.retry(self)
            return
        self.size = 0
        self.wire.write(frames)
        frames.clear()
        self._made_room()
        if self._dropped:
            self._dropped = False
            self._owner.outbox_recovered()

    def _congested(self) -> bool:
        pending = self.wire.pending_bytes()
        self._unasked = pending
        return pending > self._may_wait

    def close(self) -> None:
        """Hand over what waits and take nothing more."""
        if not self.closed:
            if self.frames:
                frames, self.frames, self.size = self.frames, [], 0
                self.wire.write(frames)
            self.closed = True
            self._waits = False
            self._made_room()

    def discard(self) -> None:
        """Forget what waits and take nothing more."""
        self.closed = True
        self._waits = False
        self.frames, self.size = [], 0
        self._made_room()

    def _made_room(self) -> None:
        room = self._room
        if room is not None:
            self._room = None
            room.set()

    def _overflow(self) -> None:
        if not self._congested():
            # Much was said within one turn, to a client that reads: that is no reason to lose it.
            self.flush()
            return
        if self._limits.slow_client == "drop_oldest":
            self._drop_oldest()
            return
        self.discard()
        self._owner.outbox_overflowed()

    def _drop_oldest(self) -> None:
        first = not self._dropped
        self._dropped = True
        half = max(1, len(self.frames) // 2)
        self.size -= sum(frame.size for frame in self.frames[:half])
        del self.frames[:half]
        if first:
            self._owner.outbox_overflowed()
