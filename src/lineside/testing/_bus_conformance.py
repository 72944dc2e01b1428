"""What every backend of the bus must do."""

import asyncio
from typing import Final

from lineside.bus import Bus, BusClosedError
from lineside.testing._bus_history import HistoryConformance
from lineside.testing._bus_nodes import Collector
from lineside.testing._bus_presence import PresenceConformance

__all__ = ["BusConformance"]

ODD_NAMES: Final = (
    "*",
    ">",
    "a.>",
    "a.*",
    "a.b",
    "a",
    "a b",
    "a/b",
    "a:b",
    "[ab]*",
    "{a}",
    "$SYS.>",
    "'; drop table x; --",
    "%s",
    "ä",
    "a\u0308",
    "日本語",
    "🙂",
    "A",
    "x" * 255,
    "x" * 254,
)


class BusConformance(HistoryConformance, PresenceConformance):
    """The contract of `lineside.bus.Backend` as tests.

    A backend's author inherits them:

        @pytest.mark.anyio
        class TestMyBackend(BusConformance):
            def make_backend(self, options: BackendOptions) -> Backend:
                return MyBackend("my://localhost", options)

    A capability that the backend does not claim is skipped.
    """

    async def test_bytes_arrive_unchanged(self) -> None:
        """Binary, empty and large data is what it was, and so is what stands beside it."""
        async with self.nodes() as (one, other):
            heard = Collector()
            await other.subscribe("s", heard)
            sent = [b"", bytes(range(256)), b"\r\n$5\r\n", b"x" * 9_000, b"\xff" * 1_000_000, b'{"a":1}']
            for data in sent:
                await one.publish("s", data, headers={"trace": "a-ü"})
            await heard.has(len(sent))
            assert heard.data == sent
            assert {message.node for message in heard.messages} == {one.node}
            assert {message.headers["trace"] for message in heard.messages} == {"a-ü"}
            assert all(message.position is None for message in heard.messages)

    async def test_every_listener_of_every_node_hears_once(self) -> None:
        """The publisher's own node too, which does not wait for the echo."""
        async with self.nodes(3) as buses:
            heard = [Collector() for _ in range(6)]
            for index, collector in enumerate(heard):
                await buses[index // 2].subscribe("s", collector)
            for number in range(20):
                await buses[0].publish("s", b"%d" % number)
            for collector in heard:
                await collector.has(20)
            await self._settled(buses[0], buses[2])
            assert [collector.data for collector in heard] == [[b"%d" % n for n in range(20)]] * 6

    async def test_a_message_without_history_is_heard_here_at_once(self) -> None:
        """When `publish` returns, this node's listeners have it."""
        async with self.nodes(1) as (bus,):
            heard = Collector()
            await bus.subscribe("s", heard)
            published = await bus.publish("s", b"now")
            assert heard.data == [b"now"]
            assert published.position is None

    async def test_publishing_to_nobody_is_fine(self) -> None:
        """A bus does not count who listens."""
        async with self.nodes(1) as (bus,):
            assert (await bus.publish("nobody", b"x")).duplicate is False

    async def test_messages_of_one_publisher_keep_their_order(self) -> None:
        """One after the other is one after the other everywhere."""
        async with self.nodes() as (one, other):
            heard = Collector()
            await other.subscribe("s", heard)
            for number in range(300):
                await one.publish("s", b"%d" % number)
            await heard.has(300)
            assert heard.data == [b"%d" % number for number in range(300)]

    async def test_a_subscription_is_live_when_subscribe_returns(self) -> None:
        """What is published right behind it arrives, stream by stream."""
        async with self.nodes() as (one, other):
            for number in range(40):
                heard = Collector()
                await other.subscribe(f"s{number}", heard)
                await one.publish(f"s{number}", b"first")
                await heard.has(1)

    async def test_nothing_comes_after_a_subscription_is_closed(self) -> None:
        """And nothing of it stays behind, while another listener goes on."""
        async with self.nodes() as (one, other):
            closed, open_ = Collector(), Collector()
            subscription = await other.subscribe("s", closed)
            await other.subscribe("s", open_)
            await subscription.close()
            await subscription.close()
            await one.publish("s", b"later")
            await open_.has(1)
            assert closed.items == []

    async def test_subscribing_in_quick_succession_loses_and_leaks_nothing(self) -> None:
        """A thousand times on and off, several at once: the last word counts."""
        async with self.nodes() as (one, other):
            steady = Collector()
            await other.subscribe("steady", steady)

            async def on_and_off(stream: str) -> None:
                for _ in range(100):
                    subscription = await other.subscribe(stream, Collector())
                    await subscription.close()

            await asyncio.gather(*(on_and_off(f"s{number % 3}") for number in range(10)))
            heard = Collector()
            await other.subscribe("s1", heard)
            for stream in ("s0", "s1", "s2", "steady"):
                await one.publish(stream, b"x")
            await heard.has(1)
            await steady.has(1)
            assert heard.data == [b"x"]

    async def test_names_are_data(self) -> None:
        """No name is a pattern, a subject, a command or another name."""
        async with self.nodes() as (one, other):
            heard = {name: Collector() for name in ODD_NAMES}
            for name, collector in heard.items():
                await other.subscribe(name, collector)
            for name in ODD_NAMES:
                await one.publish(name, name.encode())
            for name, collector in heard.items():
                await collector.has(1)
                assert [(message.stream, message.data) for message in collector.messages] == [
                    (name, name.encode())
                ]

    async def test_namespaces_are_apart(self) -> None:
        """Two apps on one server do not hear each other."""
        async with self.nodes(2, namespace="one-app") as (one, same), self.nodes(1) as (foreign,):
            heard, overheard = Collector(), Collector()
            await same.subscribe("s", heard)
            await foreign.subscribe("s", overheard)
            await one.publish("s", b"x")
            await heard.has(1)
            await foreign.publish("s", b"own")
            await overheard.has(1)
            assert (heard.data, overheard.data) == ([b"x"], [b"own"])

    async def test_a_message_id_is_published_once(self) -> None:
        """The same id again is the same message."""
        async with self.nodes() as (one, other):
            heard = Collector()
            await other.subscribe("s", heard)
            first = await one.publish("s", b"x", id="same")
            again = await one.publish("s", b"x", id="same")
            await self._settled(one, other)
            assert (first.duplicate, again.duplicate) == (False, True)
            assert heard.data == [b"x"]

    async def test_many_publishers_at_once_lose_nothing(self) -> None:
        """Concurrent publishing is only limited by the server."""
        async with self.nodes() as (one, other):
            heard = Collector()
            await other.subscribe("s", heard)
            await asyncio.gather(*(one.publish("s", b"%d" % number) for number in range(200)))
            await heard.has(200)
            assert sorted(heard.data) == sorted(b"%d" % number for number in range(200))

    async def test_the_server_answers(self) -> None:
        """A ping comes back."""
        async with self.nodes(1) as (bus,):
            await bus.ping()
            assert bus.connected

    async def test_a_closed_bus_says_so(self) -> None:
        """Closing twice is fine; working afterwards is not."""
        async with self.nodes(1) as (bus,):
            await bus.close()
            await bus.close()
            for work in (bus.publish("s", b""), bus.subscribe("s", Collector()), bus.ping()):
                try:
                    await work
                except BusClosedError:
                    continue
                raise AssertionError("a closed bus went on")

    async def _settled(self, publisher: Bus, listener: Bus) -> None:
        # A message behind the others shows that no other is still on its way.
        heard = Collector()
        subscription = await listener.subscribe("settled", heard)
        await publisher.publish("settled", b"")
        await heard.has(1)
        await subscription.close()
