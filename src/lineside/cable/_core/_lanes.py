"""Commands in order: one lane for each subscription, one for everything else of a connection.

Lanes run beside each other, so that a slow action holds up nobody but its own subscription.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from lineside.cable._protocol._commands import Command

__all__ = ["Lanes"]

_logger = logging.getLogger("lineside.cable")


class Lanes:
    """What a connection's client has asked for and has not got yet.

    Args:
        run: Does one command; it never raises.
        limit: How many may wait before `room` does.
    """

    __slots__ = ("_limit", "_room", "_run", "_tasks", "_waiting", "pending")

    def __init__(self, run: Callable[[Command], Awaitable[None]], limit: int) -> None:
        self._run = run
        self._limit = limit
        self._waiting: dict[str, deque[Command]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._room: asyncio.Event | None = None
        self.pending = 0

    def put(self, lane: str, command: Command) -> None:
        """Do a command after those before it in its lane.

        Args:
            lane: The subscription's identifier, or ``""``.
            command: What to do.
        """
        self.pending += 1
        waiting = self._waiting.get(lane)
        if waiting is not None:
            waiting.append(command)
            return
        self._waiting[lane] = deque((command,))
        self._tasks[lane] = asyncio.get_running_loop().create_task(self._work(lane))

    async def room(self, *, gone: Callable[[], bool], look_seconds: float) -> None:
        """Wait until fewer commands wait than may: the socket is not read meanwhile.

        Args:
            gone: Tells whether nobody waits for the commands any more; then this waits no more either.
            look_seconds: How often that is asked: from a socket that is not read nobody hears of its end.
        """
        loop = asyncio.get_running_loop()
        while self.pending >= self._limit and not gone():
            if self._room is None:
                self._room = asyncio.Event()
            look = loop.call_later(look_seconds, self.wake)
            try:
                await self._room.wait()
            finally:
                look.cancel()

    def wake(self) -> None:
        """Let whoever waits for room look again."""
        if self._room is not None:
            self._room.set()
            self._room = None

    async def _work(self, lane: str) -> None:
        waiting = self._waiting[lane]
        try:
            while waiting:
                command = waiting.popleft()
                try:
                    await self._run(command)
                finally:
                    self._done(1)
        finally:
            del self._waiting[lane]
            self._tasks.pop(lane, None)

    def _done(self, count: int) -> None:
        self.pending -= count
        if self.pending < self._limit:
            self.wake()

    async def close(self, seconds: float) -> None:
        """Forget what waits, let what runs end, and cancel what takes longer.

        What cannot be cancelled, such as a plain function in a thread, is not waited for any longer.

        Args:
            seconds: How long each of the two may take.
        """
        for waiting in self._waiting.values():
            self._done(len(waiting))
            waiting.clear()
        current = asyncio.current_task()
        running = [task for task in self._tasks.values() if task is not current]
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            _, stuck = await asyncio.wait(late, timeout=seconds)
            if stuck:
                _logger.error(
                    "%s commands of a client that is gone cannot be cancelled; they still run", len(stuck)
                )
