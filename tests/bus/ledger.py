"""What was acknowledged and what was seen: the judge of every fault."""

import asyncio
from collections import Counter

from lineside.bus import Bus, BusUnavailable, HistoryLimits, Message, Position
from lineside.testing._bus_nodes import Collector, until

KEPT = HistoryLimits(messages=100_000, age_seconds=600.0)


class Ledger:
    """Publishes numbered messages to one stream, and compares with what listeners got.

    Attributes:
        acked: Each acknowledged message with its position.
        unknown: Messages whose fate nobody knows: they may have come, once.
        slowest: The longest that a publish took, in seconds.
    """

    def __init__(self, stream: str = "ledger") -> None:
        self.stream = stream
        self.acked: dict[bytes, Position | None] = {}
        self.unknown: set[bytes] = set()
        self.slowest = 0.0
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def publish_with(self, bus: Bus, name: str, *, pace: float = 0.002) -> None:
        """Let a bus publish, until `stop`."""
        self._tasks.append(asyncio.create_task(self._publish(bus, name, pace)))

    async def acknowledged(self, more: int) -> None:
        """Wait until so many more are acknowledged."""
        wanted = len(self.acked) + more
        await until(lambda: len(self.acked) >= wanted, seconds=40, what=f"{more} more are acknowledged")

    async def stop(self) -> None:
        """End publishing."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def judge(self, heard: Collector, *, seconds: float = 15.0) -> None:
        """Wait until everything has come, and fail for anything lost, doubled or out of order."""
        await until(
            lambda: self.acked.keys() <= set(heard.data), seconds=seconds, what=lambda: self._say(heard)
        )
        seen = Counter(heard.data)
        assert {data: count for data, count in seen.items() if count > 1} == {}, "seen twice"
        assert set(seen) - self.acked.keys() - self.unknown == set(), "never sent"
        offsets = [_offset(message) for message in heard.messages]
        assert offsets == sorted(offsets), "out of order"
        for message in heard.messages:
            if message.data in self.acked:
                assert message.position == self.acked[message.data]
        assert heard.discontinuities == []

    def _say(self, heard: Collector) -> str:
        lost = sorted(self.acked.keys() - set(heard.data))
        return f"all has come; {len(lost)} of {len(self.acked)} are missing, the first {lost[:3]}"

    async def _publish(self, bus: Bus, name: str, pace: float) -> None:
        loop, number = asyncio.get_running_loop(), 0
        while not self._stop.is_set():
            data = f"{name} {number}".encode()
            number += 1
            began = loop.time()
            try:
                self.acked[data] = (await bus.publish(self.stream, data, history=KEPT)).position
            except BusUnavailable:
                self.unknown.add(data)
            self.slowest = max(self.slowest, loop.time() - began)
            await asyncio.sleep(pace)


def _offset(message: Message) -> int:
    assert message.position is not None
    return message.position.offset
