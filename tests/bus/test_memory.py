"""The bounds of what is remembered in memory, by a clock that the test turns."""

import pytest

from lineside.bus import Bus, HistoryLimits
from lineside.bus._backoff import Backoff
from lineside.bus._dedup import Seen
from lineside.bus.memory import MemoryBackend, MemoryBroker

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_messages_grow_old_by_the_clock() -> None:
    """To the second; and what they took is given back."""
    clock = Clock()
    broker = MemoryBroker(clock=clock)
    async with Bus(MemoryBackend(broker), clock=clock) as bus:
        limits = HistoryLimits(messages=10, age_seconds=60.0)
        empty = broker.logs.size
        first = await bus.publish("s", b"1", history=limits)
        clock.now += 60
        second = await bus.publish("s", b"2", history=limits)
        assert [message.data for message in (await bus.read("s", limit=5)).messages] == [b"1", b"2"]
        clock.now += 0.5
        assert [message.data for message in (await bus.read("s")).messages] == [b"2"]
        assert (await bus.read("s", after=first.position)).complete
        assert (await bus.read("s", since=clock.now - 61)).complete is False
        assert (await bus.read("s", since=clock.now - 60)).complete
        clock.now += 400
        after_all = await bus.read("s", after=second.position)
        assert (after_all.messages, after_all.complete, after_all.last_offset) == ((), True, 2)
        assert broker.logs.size == empty + 400


async def test_all_logs_together_are_bounded() -> None:
    """The least recently used is dropped whole, and begins a new epoch."""
    broker = MemoryBroker(max_bytes=100_000)
    async with Bus(MemoryBackend(broker)) as bus:
        first = await bus.publish("first", b"x" * 1_000, history=HistoryLimits())
        for number in range(300):
            await bus.publish(f"s{number % 50}", b"x" * 1_000, history=HistoryLimits())
            assert broker.logs.size <= 100_000
        again = await bus.publish("first", b"x", history=HistoryLimits())
        assert first.position is not None
        assert again.position is not None
        assert again.position.epoch != first.position.epoch
        assert (await bus.read("first", after=first.position)).complete is False


async def test_one_log_alone_is_bounded_too() -> None:
    """Its own oldest messages go, and the epoch stays."""
    broker = MemoryBroker(max_bytes=50_000)
    async with Bus(MemoryBackend(broker)) as bus:
        results = [await bus.publish("s", b"x" * 5_000, history=HistoryLimits()) for _ in range(30)]
        assert broker.logs.size <= 50_000
        found = await bus.read("s")
        assert found.last_offset == 30
        assert [message.position for message in found.messages] == [
            result.position for result in results[-len(found.messages) :]
        ]
        assert 3 < len(found.messages) < 10


async def test_the_ids_of_messages_long_gone_are_bounded_and_make_room_for_messages() -> None:
    """A busy stream forgets ids before it forgets what it keeps for those who come back."""
    broker = MemoryBroker(max_bytes=50_000)
    async with Bus(MemoryBackend(broker)) as bus:
        for number in range(1_000):
            await bus.publish("s", b"%d" % number, history=HistoryLimits(messages=20))
            assert broker.logs.size <= 50_000
        kept = await bus.read("s", limit=100)
        assert [message.data for message in kept.messages] == [b"%d" % number for number in range(980, 1_000)]


async def test_an_idempotency_key_is_remembered_five_minutes() -> None:
    """And no longer."""
    clock = Clock()
    async with Bus(MemoryBackend(MemoryBroker(clock=clock))) as bus:
        limits = HistoryLimits(age_seconds=10_000)
        first = await bus.publish("s", b"1", history=limits, idempotency_key="k")
        clock.now += 300
        second = await bus.publish("s", b"2", history=limits, idempotency_key="k")
        clock.now += 1
        third = await bus.publish("s", b"3", history=limits, idempotency_key="k")
        assert (second.duplicate, second.position) == (True, first.position)
        assert third.duplicate is False


async def test_values_are_bounded() -> None:
    """Beyond their number the oldest go; what is over goes by itself."""
    clock = Clock()
    members = MemoryBackend(MemoryBroker(clock=clock)).membership
    assert members is not None
    members._max_values = 100  # type: ignore[attr-defined]
    for number in range(1_000):
        await members.put(f"k{number}", b"x", ttl_seconds=60)
    assert len(members._values) == 100  # type: ignore[attr-defined]
    assert (await members.get("k0"), await members.get("k999")) == (None, b"x")
    clock.now += 61
    for number in range(60):
        await members.put(f"n{number}", b"x", ttl_seconds=60)
    assert len(members._values) == 60  # type: ignore[attr-defined]


def test_ids_are_remembered_within_bounds() -> None:
    """For their time, and as many as fit; checking marks."""
    clock = Clock()
    seen = Seen(seconds=120, size=3, clock=clock)
    assert [seen.add("a"), seen.add("a"), seen.add("b")] == [True, False, True]
    clock.now += 120
    assert "a" not in seen
    assert seen.add("a") is True
    for key in "cdefg":
        seen.add(key)
    assert len(seen) == 3
    assert [key in seen for key in "acefg"] == [False, False, True, True, True]
    seen.discard("g")
    seen.discard("g")
    assert seen.add("g") is True


def test_waits_double_up_to_a_bound() -> None:
    """And begin anew after a success."""
    backoff = Backoff(0.1, 1.0, uniform=lambda least, most: most)
    assert [round(backoff.next(), 3) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next() == 0.1
    assert 0.08 < Backoff(0.1).next() <= 0.1
