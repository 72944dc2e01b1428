"""The buses on uvloop, which raises where asyncio says nothing: writing to a connection that has ended."""

import asyncio
from typing import Any

import pytest
import uvloop

from lineside.bus import Bus, BusStats
from lineside.bus._nats._client import NatsSession
from lineside.testing._bus_nodes import Collector, until
from tests.bus.ledger import Ledger
from tests.faultproxy import proxied

pytestmark = pytest.mark.services


@pytest.fixture(params=["redis", "nats"])
def server(request: Any) -> Any:
    """Give each server in turn."""
    return request.getfixturevalue(request.param)


def test_connections_that_end_while_they_are_written_to_cost_nothing(server: Any) -> None:
    """Each end is noticed at once, nothing is lost, and no task is left of it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_reset_again_and_again(server))


async def _reset_again_and_again(server: Any) -> None:
    async with proxied(server.port) as proxy:
        url = server.url.replace(f":{server.port}", f":{proxy.port}")
        async with Bus(url, namespace="uvloop") as bus:
            ledger, heard = Ledger(), Collector()
            await bus.subscribe(ledger.stream, heard, history=True)
            for number in range(8):
                ledger.publish_with(bus, f"p{number}", pace=0.0)
            await ledger.acknowledged(50)
            lost: list[str] = []
            bus.on_lost(lost.append)
            tasks = len(asyncio.all_tasks())
            for number in range(1, 9):
                proxy.reset()
                await until(lambda number=number: len(lost) >= number, what="the end is noticed")
                await until(lambda: bus.connected, what="the bus is back")
                await ledger.acknowledged(50)
            await ledger.stop()
            await ledger.judge(heard)
            await until(lambda: len(asyncio.all_tasks()) <= tasks, what="no task is left")


def test_a_connection_to_nats_that_ends_with_something_left_to_write_tells_its_end(nats: Any) -> None:
    """Where the client's own closing fails half-way, its end is known all the same, and nothing waits on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_end_while_writing(nats.url))


async def _end_while_writing(url: str) -> None:
    tasks = len(asyncio.all_tasks())
    session = NatsSession(BusStats())
    await session.open([url], "test")
    await session.listen("subject", lambda _: None)
    client: Any = session._client
    client._flusher_task.cancel()  # as when writing has just failed
    await session.publish("subject", b"never sent")
    client._transport._io_writer.transport.abort()
    async with asyncio.timeout(5):
        assert "ended" in await session.ended
    await session.close()
    await until(lambda: len(asyncio.all_tasks()) <= tasks, what="no task is left")
