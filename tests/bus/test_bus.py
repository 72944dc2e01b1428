"""The bus itself, whatever carries its messages."""

import asyncio
import gc
import logging
import sys
from typing import Any

import pytest

from lineside.bus import (
    BackendOptions,
    Bus,
    BusClosedError,
    BusUnavailable,
    HistoryLimits,
    InvalidStreamError,
    Message,
    MessageTooLargeError,
    SlowConsumerError,
    UnsupportedByBackendError,
    refuse_several_processes,
)
from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.exceptions import ConfigurationError, MissingDependencyError, SecretError
from lineside.instrumentation import Metrics
from lineside.testing._bus_nodes import Collector, until

pytestmark = pytest.mark.anyio


def ignore(item: object) -> None:
    """Listen, and do nothing."""


class CountingBackend(MemoryBackend):
    """Takes its time, as a server does, and counts what it is asked."""

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        super().__init__(broker)
        self.live: set[str] = set()
        self.subscribed = 0
        self.fails = False

    async def subscribe(self, stream: str, *, history: bool) -> None:
        self.subscribed += 1
        await asyncio.sleep(0)
        if self.fails:
            raise BusUnavailable("away")
        await super().subscribe(stream, history=history)
        self.live.add(stream)
        await asyncio.sleep(0)

    async def unsubscribe(self, stream: str) -> None:
        await asyncio.sleep(0)
        await super().unsubscribe(stream)
        self.live.discard(stream)
        await asyncio.sleep(0)


@pytest.mark.parametrize("url", ["memory://", "redis"])
async def test_hub_10_and_11_a_bus_refuses_what_is_no_stream_and_what_comes_too_late(
    url: str, request: pytest.FixtureRequest
) -> None:
    """TEST-HUB-10, TEST-HUB-11: publishing to nobody is fine; an empty name and a closed bus are errors."""
    bus = Bus(request.getfixturevalue("redis_url") if url == "redis" else url)
    with pytest.raises(BusClosedError, match="not connected"):
        await bus.publish("s", b"")
    await bus.connect()
    await bus.connect()
    await bus.ping()
    await bus.publish("nobody", b"x")
    for work in (bus.publish("", b""), bus.subscribe("", ignore), bus.read("")):
        with pytest.raises(InvalidStreamError, match="empty"):
            await work
    await bus.close()
    await bus.close()
    for work in (bus.publish("s", b""), bus.subscribe("s", ignore), bus.read("s"), bus.ping()):
        with pytest.raises(BusClosedError):
            await work


@pytest.mark.parametrize("name", ["a\r\nb", "a\x00", "\x7f", "x" * 256, "ü" * 128, "\ud800", "\t"])
async def test_a_name_that_is_no_stream_is_refused(name: str) -> None:
    """Control characters, more than 255 bytes, and what is no UTF-8."""
    async with Bus("memory://") as bus:
        for work in (bus.publish(name, b""), bus.subscribe(name, ignore), bus.read(name)):
            with pytest.raises(InvalidStreamError):
                await work


async def test_a_message_has_bounds() -> None:
    """Its data, its headers and its id; the error says which, and what to do."""
    async with Bus("memory://", max_message_bytes=10) as bus:
        await bus.publish("s", b"x" * 10)
        with pytest.raises(MessageTooLargeError, match="at most 10 bytes, this one has 11"):
            await bus.publish("s", b"x" * 11)
        with pytest.raises(MessageTooLargeError, match="headers"):
            await bus.publish("s", b"", headers={"a": "x" * 9_000})
        with pytest.raises(ValueError, match="message's id"):
            await bus.publish("s", b"", id="x" * 256)


