"""A cancellation that the app's own code raises is the app's fault, and ends nothing else."""

import asyncio
from typing import Any

import pytest

from lineside.cable import CableLimits, Channel, periodically
from tests.cable.core.cables import V1, cable, client, identifier, subscribe
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio

FEED, OTHER = identifier("Feed"), identifier("Feed", room=2)


async def cancelled() -> None:
    """Await what somebody else has cancelled, as a careless use of tasks does."""
    task = asyncio.ensure_future(asyncio.Event().wait())
    task.cancel()
    await task


class Feed(Channel):
    public = True

    async def subscribed(self, room: int = 1) -> None:
        if room == 13:
            await cancelled()
        await self.stream_from(f"feed:{room}")

    async def unsubscribed(self) -> None:
        await cancelled()

    async def fall(self) -> None:
        await cancelled()

    async def speak(self) -> None:
        self.transmit("spoken")


async def test_an_action_that_raises_a_cancellation_loses_no_later_command() -> None:
    """What waits behind it runs, and counts no more against the bound."""
    async with running(node := cable([Feed], limits=CableLimits(pending_commands=2))):
        someone = await client(node, V1)
        await subscribe(someone, FEED)
        for action in ("fall", "speak", "fall", "fall", "speak"):
            frame = {"command": "message", "identifier": FEED, "data": f'{{"action":"{action}"}}'}
            async with asyncio.timeout(5):
                await someone.send(frame)
        spoken = {"identifier": FEED, "message": "spoken"}
        await eventually(lambda: someone.frames().count(spoken) == 2)
        assert node.stats.faults == 3


async def test_a_handler_that_raises_a_cancellation_is_answered() -> None:
    """As every request is."""
    node = cable([])

    async def fall(connection: Any) -> None:
        await cancelled()

    node.on("fall", fall)
    async with running(node):
        someone = await client(node)
        assert (await someone.request("fall"))["data"]["code"] == 1003
        assert (await someone.request("ping", {"ts": 0}))["message_type"] == "pong"


async def test_a_subscribed_that_raises_a_cancellation_is_a_rejection() -> None:
    """Clients of Action Cable would wait for ever."""
    async with running(node := cable([Feed])):
        someone = await client(node, V1)
        answer = await subscribe(someone, identifier("Feed", room=13))
        assert answer["type"] == "reject_subscription"
        assert not someone.connection.subscriptions


async def test_an_unsubscribed_that_raises_a_cancellation_keeps_nothing_of_its_connection_alive() -> None:
    """The other subscriptions of the connection end too, and its client is gone for all nodes."""
    async with running(node := cable([Feed])):
        someone = await client(node, V1)
        await subscribe(someone, FEED)
        await subscribe(someone, OTHER)
        await someone.close()
        assert not node.hub.streams
        assert await node.clients.count() == 0


async def test_a_function_for_an_event_that_raises_a_cancellation_stops_no_later_event() -> None:
    """Nor the other functions."""
    node, seen = cable([]), list[str]()

    async def fall(event: Any) -> None:
        await cancelled()

    node.on("client_error", fall)
    node.on("client_error", lambda event: seen.append(event.type))
    async with running(node):
        someone = await client(node)
        await someone.request("nonsense")
        await someone.request("nonsense")
        await eventually(lambda: len(seen) == 2)


class Ticking(Channel):
    public = True
    runs = 0

    @periodically(0.01)
    async def tick(self) -> None:
        type(self).runs += 1
        await cancelled()


async def test_a_timer_that_raises_a_cancellation_runs_again() -> None:
    """As one that raises anything else."""
    Ticking.runs = 0
    async with running(node := cable([Ticking])):
        someone = await client(node, V1)
        await subscribe(someone, identifier("Ticking"))
        await eventually(lambda: Ticking.runs >= 3)
