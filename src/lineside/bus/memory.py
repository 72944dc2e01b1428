"""The backend in memory: one process, nothing to start.

    import asyncio

    from lineside.bus import Bus
    from lineside.bus.memory import MemoryBackend, MemoryBroker

    async def main() -> None:
        broker = MemoryBroker()
        async with Bus(MemoryBackend(broker)) as one, Bus(MemoryBackend(broker)) as other:
            async with other.messages("news") as messages:
                await one.publish("news", b"hello")
                assert (await anext(messages)).data == b"hello"

    asyncio.run(main())

``Bus("memory://")`` has a broker of its own. Two buses on one `MemoryBroker` are two nodes in one
process, which is what tests need; two processes never share one.
"""

import time
from collections.abc import Callable

from lineside.bus._contract import History, Membership, Presence, Receiver
from lineside.bus._errors import BusClosedError
from lineside.bus._memory._log import MemoryLogs
from lineside.bus._memory._presence import MemoryMembership, MemoryPresence
from lineside.bus._message import HistoryLimits, Message, Position, Published, Slice
from lineside.bus._options import BackendOptions

__all__ = ["MemoryBackend", "MemoryBroker", "MemoryHistory", "from_url"]


class MemoryBroker:
    """What the buses of one process share.

    Args:
        max_bytes: What the logs may take together, in bytes; the least recently used are dropped first.
        max_streams: How many streams have a log.
        clock: Returns the seconds since 1970: ages, leases and grace periods go by it.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        max_streams: int = 100_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.logs: MemoryLogs = MemoryLogs(max_bytes=max_bytes, max_streams=max_streams, clock=clock)
        self.membership: MemoryMembership = MemoryMembership(clock=clock)
        self.presence: MemoryPresence = MemoryPresence(clock=clock, alive=self.membership.alive)
        self.audiences: dict[str, dict[MemoryBackend, Receiver]] = {}

    def carry(self, message: Message) -> None:
        """Hand a message to everybody who listens to its stream.

        Args:
            message: The message.
        """
        for receiver in tuple(self.audiences.get(message.stream, {}).values()):
            receiver.received(message)


class MemoryHistory:
    """The logs of a broker, as `History`.

    Args:
        broker: The broker.

    Attributes:
        contiguous: Offsets grow by exactly 1.
    """

    contiguous: bool = True

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def append(
        self, message: Message, limits: HistoryLimits, *, idempotency_key: str | None = None
    ) -> Published:
        """Give a message its offset, keep it and publish it."""
        published, kept = self._broker.logs.append(message, limits, idempotency_key)
        if kept is not None:
            self._broker.carry(kept)
        return published

    async def read(
        self,
        stream: str,
        *,
        after: Position | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> Slice:
        """Return the messages behind a position, or from a time on."""
        return self._broker.logs.read(stream, after, since, limit)


class MemoryBackend:
    """Carries messages between the buses of one process.

    Args:
        broker: What they share; by default one of this backend's own.

    Attributes:
        scheme: ``"memory"``.
        local: It reaches this process only.
        history: The logs.
        presence: The groups.
        membership: The nodes.
    """

    scheme: str = "memory"
    local: bool = True

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self._broker = broker if broker is not None else MemoryBroker()
        self._receiver: Receiver | None = None
        self.history: History | None = MemoryHistory(self._broker)
        self.presence: Presence | None = self._broker.presence
        self.membership: Membership | None = self._broker.membership

    async def connect(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        self._receiver = receiver

    async def close(self) -> None:
        """Deliver nothing more; what the broker keeps stays for the others."""
        self._receiver = None
        for stream in [stream for stream, those in self._broker.audiences.items() if self in those]:
            await self.unsubscribe(stream)

    async def subscribe(self, stream: str, *, history: bool) -> None:
        """Listen to a stream."""
        del history
        if self._receiver is None:
            raise BusClosedError("this backend is not connected")
        self._broker.audiences.setdefault(stream, {})[self] = self._receiver

    async def unsubscribe(self, stream: str) -> None:
        """Stop listening to a stream."""
        audience = self._broker.audiences.get(stream, {})
        audience.pop(self, None)
        if not audience:
            self._broker.audiences.pop(stream, None)

    async def publish(self, message: Message) -> None:
        """Hand a message to everybody who listens."""
        self._broker.carry(message)

    async def ping(self) -> None:
        """Answer; nothing can be away."""


def from_url(url: str, options: BackendOptions) -> MemoryBackend:
    """Make a backend with a broker of its own, as ``memory://`` asks for.

    Args:
        url: ``memory://``.
        options: Nothing of them matters inside one process.
    """
    del url, options
    return MemoryBackend()
