"""What waits for a client to read: bounded, and written once per turn of the event loop.

Pushing a frame never waits. All that was pushed to a connection within one turn of the loop leaves in
one write: under load this is what beats the price of a system call per message.
"""

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from lineside.cable._core._flusher import Flusher
from lineside.cable._protocol._frame import Frame
from lineside.cable._protocol._limits import CableLimits
from lineside.cable._protocol._wire import Wire

__all__ = ["Outbox", "OutboxOwner"]

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
        "_max_bytes",
        "_max_frames",
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
        self._max_bytes = limits.outbox_bytes
        self._max_frames = limits.outbox_frames
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
        frames, flusher = self.frames, self._flusher
        if flusher.shared:
            flusher.settle()
        if not frames and not self._waits:
            if self.closed:
                return
            flusher.add(self)
        frames.append(frame)
        size = self.size = self.size + frame.size
        if size > self._max_bytes or len(frames) > self._max_frames:
            self._overflow()

    def pass_on(self, frames: list[Frame], size: int) -> None:
        """Hand frames over at once if nothing waits and the wire has little to do; else they wait.

        Args:
            frames: What the whole audience is sent; the list is shared.
            size: Their size.
        """
        unasked = self._unasked + size
        if self.size or self._waits or self.closed or unasked > self._may_wait:
            for frame in frames:
                self.push(frame)
            return
        self._unasked = unasked
        self.wire.write(frames)

    def flush(self) -> None:
        """Hand over what waits, unless the wire has enough to do."""
        self._waits = False
        frames = self.frames
        if not frames:
            return
        # Asking the wire each time would cost as much as half a write, for clients that do read.
        unasked = self._unasked = self._unasked + self.size
        if unasked > self._may_wait and self._congested():
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
            self._flusher.settle()
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
