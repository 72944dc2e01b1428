"""NATS killed, paused, emptied and cut off while two nodes publish: the ledger must be clean."""

import asyncio
from collections.abc import Iterator

import pytest

from lineside.bus import Bus, HistoryLimits
from lineside.testing._bus_nodes import Collector, until
from tests.bus.faults import BusFaults, two_nodes
from tests.bus.ledger import KEPT
from tests.faultproxy import proxied
from tests.services import Nats, running_nats

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SMALL = HistoryLimits(messages=5, age_seconds=300.0)


@pytest.fixture
def own() -> Iterator[Nats]:
    """A NATS server that only this test has, and may kill."""
    with running_nats() as server:
        yield server


class TestNats(BusFaults):
    """What every store's outage must cost."""

    recovery_seconds = 2.0


async def test_a_log_in_memory_begins_a_new_epoch_with_each_life_of_the_server(own: Nats) -> None:
    """What memory has forgotten is told, never papered over."""
    async with Bus(f"{own.url}?storage=memory") as bus:
        heard = Collector()
        await bus.subscribe("s", heard, history=True)
        before = (await bus.publish("s", b"x", history=KEPT)).position
        own.kill()
        await asyncio.to_thread(own.restart)
        await until(lambda: heard.discontinuities, what="the loss is told")
        after = (await bus.publish("s", b"y", history=KEPT)).position
        assert before is not None
        assert after is not None
        assert before.epoch != after.epoch


async def test_only_the_stream_that_lost_messages_is_interrupted(own: Nats) -> None:
    """Away while one stream overflowed: its listener is told, the other's got everything."""
    async with (
        proxied(own.port) as proxy,
        Bus(own.url) as near,
        Bus(f"nats://127.0.0.1:{proxy.port}") as far,
    ):
        busy, quiet = Collector(), Collector()
        await far.subscribe("busy", busy, history=True)
        await far.subscribe("quiet", quiet, history=True)
        for stream in ("busy", "quiet"):
            await near.publish(stream, b"first", history=HistoryLimits(messages=100))
        await busy.has(1)
        await quiet.has(1)
        proxy.black_hole()
        await until(lambda: not far.connected, what="the black hole is noticed")
        await near.publish("quiet", b"second", history=HistoryLimits(messages=100))
        for number in range(150):
            await near.publish("busy", b"%d" % number, history=HistoryLimits(messages=100))
        proxy.heal()
        await quiet.has(2)
        await until(lambda: busy.discontinuities, what="the loss is told")
        assert quiet.discontinuities == []
        assert [told.reason for told in busy.discontinuities] == ["evicted"]
        last = (await near.publish("busy", b"last", history=HistoryLimits(messages=100))).position
        await until(lambda: busy.data[-1] == b"last", what="the stream goes on live")
        assert last is not None
        assert busy.messages[-1].position == last


async def test_a_quiet_stream_is_not_interrupted_when_its_messages_have_gone(own: Nats) -> None:
    """A node that has read everything knows that nothing came after the last one."""
    limits = HistoryLimits(messages=100, age_seconds=300.0)
    async with Bus(own.url) as bus:
        heard = Collector()
        await bus.subscribe("quiet", heard, history=True)
        position = (await bus.publish("quiet", b"x", history=limits)).position
        await heard.has(1)
        for number in range(20):
            await bus.publish(f"other {number}", b"y", history=limits)
        # As if five minutes had passed.
        jetstream = bus.history._jetstream  # type: ignore[union-attr]
        await jetstream.call("STREAM.PURGE.ls-lineside-history")
        found = await bus.read("quiet", after=position)
        assert (found.complete, found.messages) == (True, ())
        assert position is not None
        assert found.last_offset == position.offset
        async with Bus(own.url) as newcomer:
            unknown = await newcomer.read("quiet", after=position)
            assert (unknown.complete, unknown.messages) == (False, ())


async def test_confirmed_messages_that_the_server_has_lost_change_the_epoch(own: Nats) -> None:
    """A store that goes back in time, as after a power failure, does not give an offset a second meaning."""
    async with two_nodes(own.url) as (one, other):
        heard = Collector()
        await one.subscribe("s", heard, history=True)
        before = (await one.publish("s", b"kept", history=KEPT)).position
        await heard.has(1)
        # This node has seen more than the server still knows.
        one.backend._reader.way.position += 10  # type: ignore[attr-defined]
        one.backend._reader._begin_again()  # type: ignore[attr-defined]
        await until(lambda: heard.discontinuities, what="the loss is told")
        after = (await other.publish("s", b"after", history=KEPT)).position
        assert before is not None
        assert after is not None
        assert before.epoch != after.epoch
        await until(lambda: b"after" in heard.data, what="the stream goes on live")


async def test_a_consumer_that_the_server_forgets_is_replaced(own: Nats) -> None:
    """The reader goes on from its own position, without an outage being needed to notice."""
    async with Bus(own.url) as bus:
        heard = Collector()
        await bus.subscribe("s", heard, history=True)
        await bus.publish("s", b"1", history=KEPT)
        await heard.has(1)
        jetstream = bus.history._jetstream  # type: ignore[union-attr]
        answer = await jetstream.call("CONSUMER.NAMES.ls-lineside-history", {})
        for name in answer["consumers"]:
            await jetstream.call(f"CONSUMER.DELETE.ls-lineside-history.{name}")
        await bus.publish("s", b"2", history=KEPT)
        await heard.has(2)
        assert heard.data == [b"1", b"2"]


async def test_whoever_waits_for_the_server_does_not_hold_up_its_return(own: Nats) -> None:
    """A call that needs the log waits for the connection, and bringing that back needs the log, too."""
    async with Bus(own.url) as bus:
        await bus.subscribe("s", Collector(), history=True)
        own.kill()
        await until(lambda: not bus.connected, what="the loss is noticed")
        waiting = [asyncio.create_task(bus.publish("s", b"x", history=KEPT)) for _ in range(3)]
        log, asked = bus.history._log, asyncio.Event()  # type: ignore[union-attr]
        log.forget()

        async def ensure() -> None:
            asked.set()
            await log.ensure(HistoryLimits())

        waiting.append(asyncio.create_task(ensure()))  # type: ignore[arg-type]
        await asked.wait()
        await asyncio.sleep(0)
        assert not log._lock.locked()
        await asyncio.to_thread(own.restart)
        await asyncio.gather(*waiting)
