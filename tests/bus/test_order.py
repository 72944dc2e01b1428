"""What a bus makes of a backend that loses, doubles and disorders: the log's order, or the truth about it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from lineside.bus import Bus, BusUnavailable, Discontinuity, HistoryLimits, Message, Position, Receiver, Slice
from lineside.bus.memory import MemoryBackend, MemoryBroker, MemoryHistory
from lineside.testing._bus_nodes import Collector, until

pytestmark = pytest.mark.anyio

KEPT = HistoryLimits(messages=100)
Live = Callable[[Message, Receiver], None]


class UnsureHistory(MemoryHistory):
    """A log that can be out of reach."""

    away = False
    reads = 0

    async def read(
        self,
        stream: str,
        *,
        after: Position | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> Slice:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise BusUnavailable("away")
        return await super().read(stream, after=after, since=since, limit=limit)


class UnsureBackend(MemoryBackend):
    """Hands live messages to a function, which decides what becomes of them."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.live: Live = lambda message, receiver: receiver.received(message)
        self.log = self.history = UnsureHistory(broker)
        self.real: Receiver | None = None

    async def connect(self, receiver: Receiver) -> None:
        self.real = receiver
        backend = self

        class Filter:
            def received(self, message: Message) -> None:
                backend.live(message, receiver)

        await super().connect(Filter())  # type: ignore[arg-type]


@asynccontextmanager
async def unsure(
    broker: MemoryBroker | None = None,
) -> AsyncGenerator[tuple[UnsureBackend, Bus, Bus, Collector], None]:
    broker = broker if broker is not None else MemoryBroker()
    backend, heard = UnsureBackend(broker), Collector()
    async with Bus(backend) as bus, Bus(MemoryBackend(broker)) as publisher:
        await bus.subscribe("s", heard, history=True)
        yield backend, bus, publisher, heard


async def publish(bus: Bus, *numbers: int, limits: HistoryLimits = KEPT) -> None:
    for number in numbers:
        await bus.publish("s", b"%d" % number, history=limits)


def numbers(heard: Collector) -> list[int]:
    return [int(data) for data in heard.data]


async def test_a_hole_is_filled_before_anything_behind_it_is_shown() -> None:
    """Live messages 2 and 3 are lost; 4 shows that they are."""
    async with unsure() as (backend, bus, publisher, heard):
        await publish(publisher, 1)
        backend.live = lambda message, receiver: None
        await publish(publisher, 2, 3)
        backend.live = lambda message, receiver: receiver.received(message)
        await publish(publisher, 4, 5)
        await heard.has(5)
        assert numbers(heard) == [1, 2, 3, 4, 5]
        assert bus.stats.counts["filled"] >= 2


async def test_doubles_are_dropped() -> None:
    """Whatever comes twice is shown once, and counted."""

    def double(message: Message, receiver: Receiver) -> None:
        receiver.received(message)
        receiver.received(message)

    async with unsure() as (backend, bus, publisher, heard):
        backend.live = double
        await publish(publisher, 1, 2, 3)
        await heard.has(3)
        assert numbers(heard) == [1, 2, 3]
        assert bus.stats.counts["duplicates"] == 3


async def test_disorder_is_put_in_order() -> None:
    """Each pair comes the wrong way round."""
    waiting: list[Message] = []

    def swap(message: Message, receiver: Receiver) -> None:
        waiting.append(message)
        if len(waiting) == 2:
            receiver.received(waiting.pop())
            receiver.received(waiting.pop())

    async with unsure() as (backend, _, publisher, heard):
        backend.live = swap
        await publish(publisher, *range(1, 21))
        await heard.has(20)
        assert numbers(heard) == list(range(1, 21))
        assert heard.discontinuities == []


async def test_a_lost_last_message_is_found_by_comparing_with_the_log() -> None:
    """Nothing behind it shows that it is missing; the check of positions does."""
    async with unsure() as (backend, bus, publisher, heard):
        await publish(publisher, 1)
        backend.live = lambda message, receiver: None
        await publish(publisher, 2)
        assert numbers(heard) == [1]
        await bus._registry.streams["s"].verify()
        await heard.has(2)
        assert numbers(heard) == [1, 2]


async def test_what_was_published_in_an_outage_arrives_when_it_ends() -> None:
    """In order, once, without being asked for."""
    async with unsure() as (backend, bus, publisher, heard):
        told: list[str] = []
        lost, restored = bus.on_lost(told.append), bus.on_restored(lambda: told.append("back"))
        await publish(publisher, 1)
        assert backend.real is not None
        backend.live = lambda message, receiver: None
        backend.real.lost("gone")
        assert bus.connected is False
        await publish(publisher, 2, 3)
        backend.live = lambda message, receiver: receiver.received(message)
        backend.real.restored()
        assert bus.connected is True
        await heard.has(3)
        assert numbers(heard) == [1, 2, 3]
        lost.close()
        restored.close()
        restored.close()
        backend.real.lost("again")
        assert told == ["gone", "back"]