async def test_a_listener_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and counted; the others and its own next messages go on."""

    def fail(item: object) -> None:
        raise RuntimeError("oops")

    async with Bus("memory://") as bus:
        heard = Collector()
        await bus.subscribe("s", fail)
        await bus.subscribe("s", heard)
        await bus.publish("s", b"1")
        await bus.publish("s", b"2")
        assert heard.data == [b"1", b"2"]
        assert bus.stats.counts["listener_errors"] == 2
        assert "a listener of the stream 's' failed" in caplog.text


async def test_a_stream_is_subscribed_once_for_all_listeners() -> None:
    """A thousand listeners are one subscription of the backend, which ends with the last."""
    backend = CountingBackend()
    async with Bus(backend) as bus:
        heard = Collector()
        subscriptions = await asyncio.gather(*(bus.subscribe("s", heard) for _ in range(1_000)))
        assert backend.subscribed == 1
        await bus.publish("s", b"x")
        assert len(heard.items) == 1_000
        await asyncio.gather(*(subscription.close() for subscription in subscriptions[1:]))
        assert backend.live == {"s"}
        await subscriptions[0].close()
        assert backend.live == set()
        assert bus._registry.streams == {}
        assert len(bus._registry.locks) == 0


async def test_coming_and_going_at_once_loses_and_leaks_nothing() -> None:
    """A thousand times each, concurrently, on a backend that takes its time."""
    backend = CountingBackend()
    async with Bus(backend) as bus:

        async def come_and_go(number: int) -> None:
            for _ in range(50):
                heard = Collector()
                subscription = await bus.subscribe(f"s{number % 2}", heard, history=number % 3 == 0)
                marker = b"%d" % number
                await bus.publish(f"s{number % 2}", marker)
                assert marker in heard.data, "a live subscription missed a message"
                await subscription.close()
                seen = len(heard.items)
                await asyncio.sleep(0)
                assert len(heard.items) == seen, "a closed subscription heard a message"

        await asyncio.gather(*(come_and_go(number) for number in range(20)))
        assert (backend.live, bus._registry.streams, len(bus._registry.locks)) == (set(), {}, 0)


async def test_a_failed_or_cancelled_subscription_leaves_nothing_behind() -> None:
    """Neither here nor at the backend; the next one works."""
    backend = CountingBackend()
    async with Bus(backend) as bus:
        backend.fails = True
        with pytest.raises(BusUnavailable):
            await bus.subscribe("s", ignore, history=True)
        backend.fails = False
        for turns in range(6):
            task = asyncio.create_task(bus.subscribe("s", ignore))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled():
                await task.result().close()
            assert (backend.live, bus._registry.streams) == (set(), {}), turns
        heard = Collector()
        await bus.subscribe("s", heard)
        await bus.publish("s", b"x")
        assert heard.data == [b"x"]


async def test_a_cancelled_close_still_frees_the_stream() -> None:
    """Whoever waits for it may go; the work goes on."""
    backend = CountingBackend()
    async with Bus(backend) as bus:
        subscription = await bus.subscribe("s", ignore)
        task = asyncio.create_task(subscription.close())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: not backend.live, what="the stream is freed")
        assert bus._registry.streams == {}


async def test_too_many_waiting_messages_are_told() -> None:
    """Those that waited are given out first, and then the error says what to do."""
    async with Bus("memory://") as bus, bus.messages("s", max_pending=3) as messages:
        for number in range(5):
            await bus.publish("s", b"%d" % number)
        taken = [await anext(messages) for _ in range(3)]
        assert [message.data for message in taken if isinstance(message, Message)] == [b"0", b"1", b"2"]
        with pytest.raises(SlowConsumerError, match="max_pending"):
            await anext(messages)


async def test_messages_are_waited_for() -> None:
    """An iteration that has nothing to give waits, and ends its subscription with the block."""
    backend = CountingBackend()
    async with Bus(backend) as bus:
        async with bus.messages("s", history=True) as messages:
            waiting = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            assert not waiting.done()
            published = await bus.publish("s", b"x", history=HistoryLimits())
            message = await waiting
            assert isinstance(message, Message)
            assert message.position == published.position
        assert backend.live == set()


async def test_an_idempotency_key_without_history_holds_where_it_is_remembered() -> None:
    """The second message is dropped by every node that has seen the first."""
    broker = MemoryBroker()
    async with Bus(MemoryBackend(broker)) as one, Bus(MemoryBackend(broker)) as other:
        heard = Collector()
        await one.subscribe("s", heard)
        first = await one.publish("s", b"1", idempotency_key="k" * 10_000)
        second = await other.publish("s", b"2", idempotency_key="k" * 10_000)
        third = await other.publish("another", b"3", idempotency_key="k" * 10_000)
        assert heard.data == [b"1"]
        assert first.id == second.id != third.id


async def test_a_bus_says_what_its_backend_cannot() -> None:
    """And names backends that can."""
    backend = MemoryBackend()
    backend.history = backend.presence = backend.membership = None
    async with Bus(backend) as bus:
        for ask in (bus.require_history, bus.require_presence, bus.require_membership):
            with pytest.raises(UnsupportedByBackendError, match="redis://"):
                ask()
        with pytest.raises(UnsupportedByBackendError):
            await bus.subscribe("s", ignore, history=True)
        with pytest.raises(UnsupportedByBackendError):
            await bus.publish("s", b"", history=HistoryLimits())


def test_an_unknown_scheme_lists_the_known_ones_and_no_secret() -> None:
    """A URL may hold a password, wherever its mistake is."""
    for url in ("kafka://user:hunter2@host", "hunter2"):
        with pytest.raises(ConfigurationError, match=r"redis://") as raised:
            Bus(url)
        assert "hunter2" not in str(raised.value)
    with pytest.raises(ConfigurationError) as raised:
        Bus("redis://user:hunt/er2@host")
    assert "hunt" not in str(raised.value)


@pytest.mark.parametrize(
    ("scheme", "package"), [("redis", "redis"), ("nats", "nats"), ("postgres", "asyncpg")]
)
def test_a_missing_client_says_what_to_install(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import fails when the URL asks for it, and not before."""
    ours, theirs = f"lineside.bus._{scheme}.", f"{package}."
    for name in list(sys.modules):
        if name == f"lineside.bus.{scheme}" or name.startswith((ours, theirs)):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'lineside\[{scheme}\]'"):
        Bus(f"{scheme}://localhost")


