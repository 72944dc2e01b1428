"""T18: names without end leave nothing: neither streams, nor tasks, nor presence."""

import asyncio
import secrets

import pytest

from lineside.cable import CableLimits, Channel
from tests.cable.core.cables import EXT, cable, client, identifier, subscribe
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio


class Anything(Channel):
    public = True

    async def subscribed(self, name: str) -> None:
        await self.stream_from(name, presence={"id": self.connection.client_id})


async def test_thousands_of_random_names_leave_nothing() -> None:
    limits = CableLimits(
        subscriptions_per_second=100_000,
        subscriptions_burst=100_000,
        messages_per_second=100_000,
        messages_burst=100_000,
    )
    async with running(node := cable([Anything], limits=limits)):
        streams, tasks = len(node.hub.streams), len(asyncio.all_tasks())
        for _ in range(40):
            mallory = await client(node, EXT)
            for _ in range(50):
                name = identifier("Anything", name=secrets.token_hex(8))
                await subscribe(mallory, name)
                await mallory.send({"command": "join", "identifier": name})
                await mallory.send({"command": "unsubscribe", "identifier": name})
            await mallory.close()
        await eventually(lambda: len(node.hub.streams) <= streams)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
        assert not node.connections


async def test_a_name_that_is_too_long_is_no_stream() -> None:
    async with running(node := cable([Anything])):
        streams = len(node.hub.streams)
        mallory = await client(node, EXT)
        answer = await subscribe(mallory, identifier("Anything", name="x" * 300))
        assert answer["type"] == "reject_subscription"
        assert len(node.hub.streams) == streams