async def test_what_cannot_be_brought_back_is_told() -> None:
    """The log has evicted it: listeners hear so, with where they are now, and go on live."""
    async with unsure() as (backend, _, publisher, heard):
        small = HistoryLimits(messages=2)
        await publish(publisher, 1, limits=small)
        backend.live = lambda message, receiver: None
        await publish(publisher, 2, 3, 4, 5, limits=small)
        backend.live = lambda message, receiver: receiver.received(message)
        await publish(publisher, 6, limits=small)
        await until(lambda: heard.discontinuities, what="the eviction is told")
        await publish(publisher, 7, limits=small)
        await heard.has(2)
        first, told, after = heard.items
        assert isinstance(first, Message)
        assert isinstance(told, Discontinuity)
        assert isinstance(after, Message)
        assert (told.reason, told.last_offset) == ("evicted", 6)
        assert numbers(heard) == [1, 7]


async def test_another_epoch_is_told() -> None:
    """The log was lost: no offset of the new one is taken for one of the old."""
    broker = MemoryBroker(max_streams=1)
    async with unsure(broker) as (_, _, publisher, heard):
        await publish(publisher, 1, 2)
        await publisher.publish("other", b"x", history=KEPT)  # there is place for one log: the first is gone
        await publish(publisher, 3)
        await until(lambda: heard.discontinuities, what="the epoch is told")
        await publish(publisher, 4)
        await heard.has(3)
        assert [type(item).__name__ for item in heard.items] == [
            "Message",
            "Message",
            "Discontinuity",
            "Message",
        ]
        assert numbers(heard) == [1, 2, 4]
        (told,) = heard.discontinuities
        assert (told.reason, told.last_offset) == ("epoch", 1)


async def test_a_log_out_of_reach_is_waited_for() -> None:
    """Nothing behind the hole is shown meanwhile, however often it fails."""
    async with unsure() as (backend, _, publisher, heard):
        backend.log.away = True
        backend.live = lambda message, receiver: None
        await publish(publisher, 1)
        backend.live = lambda message, receiver: receiver.received(message)
        await publish(publisher, 2)
        before = backend.log.reads
        await until(lambda: backend.log.reads >= before + 2, what="the log is read again")
        assert heard.items == []
        backend.log.away = False
        await publish(publisher, 3)
        await heard.has(3)
        assert numbers(heard) == [1, 2, 3]


async def test_what_is_held_behind_a_hole_is_bounded() -> None:
    """More than may be held is dropped here, and brought from the log."""
    async with unsure() as (backend, bus, publisher, heard):
        backend.log.away = True
        backend.live = lambda message, receiver: None
        big = HistoryLimits(messages=5_000)
        await publish(publisher, 1, limits=big)
        backend.live = lambda message, receiver: receiver.received(message)
        await publish(publisher, *range(2, 3_001), limits=big)
        assert len(bus._registry.streams["s"]._held) == 1_000
        backend.log.away = False
        await heard.has(3_000)
        assert numbers(heard) == list(range(1, 3_001))
        assert bus._registry.streams["s"]._held_bytes == 0


async def test_an_offset_that_no_log_has_does_not_stop_a_stream() -> None:
    """Somebody else wrote on the channel: what he claims is dropped, and the stream goes on."""
    async with unsure() as (backend, _, publisher, heard):
        await publish(publisher, 1)
        position = heard.messages[0].position
        assert position is not None
        assert backend.real is not None
        backend.real.received(Message("s", b"forged", "f", "x", Position(position.epoch, 1_000)))
        await publish(publisher, 2, 3)
        await heard.has(3)
        assert numbers(heard) == [1, 2, 3]


async def test_a_backend_may_tell_of_a_loss_itself() -> None:
    """Where offsets have holes by nature, only it can know."""
    async with unsure() as (backend, _, publisher, heard):
        await publish(publisher, 1)
        position = heard.messages[0].position
        assert position is not None
        assert backend.real is not None
        loss = Discontinuity("s", position.epoch, 1, "evicted")
        backend.real.interrupted(loss)
        backend.real.interrupted(Discontinuity("nobody listens", position.epoch, 1, "evicted"))
        await publish(publisher, 2)
        await heard.has(2)
        assert heard.discontinuities == [loss]


async def test_a_late_listener_begins_where_the_stream_is() -> None:
    """Its position is the stream's own, even while a hole is being filled for the others."""
    async with unsure() as (backend, bus, publisher, heard):
        backend.live = lambda message, receiver: None
        await publish(publisher, 1)
        backend.live = lambda message, receiver: receiver.received(message)
        await publish(publisher, 2)
        late = Collector()
        subscription = await bus.subscribe("s", late, history=True)
        assert subscription.position is not None
        await heard.has(2)
        await publish(publisher, 3)
        await heard.has(3)
        assert numbers(late) == list(range(subscription.position.offset + 1, 4))
