"""Starting in vain, stopping twice, starting again: nothing stays open, and the error is the bus's own."""

import asyncio
import gc
import socket
from typing import Any

import pytest

from lineside.bus import Bus, BusUnavailable
from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable import Cable, CableConfigurationError, Channel, ChannelRegistry
from lineside.cable.fastapi import cable_router
from tests.cable.core.cables import V1, client, identifier, messages, subscribe
from tests.cable.fakes import running
from tests.cable.fastapi.apps import app_with

pytestmark = pytest.mark.anyio

FEED = identifier("Feed")


class Feed(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("feed")


class Failing(MemoryBackend):
    """A backend whose server goes away at one of the calls of a start."""

    def __init__(self, broker: MemoryBroker, at: int) -> None:
        super().__init__(broker)
        self.at = at
        self.closed = 0

    async def subscribe(self, stream: str, *, history: bool) -> None:
        self.at -= 1
        if self.at < 0:
            raise BusUnavailable("the server is away")
        await super().subscribe(stream, history=history)

    async def publish(self, message: Any) -> None:
        self.at -= 1
        if self.at < 0:
            raise RuntimeError("the server said something strange")
        await super().publish(message)

    async def close(self) -> None:
        self.closed += 1
        await super().close()


def _tasks() -> set[Any]:
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_start_that_fails_leaves_nothing_open(at: int) -> None:
    """No task, no subscription, no lease, no connection to the server."""
    before = _tasks()
    broker = MemoryBroker()
    backend = Failing(broker, at)
    node = Cable(ChannelRegistry([]), bus=backend)
    with pytest.raises((BusUnavailable, RuntimeError), match="the server"):
        await node.start()
    assert _tasks() == before
    assert not broker.audiences
    assert not await broker.membership.nodes()
    assert backend.closed == 1
    assert not node.accepting


async def test_a_start_that_fails_leaves_the_bus_of_somebody_else_open() -> None:
    """Who connected it closes it."""
    broker = MemoryBroker()
    async with Bus(Failing(broker, 1)) as bus:
        node = Cable(ChannelRegistry([]), bus=bus)
        with pytest.raises(BusUnavailable):
            await node.start()
        assert bus.open
        assert not broker.audiences


async def test_a_start_that_is_cancelled_leaves_nothing_open() -> None:
    """As one that fails."""
    before = _tasks()
    broker = MemoryBroker()
    backend, reached = MemoryBackend(broker), asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    backend.membership.beat = never  # type: ignore[method-assign,union-attr]
    node = Cable(ChannelRegistry([]), bus=backend)
    starting = asyncio.ensure_future(node.start())
    await reached.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert _tasks() == before
    assert not broker.audiences


async def test_a_cable_that_failed_to_start_starts_when_the_bus_is_back() -> None:
    """With the same object: an app that tries again."""
    backend = Failing(MemoryBroker(), 1)
    node = Cable(ChannelRegistry([Feed]), bus=backend)
    with pytest.raises(BusUnavailable):
        await node.start()
    backend.at = 1_000
    await _works(node)


async def test_a_cable_can_be_stopped_twice_and_started_again() -> None:
    """An app's lifespan may run several times, as under a test client."""
    node = Cable(ChannelRegistry([Feed]))
    await node.stop()
    for _ in range(3):
        await _works(node)
        await node.stop()
    gc.collect()


async def test_a_cable_that_runs_is_not_started_again() -> None:
    """A second start would join the other nodes twice."""
    async with running(node := Cable(ChannelRegistry([]))):
        with pytest.raises(CableConfigurationError, match="runs already"):
            await node.start()
        assert node.accepting


async def _works(node: Cable) -> None:
    async with running(node):
        someone = await client(node, V1)
        await subscribe(someone, FEED)
        await node.broadcast("feed", "hello")
        await someone.receive(lambda frame: frame.get("message") == "hello")
        assert messages(someone, FEED) == ["hello"]


async def test_an_app_whose_bus_is_away_says_so_and_leaves_no_cable_behind() -> None:
    """The error names the bus; the next start of the app finds nothing in its way."""
    broker = MemoryBroker()
    backend = Failing(broker, 1)
    app = app_with(cable_router([Feed], bus=backend))
    with pytest.raises(BusUnavailable, match="away"):
        async with app.router.lifespan_context(app):
            raise AssertionError("it began")
    backend.at = 1_000
    async with app.router.lifespan_context(app):
        assert broker.audiences
    assert not broker.audiences


async def test_one_router_in_two_apps_at_once_is_refused() -> None:
    """Its cable belongs to the app that started it, and goes on there."""
    router = cable_router([Feed])
    one, other = app_with(router), app_with(router)
    async with one.router.lifespan_context(one):
        with pytest.raises(CableConfigurationError, match="runs already"):
            async with other.router.lifespan_context(other):
                raise AssertionError("it began")
        assert router.cable.accepting  # type: ignore[attr-defined]


async def test_a_start_without_a_server_names_it_and_leaves_no_task_and_no_socket() -> None:
    """A port that nobody listens to; the password in its URL is not shown."""
    before = _tasks()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"redis://:s3cr3t@127.0.0.1:{free.getsockname()[1]}/0"
        node = Cable(ChannelRegistry([]), bus=Bus(url, deadline_seconds=0.5))
        node._owns_bus = True
        with pytest.raises(BusUnavailable) as caught:
            await node.start()
    assert "s3cr3t" not in str(caught.value)
    assert _tasks() == before
    gc.collect()
