"""What a backend with history must do."""

import asyncio
import time

from lineside.bus import HistoryLimits, Message, Position
from lineside.testing._bus_nodes import BusNodes, Collector, until

__all__ = ["HistoryConformance"]

_KEPT = HistoryLimits(messages=100, age_seconds=300.0)


class HistoryConformance(BusNodes):
    """The contract of `lineside.bus.History` as tests."""

    async def test_a_kept_message_has_a_position_everywhere(self) -> None:
        """What `publish` returns is what every listener sees and what the log says."""
        async with self.nodes() as (one, other):
            self.needs(one.history, "history")
            here, there = Collector(), Collector()
            await one.subscribe("s", here, history=True)
            await other.subscribe("s", there, history=True)
            published = [await one.publish("s", b"%d" % number, history=_KEPT) for number in range(10)]
            await here.has(10)
            await there.has(10)
            positions = [result.position for result in published]
            assert [message.position for message in here.messages] == positions
            assert [message.position for message in there.messages] == positions
            read = await other.read("s")
            assert [message.position for message in read.messages] == positions
            assert [message.data for message in read.messages] == [b"%d" % number for number in range(10)]
            assert (read.epoch, read.last_offset) == (_epoch(positions), _offset(positions[-1]))
            assert read.complete

    async def test_offsets_are_one_order_for_all(self) -> None:
        """Many publishers on several nodes, and every listener sees the same sequence."""
        async with self.nodes(3) as buses:
            self.needs(buses[0].history, "history")
            heard = [Collector() for _ in buses]
            for bus, collector in zip(buses, heard, strict=True):
                await bus.subscribe("s", collector, history=True)

            async def publish(index: int) -> None:
                for number in range(40):
                    await buses[index % 3].publish(
                        "s", b"%d %d" % (index, number), history=HistoryLimits(1_000)
                    )

            await asyncio.gather(*(publish(index) for index in range(6)))
            for collector in heard:
                await collector.has(240)
            assert heard[0].data == heard[1].data == heard[2].data
            assert sorted(heard[0].data) == sorted(b"%d %d" % (i, n) for i in range(6) for n in range(40))
            offsets = [_offset(message.position) for message in heard[0].messages]
            assert offsets == sorted(set(offsets))
            if buses[0].require_history().contiguous:
                assert offsets == list(range(1, 241))
            for index in range(6):
                mine = [data for data in heard[0].data if data.startswith(b"%d " % index)]
                assert mine == [b"%d %d" % (index, number) for number in range(40)]

    async def test_a_position_and_the_live_messages_meet(self) -> None:
        """What stands up to a subscription's position is in the log; everything behind it is delivered."""
        async with self.nodes() as (one, other):
            self.needs(one.history, "history")
            stop = asyncio.Event()

            async def publish() -> int:
                number = 0
                while not stop.is_set():
                    await one.publish("s", b"%d" % number, history=HistoryLimits(10_000))
                    number += 1
                    await asyncio.sleep(0)  # in memory, publishing lets nobody else run
                return number

            publishing = asyncio.create_task(publish())
            for _ in range(10):
                heard = Collector()
                subscription = await other.subscribe("s", heard, history=True)
                assert subscription.position is not None
                await heard.has(3)
                await subscription.close()
                before = [
                    message
                    for message in (await other.read("s")).messages
                    if _offset(message.position) <= subscription.position.offset
                ]
                both = [message.data for message in before] + heard.data
                assert both == [b"%d" % number for number in range(len(both))]
            stop.set()
            await publishing

    async def test_history_is_read_behind_a_position(self) -> None:
        """From the start, from the middle, from the end."""
        async with self.nodes() as (one, other):
            self.needs(one.history, "history")
            start = await one.read("s", limit=0)
            assert (start.messages, start.complete) == ((), True)
            positions = [(await one.publish("s", b"%d" % n, history=_KEPT)).position for n in range(5)]
            whole = await other.read("s", after=Position(start.epoch, start.last_offset))
            assert [message.data for message in whole.messages] == [b"0", b"1", b"2", b"3", b"4"]
            assert whole.complete
            rest = await other.read("s", after=positions[2])
            assert [message.data for message in rest.messages] == [b"3", b"4"]
            assert rest.complete
            nothing = await other.read("s", after=positions[4])
            assert (nothing.messages, nothing.complete) == ((), True)
            last = await other.read("s", limit=2)
            assert [message.data for message in last.messages] == [b"3", b"4"]

    async def test_a_slice_that_is_not_whole_is_empty(self) -> None:
        """A foreign epoch, an offset from the future, an eviction and a limit: never a part as the whole."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.history, "history")
            limits = HistoryLimits(messages=3)
            positions = [(await bus.publish("s", b"%d" % n, history=limits)).position for n in range(8)]
            first, last = positions[0], positions[-1]
            assert first is not None
            assert last is not None
            foreign = await bus.read("s", after=Position("another", 1))
            future = await bus.read("s", after=Position(last.epoch, last.offset + 1_000))
            limited = await bus.read("s", after=positions[4], limit=1)
            for found in (foreign, future, limited):
                assert (found.messages, found.complete) == ((), False)
                assert (found.epoch, found.last_offset) == (last.epoch, last.offset)
            enough = await bus.read("s", after=positions[4])
            assert [message.data for message in enough.messages] == [b"5", b"6", b"7"]
            if bus.require_history().contiguous:
                evicted = await bus.read("s", after=first)
                assert (evicted.messages, evicted.complete) == ((), False)
                assert [message.data for message in (await bus.read("s")).messages] == [b"5", b"6", b"7"]

    async def test_history_is_read_from_a_time_on(self) -> None:
        """By the time of publishing; nothing of before is shown."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.history, "history")
            heard = Collector()
            await bus.subscribe("s", heard, history=True)
            await bus.publish("s", b"old", history=_KEPT)
            await bus.publish("s", b"older", history=_KEPT)
            until_now = time.time()
            await until(lambda: time.time() > until_now, what="the clock went on")
            await bus.publish("s", b"new", history=_KEPT)
            await heard.has(3)
            since = heard.messages[2].published_at
            found = await bus.read("s", since=since)
            assert ([message.data for message in found.messages], found.complete) == ([b"new"], True)
            everything = await bus.read("s", since=0.0)
            assert [message.data for message in everything.messages] == [b"old", b"older", b"new"]

    async def test_messages_grow_old(self) -> None:
        """What is older than the limit is gone, and a position before it is told so."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.history, "history")
            limits = HistoryLimits(messages=10, age_seconds=1.0)
            first = await bus.publish("s", b"old", history=limits)
            second = await bus.publish("s", b"old", history=limits)
            kept: list[tuple[Message, ...]] = []

            async def gone() -> None:
                while not kept or kept[-1]:
                    kept.append((await bus.read("s")).messages)
                    await asyncio.sleep(0.02)

            await asyncio.wait_for(gone(), 20)
            late = await bus.read("s", after=first.position)
            assert (late.messages, late.complete) == ((), False)
            nothing_missed = await bus.read("s", after=second.position)
            assert nothing_missed.last_offset == _offset(second.position)
            third = await bus.publish("s", b"new", history=limits)
            assert third.position is not None
            assert second.position is not None
            assert third.position.epoch == second.position.epoch
            assert third.position.offset > second.position.offset

    async def test_an_idempotency_key_publishes_once(self) -> None:
        """From several nodes at once: one message, one position, the others are told that it was there."""
        async with self.nodes(3) as buses:
            self.needs(buses[0].history, "history")
            heard = Collector()
            await buses[0].subscribe("s", heard, history=True)
            results = await asyncio.gather(
                *(
                    buses[number % 3].publish("s", b"%d" % number, history=_KEPT, idempotency_key="order 7")
                    for number in range(12)
                )
            )
            other = await buses[0].publish("s", b"other", history=_KEPT, idempotency_key="order 8")
            await heard.has(2)
            assert [result.duplicate for result in results].count(False) == 1
            assert len({(result.id, result.position) for result in results}) == 1
            assert other.duplicate is False
            assert len(heard.data) == 2
            assert len((await buses[1].read("s")).messages) == 2

    async def test_a_kept_message_id_is_published_once(self) -> None:
        """A publisher that had no answer may try again with the same id."""
        async with self.nodes() as (one, other):
            self.needs(one.history, "history")
            first = await one.publish("s", b"x", history=_KEPT, id="same")
            again = await other.publish("s", b"x", history=_KEPT, id="same")
            assert again.position == first.position
            assert len((await one.read("s")).messages) == 1

    async def test_kept_and_unkept_messages_share_a_stream(self) -> None:
        """An unkept one arrives, has no position, and leaves no hole."""
        async with self.nodes() as (one, other):
            self.needs(one.history, "history")
            heard = Collector()
            await other.subscribe("s", heard, history=True)
            await one.publish("s", b"kept 1", history=_KEPT)
            await heard.has(1)
            await one.publish("s", b"unkept")
            await heard.has(2)
            await one.publish("s", b"kept 2", history=_KEPT)
            await heard.has(3)
            assert heard.data == [b"kept 1", b"unkept", b"kept 2"]
            assert [message.data for message in (await one.read("s")).messages] == [b"kept 1", b"kept 2"]

    async def test_history_outlives_its_publisher(self) -> None:
        """A node that comes later reads what a node that has gone has published."""
        async with self.nodes(1, namespace="outlives") as (other,):
            self.needs(other.history, "history")
            async with self.nodes(1, namespace="outlives") as (one,):
                published = await one.publish("s", b"still here", history=_KEPT)
            read = await other.read("s")
            assert [(message.data, message.position) for message in read.messages][-1:] == [
                (b"still here", published.position)
            ]

    async def test_streams_have_logs_of_their_own(self) -> None:
        """A busy stream evicts nothing of a quiet one."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.history, "history")
            quiet = await bus.publish("quiet", b"x", history=HistoryLimits(5))
            for number in range(30):
                await bus.publish("busy", b"%d" % number, history=HistoryLimits(5))
            read = await bus.read("quiet")
            assert [message.position for message in read.messages] == [quiet.position]

    async def test_a_listener_may_ask_for_history_later(self) -> None:
        """A stream that was heard without it gets its order from then on."""
        async with self.nodes() as (one, other):
            self.needs(one.history, "history")
            plain, kept = Collector(), Collector()
            await other.subscribe("s", plain)
            subscription = await other.subscribe("s", kept, history=True)
            assert subscription.position is not None
            await one.publish("s", b"x", history=_KEPT)
            await kept.has(1)
            await plain.has(1)
            assert (kept.data, plain.data) == ([b"x"], [b"x"])


def _offset(position: Position | None) -> int:
    assert position is not None
    return position.offset


def _epoch(positions: list[Position | None]) -> str:
    (epoch,) = {position.epoch for position in positions if position is not None}
    return epoch
