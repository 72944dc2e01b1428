"""The broadcaster package on the bus: what its own backends lose arrives."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from broadcaster import Broadcast

from lineside.bus import BusClosedError, BusUnavailable, HistoryLimits, InvalidStreamError
from lineside.bus.broadcaster import BusBroadcast
from lineside.testing._bus_nodes import until
from tests.services import running_nats, running_postgres, running_redis

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SERVERS: dict[str, Callable[[], Any]] = {
    "redis": running_redis,
    "nats": running_nats,
    "postgres": running_postgres,
}


@pytest.fixture(params=["memory", "redis", "nats", "postgres"])
def url(request: Any) -> str:
    """Give a bus of each kind."""
    if request.param == "memory":
        return "memory://"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


async def take(subscriber: Any, count: int) -> list[Any]:
    """Return so many messages of a subscriber."""
    async with asyncio.timeout(10):
        return [(await subscriber.get()).message for _ in range(count)]


async def test_first_subscribers_of_a_channel_may_come_together(url: str) -> None:
    """Five at the same time: each gets the message, and each can leave."""
    async with Broadcast(backend=BusBroadcast(url)) as broadcast:
        ready = asyncio.Barrier(6)

        async def listen() -> list[Any]:
            async with broadcast.subscribe("news") as subscriber:
                await ready.wait()
                return await take(subscriber, 1)

        listening = [asyncio.create_task(listen()) for _ in range(5)]
        await ready.wait()
        await broadcast.publish("news", "hello")
        assert await asyncio.gather(*listening) == [["hello"]] * 5


async def test_a_channel_can_be_subscribed_again(url: str) -> None:
    """After its last subscriber has left, and with nothing of the time between."""
    async with Broadcast(backend=BusBroadcast(url)) as broadcast:
        for number in range(3):
            async with broadcast.subscribe("news") as subscriber:
                await broadcast.publish("news", f"while listening {number}")
                assert await take(subscriber, 1) == [f"while listening {number}"]
            await broadcast.publish("news", "while nobody listens")


async def test_many_publish_at_the_same_time(url: str) -> None:
    """Fifty of fifty arrive."""
    async with Broadcast(backend=BusBroadcast(url)) as broadcast, broadcast.subscribe("news") as subscriber:
        await asyncio.gather(*(broadcast.publish("news", str(number)) for number in range(50)))
        assert sorted(await take(subscriber, 50), key=int) == [str(number) for number in range(50)]


async def test_a_message_may_be_large_and_of_any_kind(url: str) -> None:
    """Nine kilobytes of text, of bytes, and nothing at all."""
    messages = ["ü" * 9_000, b"\x00\xff" * 4_500, "", b""]
    async with Broadcast(backend=BusBroadcast(url)) as broadcast, broadcast.subscribe("news") as subscriber:
        for message in messages:
            await broadcast.publish("news", message)
        assert await take(subscriber, 4) == messages


@pytest.mark.parametrize("kind", SERVERS)
async def test_processes_reach_each_other_after_a_restart_of_the_server(kind: str) -> None:
    """With history, what is published while one of them is still away arrives as well."""
    kept = HistoryLimits(messages=1_000, age_seconds=300)
    with SERVERS[kind]() as server:
        async with AsyncExitStack() as stack:
            backends = [BusBroadcast(server.url, history=kept) for _ in range(2)]
            one, other = [await stack.enter_async_context(Broadcast(backend=backend)) for backend in backends]
            subscriber = await stack.enter_async_context(other.subscribe("news"))
            await one.publish("news", "before")
            assert await take(subscriber, 1) == ["before"]
            server.kill()
            await until(lambda: not any(backend._bus.connected for backend in backends), what="it is lost")
            await asyncio.to_thread(server.restart)
            await one.publish("news", "after")
            assert await take(subscriber, 1) == ["after"]


async def test_publishing_into_an_outage_raises() -> None:
    """Never silence."""
    from lineside.bus import Bus

    with running_redis() as server:
        async with Bus(server.url, deadline_seconds=0.3) as bus:
            async with Broadcast(backend=BusBroadcast(bus)) as broadcast:
                server.kill()
                with pytest.raises(BusUnavailable):
                    await broadcast.publish("news", "lost")
            assert bus.open


async def test_a_slow_taker_costs_the_oldest_messages_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The bound holds."""
    backend = BusBroadcast("memory://", max_pending=2)
    await backend.connect()
    await backend.subscribe("news")
    for number in range(3):
        await backend.publish("news", str(number))
    assert [(await backend.next_published()).message for _ in range(2)] == ["1", "2"]
    assert backend._bus.stats.counts["overflows"] == 1
    assert "the oldest was dropped" in caplog.text
    await backend.disconnect()


async def test_what_cannot_be_published_is_refused() -> None:
    """Objects, endless names, and anything before the connection."""
    backend = BusBroadcast("memory://")
    with pytest.raises(BusClosedError, match="async with broadcast"):
        await backend.publish("news", "x")
    await backend.connect()
    with pytest.raises(TypeError, match="encode it"):
        await backend.publish("news", {"a": 1})
    with pytest.raises(InvalidStreamError):
        await backend.publish("x" * 5_000, "x")
    await backend.disconnect()
