"""Clients that do everything at once and hang up in the middle: nothing of them stays, on either node."""

import asyncio
import random
from typing import Any

import pytest

from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable import PERMISSIONS, Cable, CableLimits, Channel, ChannelRegistry, Identity
from tests.cable.core.cables import EXT, client, identifier
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio


class Feed(Channel):
    public = True

    async def subscribed(self, room: int = 1) -> None:
        await self.stream_from(f"feed:{room}", presence=True, whisper=True)
        if room == 3:
            raise ValueError("the app has a fault")

    async def again(self) -> None:
        await self.stop_all_streams()
        await self.stream_from("feed:1")

    async def unsubscribed(self) -> None:
        if self.params.get("room") == 2:
            raise ValueError("the app has a fault")


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_nothing_stays_of_a_storm(kind: str, request: pytest.FixtureRequest) -> None:
    """No stream, lock, subscription of the bus, member of a group, or task."""
    broker = MemoryBroker()
    url = request.getfixturevalue("redis_url") if kind == "redis" else ""
    limits = CableLimits(presence_seconds=0.0, session_seconds=1.0)
    one, two = (
        Cable(
            ChannelRegistry([Feed]),
            bus=MemoryBackend(broker) if kind == "memory" else url,
            limits=limits,
        )
        for _ in range(2)
    )
    dice = random.Random(7)

    async def live(number: int) -> None:
        node = dice.choice((one, two))
        if number % 3:
            await _talk(await client(node, EXT, identity=Identity(id=f"user-{number % 9}")), dice)
        else:
            someone = await client(node, id=f"user-{number % 9}", permissions=sorted(PERMISSIONS))
            for kind_ in dice.choices(("create_room", "join_room", "leave_room", "delete_room"), k=8):
                await someone.send({"message_id": 1, "message_type": kind_, "data": {"room_id": "storm"}})
                await asyncio.sleep(dice.random() / 200)
            await someone.close()

    async with running(one, two):
        tasks = len(asyncio.all_tasks())
        await asyncio.gather(*(live(number) for number in range(60)))
        for node in (one, two):
            await eventually(lambda node=node: not node.connections and not node.hub.streams)  # type: ignore[misc]
            assert not node.hub._locks._locks
            assert not node.rooms.seats.rooms()
        assert await one.clients.count() == 0
        assert not [each for room in (1, 2, 3) for each in await one.presence.members(f"feed:{room}")]
        assert await one.rooms.count("storm") == 0
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks + 1)


async def _talk(someone: Any, dice: random.Random) -> None:
    for _ in range(12):
        name = identifier("Feed", room=dice.choice((1, 2, 3)))
        command = dice.choice(("subscribe", "unsubscribe", "join", "leave", "history"))
        frame: dict[str, Any] = {"command": command}
        if command == "history":
            frame["history"] = {"since": 1}
        if dice.random() < 0.2:
            frame = {"command": "message", "data": '{"action":"again"}'}
        await someone.send({**frame, "identifier": name})
        await asyncio.sleep(dice.random() / 200)
    await someone.close()
