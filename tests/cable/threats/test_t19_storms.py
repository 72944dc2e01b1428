"""T19: all clients are cut off at once: all come back within the limits, and go on where they were."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from tests.faults.running import Stand, standing
from tests.faults.world import Scale, world

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def node() -> AsyncIterator[Stand]:
    """Give one node in a process of its own."""
    async with standing("memory") as made:
        yield made


async def test_everybody_comes_back_from_a_cut_of_all_and_goes_on(node: Stand) -> None:
    seed = random.randrange(1 << 32)
    await node.prepare(1)
    async with world("T19", node.cluster, None, seed=seed, scale=Scale(clients=150)) as storm:
        await storm.populate()
        await storm.publish(pace=0.1)
        for client in storm.clients:
            client.cut()
        await asyncio.sleep(0)
        await storm.all_live(seconds=30)
        assert all(client.connections >= 2 for client in storm.clients)
        figures = await storm.finish()
        assert figures.verdict.gaps == 0
