"""Redis killed, paused, emptied and cut off while two nodes publish: the ledger must be clean."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from lineside.bus import Bus, BusUnavailable
from lineside.testing._bus_nodes import Collector, until
from tests.bus.ledger import KEPT, Ledger
from tests.faultproxy import FaultProxy, proxied
from tests.services import Redis, running_redis

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def own() -> Iterator[Redis]:
    """A Redis that only this test has, and may kill."""
    with running_redis() as server:
        yield server


@asynccontextmanager
async def two_nodes(url: str, *, deadline_seconds: float = 5.0) -> AsyncGenerator[list[Bus], None]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Bus(url, deadline_seconds=deadline_seconds)) for _ in range(2)]


@asynccontextmanager
async def publishing(buses: list[Bus]) -> AsyncGenerator[tuple[Ledger, list[Collector]], None]:
    """Two nodes publish and listen for a block; afterwards the ledger is judged."""
    ledger, heard = Ledger(), [Collector() for _ in buses]
    for bus, collector in zip(buses, heard, strict=True):
        await bus.subscribe(ledger.stream, collector, history=True)
    for index, bus in enumerate(buses):
        ledger.publish_with(bus, f"node {index}:")
    await ledger.acknowledged(20)
    yield ledger, heard
    await ledger.acknowledged(20)
    await ledger.stop()
    for collector in heard:
        await ledger.judge(collector)


@pytest.mark.parametrize("outage", [0.2, 1.0])
async def test_a_killed_server_costs_nothing(own: Redis, outage: float) -> None:
    """Three times SIGKILL and back with its file: lost 0, doubled 0, out of order 0."""
    async with two_nodes(own.url) as buses, publishing(buses) as (ledger, _):
        for _ in range(3):
            own.kill()
            await asyncio.sleep(outage)
            own.restart()
            await ledger.acknowledged(10)
        assert ledger.unknown == set()


async def test_a_paused_server_costs_nothing(own: Redis) -> None:
    """Five seconds of silence: nobody waits beyond the deadline, and nothing is published twice."""
    async with two_nodes(own.url, deadline_seconds=2.0) as buses, publishing(buses) as (ledger, _):
        lost: list[str] = []
        buses[0].on_lost(lost.append)
        own.pause()
        await until(lambda: lost, seconds=5.0, what="the silence is noticed")
        await asyncio.sleep(1.0)
        own.resume()
        await until(lambda: buses[0].connected, what="the bus is back")
        await ledger.acknowledged(10)
        assert ledger.slowest < 2.5


async def test_an_emptied_store_is_told_at_once(own: Redis) -> None:
    """Another life of the log is no continuation: every listener is told, and goes on live."""
    async with two_nodes(own.url) as buses:
        heard = [Collector(), Collector()]
        for bus, collector in zip(buses, heard, strict=True):
            await bus.subscribe("s", collector, history=True)
        before = (await buses[0].publish("s", b"before", history=KEPT)).position
        assert before is not None
        for collector in heard:
            await collector.has(1)
        own.kill()
        own.start_empty()
        await until(lambda: all(bus.connected for bus in buses), what="both are back")
        for collector in heard:
            await until(lambda c=collector: c.discontinuities, seconds=2.0, what="the loss is told")
        after = (await buses[1].publish("s", b"after", history=KEPT)).position
        for collector in heard:
            await collector.has(2)
            assert collector.data == [b"before", b"after"]
            (told,) = collector.discontinuities
            assert after is not None
            assert (told.epoch, told.last_offset, told.reason) == (after.epoch, after.offset - 1, "epoch")
        late = await buses[0].read("s", after=before)
        assert (late.complete, late.messages) == (False, ())


async def test_a_server_without_a_file_begins_a_new_epoch() -> None:
    """What was acknowledged behind the last snapshot is gone, and no position may pretend otherwise."""
    with running_redis("--appendonly", "no", "--save", "3600 1") as server:
        async with Bus(server.url) as bus:
            heard = Collector()
            await bus.subscribe("s", heard, history=True)
            saved = (await bus.publish("s", b"saved", history=KEPT)).position
            await bus.backend._commands.client.save()  # type: ignore[attr-defined]
            await bus.publish("s", b"not saved", history=KEPT)
            server.kill()
            server.restart()
            await until(lambda: heard.discontinuities, what="the loss is told")
            again = await bus.publish("s", b"later", history=KEPT)
            assert saved is not None
            assert again.position is not None
            assert again.position.epoch != saved.epoch
            assert (await bus.read("s", after=saved)).complete is False


@asynccontextmanager
async def behind_a_proxy(
    server: Redis, *, deadline_seconds: float = 3.0
) -> AsyncGenerator[tuple[FaultProxy, list[Bus]], None]:
    async with proxied(server.port) as proxy, AsyncExitStack() as stack:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        far = await stack.enter_async_context(Bus(url, deadline_seconds=deadline_seconds))
        near = await stack.enter_async_context(Bus(server.url))
        yield proxy, [far, near]


async def test_a_black_hole_is_noticed_and_costs_nothing(redis: Redis) -> None:
    """Neither FIN nor RST: noticed within 5 s, knocked at gently, and everything is there afterwards."""
    async with behind_a_proxy(redis) as (proxy, buses), publishing(buses) as (ledger, _):
        lost: list[str] = []
        buses[0].on_lost(lost.append)
        proxy.black_hole()
        await until(lambda: lost, seconds=5.0, what="the black hole is noticed")
        knocked = proxy.accepted
        await asyncio.sleep(3.0)
        # At most one attempt of the listening connection in a second, and what was under way before.
        assert proxy.accepted - knocked <= 4
        proxy.heal()
        await until(lambda: buses[0].connected, what="the bus is back")
        await ledger.acknowledged(10)


@pytest.mark.parametrize("direction", ["swallow_up", "swallow_down"])
async def test_one_way_loss_costs_nothing(redis: Redis, direction: str) -> None:
    """Requests that arrive without an answer, too, are published once."""
    async with behind_a_proxy(redis) as (proxy, buses), publishing(buses) as (ledger, _):
        lost: list[str] = []
        buses[0].on_lost(lost.append)
        setattr(proxy, direction, True)
        await until(lambda: lost, seconds=6.0, what="the loss is noticed")
        proxy.heal()
        proxy.reset()
        await until(lambda: buses[0].connected, what="the bus is back")
        await ledger.acknowledged(10)


async def test_resets_in_the_middle_of_messages_cost_nothing(redis: Redis) -> None:
    """Cut after any number of bytes, again and again."""
    async with behind_a_proxy(redis) as (proxy, buses), publishing(buses) as (ledger, _):
        for size in (1, 7, 60, 333, 900, 2_000, 3_500):
            proxy.cut_after = size
            proxy.reset()
            await ledger.acknowledged(5)
            proxy.heal()
            await ledger.acknowledged(5)


async def test_latency_costs_only_time(redis: Redis) -> None:
    """A slow link is no lost one."""
    async with (
        behind_a_proxy(redis, deadline_seconds=5.0) as (proxy, buses),
        publishing(buses) as (ledger, _),
    ):
        proxy.latency = 0.2
        await ledger.acknowledged(20)
        assert buses[0].connected
        assert ledger.unknown == set()


async def test_publishing_into_an_outage_raises_in_time(own: Redis) -> None:
    """With history and without; the error names what to do."""
    async with Bus(own.url, deadline_seconds=0.5) as bus:
        own.kill()
        await until(lambda: not bus.connected, what="the loss is noticed")
        loop = asyncio.get_running_loop()
        for history in (None, KEPT):
            began = loop.time()
            with pytest.raises(BusUnavailable, match=r"within 0\.5 s .*try again later"):
                await bus.publish("s", b"x", history=history)
            assert loop.time() - began < 3.0
        with pytest.raises(BusUnavailable):
            await bus.subscribe("s", Collector())
        with pytest.raises(BusUnavailable):
            await bus.ping()
        own.restart()
        await until(lambda: bus.connected, what="the bus is back")
        heard = Collector()
        await bus.subscribe("s", heard)
        await bus.publish("s", b"x")
        assert heard.data == [b"x"]


async def test_a_call_waits_for_a_server_that_comes_back(own: Redis) -> None:
    """Publishing and subscribing in an outage succeed when it ends before the deadline."""
    async with two_nodes(own.url) as (one, other):
        own.kill()
        await until(lambda: not one.connected and not other.connected, what="the loss is noticed")
        heard = Collector()
        subscribing = asyncio.create_task(other.subscribe("s", heard, history=True))
        await asyncio.sleep(0)
        own.restart()
        await subscribing
        published = await one.publish("s", b"x", history=KEPT)
        await heard.has(1)
        assert heard.messages[0].position == published.position


async def test_an_unkept_message_that_failed_is_carried_once_by_a_second_attempt(own: Redis) -> None:
    """The publisher's own listeners have it from the first one."""
    async with Bus(own.url, deadline_seconds=0.3) as one, Bus(own.url) as other:
        here, there = Collector(), Collector()
        await one.subscribe("s", here)
        await other.subscribe("s", there)
        own.kill()
        await until(lambda: not one.connected, what="the loss is noticed")
        with pytest.raises(BusUnavailable):
            await one.publish("s", b"x", id="same")
        own.restart()
        await until(lambda: one.connected and other.connected, what="both are back")
        await one.publish("s", b"x", id="same")
        await there.has(1)
        assert (here.data, there.data) == ([b"x"], [b"x"])


async def test_many_subscriptions_come_back(own: Redis) -> None:
    """Two thousand streams are live again after one restart."""
    async with two_nodes(own.url) as (one, other):
        heard = Collector()
        for number in range(0, 2_000, 100):
            await asyncio.gather(*(other.subscribe(f"s{number + n}", heard) for n in range(100)))
        own.kill()
        await until(lambda: not one.connected and not other.connected, what="the loss is noticed")
        own.restart()
        await until(lambda: one.connected and other.connected, what="both are back")
        for number in (0, 777, 1_999):
            await one.publish(f"s{number}", b"%d" % number)
        await heard.has(3)
        assert sorted(heard.data) == [b"0", b"1999", b"777"]
