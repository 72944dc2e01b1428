"""Event streams have the door of the sockets: its seats, its deadlines, its refusals."""

import asyncio
import time
from typing import Any

import pytest

from lineside.cable import CableLimits, Channel, Identity
from lineside.cable.fastapi import cable_router
from tests.cable.fakes import eventually
from tests.cable.fastapi.apps import app_with, site
from tests.cable.fastapi.event_source import listening

pytestmark = pytest.mark.anyio


class Feed(Channel):
    public = True
    begun = 0

    async def subscribed(self) -> None:
        type(self).begun += 1
        await self.stream_from("feed")


@pytest.fixture(autouse=True)
def _nobody() -> None:
    Feed.begun = 0


async def test_an_event_stream_whose_identity_has_ended_subscribes_to_nothing() -> None:
    """It is told so, as a socket is, and nothing of it stays."""

    async def ended() -> Identity:
        return Identity(id="ann", expires_at=time.time() - 1)

    router = cable_router([Feed], authenticate=ended)
    async with site(app_with(router)) as served:
        async with listening(served, "channel=Feed") as events:
            told = await events.next()
            assert (told.type, told.data["reason"]) == ("disconnect", "token_expired")
            with pytest.raises(EOFError):
                await events.next()
        assert Feed.begun == 0
        assert not router.cable.hub.streams


async def test_an_event_stream_too_many_of_one_identity_subscribes_to_nothing() -> None:
    """The channel is not even asked."""

    async def ann() -> Identity:
        return Identity(id="ann")

    router = cable_router([Feed], authenticate=ann, limits=CableLimits(connections_per_identity=1))
    async with site(app_with(router)) as served, listening(served, "channel=Feed") as first:
        assert (await first.next()).type == "welcome"
        async with listening(served, "channel=Feed") as second:
            told = [(await second.next()).type for _ in range(2)]
            assert told == ["error", "disconnect"]
        assert Feed.begun == 1


async def test_event_streams_that_come_at_once_do_not_outgrow_the_node() -> None:
    """Who waits for the authentication has a seat already."""
    door, waiting = asyncio.Event(), list[int]()

    async def slowly() -> Identity:
        waiting.append(1)
        await door.wait()
        return Identity(id="ann")

    router = cable_router([Feed], authenticate=slowly, limits=CableLimits(connections=3))
    async with site(app_with(router)) as served:

        async def ask() -> int:
            async with served.http.stream("GET", "/cable/events?channel=Feed") as answer:
                return int(answer.status_code)

        asking = [asyncio.ensure_future(ask()) for _ in range(10)]
        await eventually(lambda: sum(each.done() for each in asking) == 7)
        assert len(waiting) == 3
        door.set()
        assert sorted(await asyncio.gather(*asking)) == [200] * 3 + [503] * 7
        await eventually(lambda: not router.cable.connections)
        async with listening(served, "channel=Feed") as events:
            assert (await events.next()).type == "welcome"


async def test_an_event_stream_that_is_authenticated_while_the_node_drains_is_refused() -> None:
    """It would not be told to go elsewhere."""
    door, came = asyncio.Event(), asyncio.Event()

    async def slowly() -> Any:
        came.set()
        await door.wait()
        return Identity(id="ann")

    router = cable_router([Feed], authenticate=slowly)
    async with site(app_with(router)) as served:
        asking = asyncio.ensure_future(served.http.get("/cable/events?channel=Feed"))
        await came.wait()
        await router.cable.drain(seconds=0)
        door.set()
        answer = await asking
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
