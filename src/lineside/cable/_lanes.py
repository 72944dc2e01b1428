"""Commands in order: one lane for each subscription, one for everything else of a connection.

Lanes run beside each other, so that a slow action holds up nobody but its own subscription.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from lineside.cable._commands import Command

__all__ = ["Lanes"]


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

    async def room(self) -> None:
        """Wait until fewer commands wait than may: the socket is not read meanwhile."""
        while self.pending >= self._limit:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

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
        if self._room is not None and self.pending < self._limit:
            self._room.set()
            self._room = None

    async def close(self, seconds: float) -> None:
        """Forget what waits, let what runs end, and cancel what takes longer.

        Args:
            seconds: How long that may take.
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
            await asyncio.wait(late)
