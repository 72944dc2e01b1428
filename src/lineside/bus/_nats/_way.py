"""Where this node is in the log, and what it knows because it came all the way."""

import asyncio
import time

from lineside.bus._nats._known import Known
from lineside.bus._nats._log import LogState

__all__ = ["Way"]


class Way:
    """A node's way through the log.

    Attributes:
        known: What it has read.
        epoch: The log's epoch; empty before the beginning.
        position: The last sequence that was taken.
        taken_at: When that was stored, by the server's clock; None where that is not known.
    """

    def __init__(self) -> None:
        self.known = Known()
        self.epoch = ""
        self.position = 0
        self.taken_at: float | None = None
        self._moved = asyncio.Event()

    def begin_at_end(self, log: LogState) -> None:
        """Begin behind everything that is there.

        Args:
            log: The log as it is now.
        """
        self._begin(log.epoch, log.last, log.last_at)

    def begin_at_start(self, log: LogState) -> None:
        """Begin in front of the oldest message: all of another life of the log is news.

        Args:
            log: The log as it is now.
        """
        self._begin(log.epoch, log.first - 1, None)

    def go(self, sequence: int, stored_at: float) -> None:
        """Go on to the next message.

        Args:
            sequence: Its sequence.
            stored_at: When it was stored.
        """
        self.position, self.taken_at = sequence, stored_at
        self._moved.set()

    def leap(self, sequence: int) -> None:
        """Go over a hole: nothing is known of what was in it.

        Args:
            sequence: Its last sequence.
        """
        self._begin(self.epoch, sequence, self.taken_at)

    async def reach(self, sequence: int, *, timeout_seconds: float) -> bool:
        """Wait until everything up to a sequence has been taken; tell whether it has.

        Args:
            sequence: The sequence.
            timeout_seconds: How long to wait.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while self.position < sequence:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def _begin(self, epoch: str, position: int, taken_at: float | None) -> None:
        self.epoch, self.position, self.taken_at = epoch, position, taken_at
        self.known.begin(position, time.time())
        self._moved.set()
