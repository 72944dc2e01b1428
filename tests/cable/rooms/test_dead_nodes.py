"""A node that ends without a word: the others bury who was on it."""

import pytest

from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable import Cable
from tests.cable.fakes import client, eventually, running
from tests.cable.rooms.conftest import ALL, NoChannels

pytestmark = pytest.mark.anyio


async def test_members_of_a_dead_node_leave() -> None:
    """A node that ends without a word is buried by the others, when its lease is over."""
    now = [1_000.0]
    broker = MemoryBroker(clock=lambda: now[0])
    survivor, dying = (Cable(NoChannels(), bus=MemoryBackend(broker)) for _ in range(2))
    async with running(survivor, dying):
        await survivor.rooms.create("r1", max_clients=2)
        for cable, name in ((survivor, "alice"), (dying, "bob")):
            each = await client(cable, id=name, permissions=ALL)
            await each.request("join_room", {"room_id": "r1"})
        left: list[str | None] = []
        survivor.on("room_left", lambda event: left.append(event.client_id))
        for task in dying.cluster._tasks:
            task.cancel()
        now[0] += 7.0
        await eventually(lambda: left)
        assert left == ["bob"]
        assert [each.id for each in await survivor.rooms.members("r1")] == ["alice"]
        assert await survivor.clients.get("bob") is None
        assert await survivor.send_to("bob", 1) == "offline"