@pytest.mark.parametrize("url", ["nats://127.0.0.1:1", "postgres://127.0.0.1:1/app"])
async def test_a_server_that_is_not_there_is_told_once(url: str) -> None:
    """In one sentence, that ends with what to look at."""
    with pytest.raises(BusUnavailable, match=r"is it running\?$") as raised:
        await Bus(url, deadline_seconds=0.5).connect()
    assert str(raised.value).count("cannot be reached") <= 1


def test_settings_that_would_be_ignored_are_refused() -> None:
    """A backend made by hand has its own; a namespace and a secret must be possible ones."""
    with pytest.raises(ConfigurationError, match="BackendOptions"):
        Bus(MemoryBackend(), secret="x" * 32)
    with pytest.raises(ConfigurationError, match="BackendOptions"):
        Bus(MemoryBackend(), namespace="mine")
    for namespace in ("", "a b", "a.b", "a*", "x" * 65, "ü"):
        with pytest.raises(ConfigurationError, match="namespace"):
            Bus("memory://", namespace=namespace)
    with pytest.raises(SecretError, match="32"):
        Bus("redis://localhost", secret="short")


def test_a_secret_is_in_no_repr() -> None:
    """Options may be logged."""
    assert "hunter2" not in repr(BackendOptions(secrets=["hunter2" * 5]))


@pytest.mark.parametrize("name", ["LINESIDE_WORKERS", "WEB_CONCURRENCY"])
def test_a_bus_in_memory_refuses_several_processes(name: str, redis_url: str) -> None:
    """Each worker would be an island, silently."""
    bus = Bus("memory://")
    with pytest.raises(ConfigurationError, match=f"{name} is 2.*redis://"):
        refuse_several_processes(bus, {name: "2"})
    for value in ("1", "", "auto"):
        refuse_several_processes(bus, {name: value})
    refuse_several_processes(bus, {})
    refuse_several_processes(Bus(redis_url), {name: "2"})


async def test_what_happens_is_counted() -> None:
    """In the statistics, and in Prometheus' words where metrics are given."""
    metrics = Metrics()
    async with Bus("memory://", metrics=metrics) as bus:
        await bus.subscribe("s", ignore)
        await bus.publish("s", b"x", id="a")
        await bus.publish("s", b"x", id="a")
        assert dict(bus.stats.counts) == {"published": 2, "delivered": 1, "duplicates": 1}
        counter = metrics.registry.get_sample_value("lineside_bus_events_total", {"event": "duplicates"})
        assert counter == 1


async def test_a_hundred_thousand_streams_leave_nothing() -> None:
    """Names come from outside: each is used once, and what they cost is bounded."""
    broker = MemoryBroker(max_bytes=2_000_000, max_streams=1_000)
    async with Bus(MemoryBackend(broker), dedup_size=1_000) as bus:
        for number in range(100_000):
            name = f"random:{number * 7919}"
            if number % 10 == 0:
                subscription = await bus.subscribe(name, ignore, history=True)
                await bus.publish(name, b"x" * 100, history=HistoryLimits())
                await subscription.close()
            else:
                await bus.publish(name, b"x")
        gc.collect()
        assert (bus._registry.streams, len(bus._registry.locks), broker.audiences) == ({}, 0, {})
        assert len(broker.logs) <= 1_000
        assert broker.logs.size <= 2_000_000
        assert len(bus._publisher._seen) <= 1_001
        assert len(bus._tasks) == 1


async def test_a_function_that_is_told_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """The others are told all the same."""

    def fail(*_: Any) -> None:
        raise RuntimeError("oops")

    async with Bus("memory://") as bus:
        told: list[str] = []
        bus.on_lost(fail)
        bus.on_lost(told.append)
        with caplog.at_level(logging.INFO, "lineside.bus"):
            bus._intake.lost("gone")
            bus._intake.restored()
        assert told == ["gone"]
        assert "the bus has lost its server: gone" in caplog.text
