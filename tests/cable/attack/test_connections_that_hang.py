"""Clients that go while an action of theirs hangs, and actions that do not end: nothing is kept for ever."""

import asyncio
import time
from typing import Any

import pytest

from lineside.cable import CableLimits, Channel
from lineside.cable.fastapi import cable_router
from tests.cable.core.cables import V1, cable, client, identifier, subscribe
from tests.cable.fakes import eventually, running
from tests.cable.fastapi.apps import app_with, site

pytestmark = pytest.mark.anyio

HANGS = identifier("Hangs")


class Hangs(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("feed")

    async def hang(self) -> None:
        await asyncio.Event().wait()

    async def hold_on(self) -> None:
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError:
                continue

    def block(self) -> None:
        while not done.is_set():
            time.sleep(0.01)


done = asyncio.Event()


@pytest.fixture(autouse=True)
def _again() -> Any:
    global done
    done = asyncio.Event()
    yield
    done.set()


def perform(action: str) -> dict[str, Any]:
    return {"command": "message", "identifier": HANGS, "data": f'{{"action":"{action}"}}'}


@pytest.mark.parametrize("protocol", ["auto", "lineside.cable.uvicorn:LeanProtocol"])
@pytest.mark.parametrize("count", [2, 20])
async def test_a_client_that_goes_while_its_commands_wait_for_a_hanging_action_is_gone(
    protocol: str, count: int
) -> None:
    """Though its socket is not read any more: its seat is free, its streams are stopped."""
    limits = CableLimits(pending_commands=2, close_seconds=0.2, ping_seconds=0.1)
    router = cable_router([Hangs], limits=limits)
    node = router.cable
    async with site(app_with(router), ws=protocol) as served:
        async with served.client() as someone:
            await someone.subscribed("Hangs")
            for _ in range(count):
                await someone.perform(HANGS, "hang")
            await eventually(lambda: all(each._lanes.pending >= 2 for each in node.connections.values()))
            someone.socket.transport.abort()
        await eventually(lambda: not node.connections)
        assert not node.hub.streams


@pytest.mark.parametrize("protocol", ["auto", "lineside.cable.uvicorn:LeanProtocol"])
async def test_a_client_that_is_sent_away_while_an_action_hangs_is_gone(protocol: str) -> None:
    """A remote disconnect, an expired token or a drain does not wait for the action."""
    limits = CableLimits(pending_commands=2, close_seconds=0.2)
    router = cable_router([Hangs], limits=limits)
    node = router.cable
    async with site(app_with(router), ws=protocol) as served, served.client() as someone:
        await someone.subscribed("Hangs")
        for _ in range(20):
            await someone.perform(HANGS, "hang")
        await eventually(lambda: all(each._lanes.pending >= 2 for each in node.connections.values()))
        (connection,) = node.connections.values()
        await node.disconnect({"client_id": connection.client_id})
        await eventually(lambda: not node.connections)


@pytest.mark.parametrize("action", ["hold_on", "block"])
async def test_an_action_that_cannot_be_cancelled_does_not_keep_its_connection(
    action: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its client is gone for everybody; the log says what still runs."""
    async with running(node := cable([Hangs], limits=CableLimits(close_seconds=0.1))):
        someone = await client(node, V1)
        await subscribe(someone, HANGS)
        await someone.send(perform(action))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await someone.close()
        assert not node.connections
        assert not node.hub.streams
        assert ("still run" in caplog.text) is (action == "hold_on")
        done.set()
