"""One stream as this process has it: one subscription to the backend, and many of its own.

Messages with history are delivered in the order of their offsets. The log is the truth, and the live
messages are its echo: a hole is filled from the log before anything behind it is delivered.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from lineside.bus._backoff import Backoff
from lineside.bus._contract import Backend, History
from lineside.bus._errors import BusError
from lineside.bus._message import Discontinuity, Message, Position, Slice
from lineside.bus._stats import BusStats
from lineside.bus._subscription import BusSubscription

__all__ = ["Host", "LocalStream"]

_HELD_MESSAGES: Final = 1_000
_HELD_BYTES: Final = 8 * 1024 * 1024

_logger = logging.getLogger("lineside.bus")


class Host(Protocol):
    """What a stream needs of its bus.

    Attributes:
        backend: Carries the messages.
        stats: Counts.
        reads: Bounds how many logs are read at a time.
    """

    backend: Backend
    stats: BusStats
    reads: asyncio.Semaphore

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside; the bus ends it when it is closed."""
        ...

    async def until_connected(self) -> None:
        """Wait until the server can be reached."""
        ...


class LocalStream:
    """A stream with its listeners in this process.

    Args:
        name: The stream's name.
        host: The bus.
    """

    __slots__ = (
        "_again",
        "_filling",
        "_held",
        "_held_bytes",
        "_host",
        "_log",
        "epoch",
        "last",
        "name",
        "subscriptions",
    )

    def __init__(self, name: str, host: Host) -> None:
        self.name = name
        self.subscriptions: dict[BusSubscription, None] = {}
        self.epoch = ""
        self.last = 0
        self._host = host
        self._log: History | None = None
        self._held: dict[int, Message] = {}
        self._held_bytes = 0
        self._filling: asyncio.Task[None] | None = None
        self._again = False

    @property
    def kept(self) -> bool:
        """Its messages with history are delivered in order, without holes."""
        return self._log is not None

    @property
    def position(self) -> Position | None:
        """Everything up to here has been delivered."""
        return Position(self.epoch, self.last) if self.epoch else None

    async def open(self, *, history: bool) -> None:
        """Go live, and with history find the position to begin at.

        Args:
            history: Its messages are kept.
        """
        if not history or self._host.backend.history is None:
            await self._host.backend.subscribe(self.name, history=False)
            return
        self._log = self._host.backend.history
        try:
            await self._host.backend.subscribe(self.name, history=True)
            # Behind the subscription: what comes in between is in the log, or is held, or both.
            found = await self._log.read(self.name, limit=0)
        except BaseException:
            self._log = None
            self._release()
            raise
        if not self.epoch:
            self.epoch, self.last = found.epoch, found.last_offset
        self._deliver_held()
        if self._held or self._again:
            self.check()

    def close(self) -> None:
        """Stop what is under way."""
        if self._filling is not None:
            self._filling.cancel()

    def received(self, message: Message) -> None:
        """Take a message with a position, live from the backend.

        Args:
            message: The message.
        """
        position, log = message.position, self._log
        if position is None or log is None:
            self.deliver(message)
        elif self._filling is not None or not self.epoch:
            self._hold(message)
        elif position.epoch != self.epoch:
            self.check()
        elif position.offset == self.last + 1 or (position.offset > self.last and not log.contiguous):
            self.last = position.offset
            self.deliver(message)
        elif position.offset <= self.last:
            self._host.stats.count("duplicates")
        else:
            self._hold(message)
            self.check()

    def interrupted(self, discontinuity: Discontinuity) -> None:
        """Take notice that the backend has lost messages of this stream.

        Args:
            discontinuity: From where on it is live again.
        """
        if self._log is None:
            return
        self._release()
        self._jump(discontinuity)

    def check(self) -> None:
        """Compare with the log, and deliver what is missing."""
        self._again = True
        if self._filling is None and self._log is not None and self.epoch:
            self._filling = self._host.spawn(self._fill(self._log))

    async def verify(self) -> None:
        """Look whether the log has something that has not come, without holding back what does."""
        log = self._log
        if log is None or not log.contiguous or self._filling is not None or not self.epoch:
            return
        last = self.last
        async with self._host.reads:
            found = await log.read(self.name, limit=0)
        if found.epoch != self.epoch or found.last_offset > self.last or found.last_offset < last:
            self.check()

    def deliver(self, message: Message | Discontinuity) -> None:
        """Call every listener.

        Args:
            message: What to tell them.
        """
        for subscription in tuple(self.subscriptions):
            if subscription.closed:
                continue
            try:
                subscription.listener(message)
            except Exception:  # one listener's fault is none of the others'
                self._host.stats.count("listener_errors")
                _logger.exception("a listener of the stream %r failed", self.name)
        self._host.stats.count("delivered")

    async def _fill(self, log: History) -> None:
        try:
            while self._again or self._held:
                self._again = False
                # What is held beyond the log's end, when it is read later, is in no log.
                known = max(self._held, default=0)
                found = await self._read(log)
                self._take(found, log)
                self._release(up_to=max(known, self.last))
                self._deliver_held()
        finally:
            self._filling = None

    async def _read(self, log: History) -> Slice:
        backoff = Backoff()
        while True:
            try:
                async with self._host.reads:
                    return await log.read(self.name, after=Position(self.epoch, self.last))
            except BusError as error:
                _logger.debug("cannot read the log of %r yet: %s", self.name, error)
            except Exception:  # whatever it is, the stream must not stand still for ever
                _logger.exception("reading the log of %r failed; trying again", self.name)
            await self._host.until_connected()
            await asyncio.sleep(backoff.next())

    def _take(self, found: Slice, log: History) -> None:
        if found.epoch != self.epoch or found.last_offset < self.last:
            self._jump(Discontinuity(self.name, found.epoch, found.last_offset, "epoch"))
        elif not found.complete:
            self._jump(Discontinuity(self.name, found.epoch, found.last_offset, "evicted"))
        else:
            for message in found.messages:
                if message.position is not None and message.position.offset > self.last:
                    self.last = message.position.offset
                    self._host.stats.count("filled")
                    self.deliver(message)
            if log.contiguous:
                # Behind the last that could be read there may be some that were no messages.
                self.last = max(self.last, found.last_offset)

    def _jump(self, discontinuity: Discontinuity) -> None:
        self.epoch, self.last = discontinuity.epoch, discontinuity.last_offset
        self._host.stats.count("discontinuities")
        self.deliver(discontinuity)

    def _hold(self, message: Message) -> None:
        position = message.position
        if position is None:
            return
        fits = len(self._held) < _HELD_MESSAGES and self._held_bytes + len(message.data) <= _HELD_BYTES
        if not fits or (self.epoch and position.epoch != self.epoch):
            self._again = True  # the log has it
        elif position.offset not in self._held:
            self._held[position.offset] = message
            self._held_bytes += len(message.data)

    def _release(self, *, up_to: int | None = None) -> None:
        for offset in [offset for offset in self._held if up_to is None or offset <= up_to]:
            self._held_bytes -= len(self._held.pop(offset).data)

    def _deliver_held(self) -> None:
        contiguous = self._log is not None and self._log.contiguous
        for offset in sorted(self._held):
            message = self._held[offset]
            if contiguous and offset > self.last + 1:
                break
            self._held_bytes -= len(message.data)
            del self._held[offset]
            if message.position is None or message.position.epoch != self.epoch:
                self._again = True
            elif offset > self.last:
                self.last = offset
                self.deliver(message)
