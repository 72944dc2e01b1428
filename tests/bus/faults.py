"""What every store's outage must cost: nothing that was acknowledged. Backends subclass it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from lineside.bus import Bus, BusUnavailable, Departed
from lineside.testing._bus_nodes import Collector, until
from tests.bus.ledger import KEPT, Ledger
from tests.faultproxy import FaultProxy, proxied


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
    for number, bus in enumerate(buses):
        ledger.publish_with(bus, f"node {number}")
    await ledger.acknowledged(20)
    yield ledger, heard
    await ledger.acknowledged(20)
    await ledger.stop()
    for collector in heard:
        await ledger.judge(collector)


class BusFaults:
    """Faults of a store that the test has for itself.

    Attributes:
        recovery_seconds: How long the first message may take once the store is back.
    """

    recovery_seconds: float

    def through(self, own: Any, port: int) -> str:
        """Return the store's URL with another port."""
        url: str = own.url
        return url.replace(f":{own.port}", f":{port}")

    @asynccontextmanager
    async def behind_a_proxy(
        self, own: Any, *, deadline_seconds: float = 3.0
    ) -> AsyncGenerator[tuple[FaultProxy, list[Bus]], None]:
        async with proxied(own.port) as proxy, AsyncExitStack() as stack:
            far = Bus(self.through(own, proxy.port), deadline_seconds=deadline_seconds)
            yield (
                proxy,
                [await stack.enter_async_context(far), await stack.enter_async_context(Bus(own.url))],
            )

    @pytest.mark.parametrize("outage", [0.2, 1.0])
    async def test_a_killed_store_costs_nothing(self, own: Any, outage: float) -> None:
        """Three times SIGKILL and back: lost 0, doubled 0, out of order 0, and soon."""
        async with two_nodes(own.url) as buses, publishing(buses) as (ledger, heard):
            for _ in range(3):
                own.kill()
                await asyncio.sleep(outage)
                await asyncio.to_thread(own.restart)
                seen = [len(collector.items) for collector in heard]
                await until(
                    lambda seen=seen: all(len(c.items) > n for c, n in zip(heard, seen, strict=True)),
                    seconds=self.recovery_seconds,
                    what="the first message comes",
                )
                await ledger.acknowledged(10)

    async def test_an_emptied_store_is_told_at_once(self, own: Any) -> None:
        """Another life of the log is no continuation: every listener is told, and goes on live."""
        async with two_nodes(own.url) as buses:
            heard = [Collector(), Collector()]
            for bus, collector in zip(buses, heard, strict=True):
                await bus.subscribe("s", collector, history=True)
            before = (await buses[0].publish("s", b"before", history=KEPT)).position
            for collector in heard:
                await collector.has(1)
            own.kill()
            await asyncio.to_thread(own.start_empty)
            for collector in heard:
                await until(
                    lambda c=collector: c.discontinuities,
                    seconds=self.recovery_seconds,
                    what="the loss is told",
                )
            after = (await buses[1].publish("s", b"after", history=KEPT)).position
            assert after is not None
            for collector in heard:
                await collector.has(2)
                assert collector.data == [b"before", b"after"]
                (told,) = collector.discontinuities
                assert (told.epoch, told.last_offset, told.reason) == (after.epoch, after.offset - 1, "epoch")
            late = await buses[0].read("s", after=before)
            assert (late.complete, late.messages) == (False, ())

    async def test_a_paused_store_costs_nothing(self, own: Any) -> None:
        """Five seconds of silence: nobody waits beyond the deadline, and nothing is published twice."""
        async with two_nodes(own.url, deadline_seconds=2.0) as buses, publishing(buses) as (ledger, _):
            lost: list[str] = []
            buses[0].on_lost(lost.append)
            own.pause()
            try:
                await asyncio.sleep(5.0)
                assert lost
            finally:
                own.resume()
            await until(lambda: buses[0].connected, what="the bus is back")
            await ledger.acknowledged(10)
            assert ledger.slowest < 3.0

    async def test_a_black_hole_is_noticed_and_costs_nothing(self, own: Any) -> None:
        """Neither FIN nor RST: noticed within 5 s, and everything is there afterwards."""
        async with self.behind_a_proxy(own) as (proxy, buses), publishing(buses) as (ledger, _):
            lost: list[str] = []
            buses[0].on_lost(lost.append)
            proxy.black_hole()
            await until(lambda: lost, seconds=5.0, what="the black hole is noticed")
            proxy.heal()
            await until(lambda: buses[0].connected, what="the bus is back")
            await ledger.acknowledged(10)

    @pytest.mark.parametrize("direction", ["swallow_up", "swallow_down"])
    async def test_one_way_loss_costs_nothing(self, own: Any, direction: str) -> None:
        """Requests that arrive without an answer, too, are published once."""
        async with self.behind_a_proxy(own) as (proxy, buses), publishing(buses) as (ledger, _):
            lost: list[str] = []
            buses[0].on_lost(lost.append)
            setattr(proxy, direction, True)
            await until(lambda: lost, seconds=6.0, what="the loss is noticed")
            proxy.heal()
            proxy.reset()
            await until(lambda: buses[0].connected, what="the bus is back")
            await ledger.acknowledged(10)

    async def test_resets_in_the_middle_of_messages_cost_nothing(self, own: Any) -> None:
        """Cut after any number of bytes, again and again."""
        async with self.behind_a_proxy(own) as (proxy, buses), publishing(buses) as (ledger, _):
            for size in (1, 7, 60, 333, 900, 2_000, 3_500):
                proxy.cut_after = size
                proxy.reset()
                await ledger.acknowledged(5)
                proxy.heal()
                await ledger.acknowledged(5)

    async def test_latency_costs_only_time(self, own: Any) -> None:
        """A slow link is no lost one."""
        async with (
            self.behind_a_proxy(own, deadline_seconds=5.0) as (proxy, buses),
            publishing(buses) as (ledger, _),
        ):
            proxy.latency = 0.1
            await ledger.acknowledged(20)
            assert buses[0].connected
            assert ledger.unknown == set()

    async def test_publishing_into_an_outage_raises_in_time(self, own: Any) -> None:
        """With history and without, and so does subscribing."""
        async with Bus(own.url, deadline_seconds=0.5) as bus:
            own.kill()
            await until(lambda: not bus.connected, what="the loss is noticed")
            loop = asyncio.get_running_loop()
            for history in (None, KEPT):
                began = loop.time()
                with pytest.raises(BusUnavailable):
                    await bus.publish("s", b"x", history=history)
                assert loop.time() - began < 3.0
            with pytest.raises(BusUnavailable):
                await bus.subscribe("s", Collector())
            with pytest.raises(BusUnavailable):
                await bus.ping()
            await asyncio.to_thread(own.restart)
            await until(lambda: bus.connected, what="the bus is back")
            heard = Collector()
            await bus.subscribe("s", heard)
            await bus.publish("s", b"x")
            assert heard.data == [b"x"]

    async def test_a_call_waits_for_a_store_that_comes_back(self, own: Any) -> None:
        """Publishing and subscribing in an outage succeed when it ends before the deadline."""
        async with two_nodes(own.url, deadline_seconds=10.0) as (one, other):
            own.kill()
            await until(lambda: not one.connected and not other.connected, what="the loss is noticed")
            heard = Collector()
            subscribing = asyncio.create_task(other.subscribe("s", heard, history=True))
            await asyncio.sleep(0)
            await asyncio.to_thread(own.restart)
            await subscribing
            published = await one.publish("s", b"x", history=KEPT)
            await heard.has(1)
            assert heard.messages[0].position == published.position

    async def test_an_unkept_message_that_failed_is_carried_once_by_a_second_attempt(self, own: Any) -> None:
        """The publisher's own listeners have it from the first one."""
        async with Bus(own.url, deadline_seconds=0.3) as one, Bus(own.url) as other:
            here, there = Collector(), Collector()
            await one.subscribe("s", here)
            await other.subscribe("s", there)
            own.kill()
            await until(lambda: not one.connected, what="the loss is noticed")
            with pytest.raises(BusUnavailable):
                await one.publish("s", b"x", id="same")
            await asyncio.to_thread(own.restart)
            await until(lambda: one.connected and other.connected, what="both are back")
            await one.publish("s", b"x", id="same")
            await there.has(1)
            assert (here.data, there.data) == ([b"x"], [b"x"])

    async def test_many_subscriptions_come_back(self, own: Any) -> None:
        """A thousand streams are live again after one restart."""
        async with two_nodes(own.url) as (one, other):
            heard = Collector()
            for number in range(0, 1_000, 100):
                await asyncio.gather(*(other.subscribe(f"s{number + n}", heard) for n in range(100)))
            own.kill()
            await asyncio.to_thread(own.restart)
            await until(
                lambda: all(bus.connected and bus.stats.counts["restored"] for bus in (one, other)),
                what="both are back",
            )
            for number in (0, 777, 999):
                await one.publish(f"s{number}", b"%d" % number)
            await heard.has(3)
            assert sorted(heard.data) == [b"0", b"777", b"999"]


class DepartureFaults(BusFaults):
    """The same for a store that remembers whom it has told of which departures."""

    async def test_a_departure_whose_answer_was_lost_is_told_by_the_next_call(self, own: Any) -> None:
        """It has happened, but nobody has heard of it; then exactly one does."""
        async with self.behind_a_proxy(own, deadline_seconds=1.0) as (proxy, (far, near)):
            presence = near.require_presence()
            await near.require_membership().beat("another", {}, ttl_seconds=60.0)
            await presence.join("g", "ann", "s", node="another", info={"name": "Ann"})
            # The first time costs another question: whether the server knows the script.
            assert list(await far.require_presence().expire()) == []
            await near.require_membership().depart("another")
            proxy.swallow_down = True
            with pytest.raises(BusUnavailable):
                await far.require_presence().expire()
            assert await presence.count("g") == 0
            proxy.heal()
            proxy.reset()
            await until(lambda: far.connected, what="the bus is back")
            assert list(await presence.expire()) == []
            assert list(await far.require_presence().expire()) == [Departed("g", "ann", {"name": "Ann"})]
            assert list(await far.require_presence().expire()) == []
