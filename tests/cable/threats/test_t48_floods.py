"""T48: a client that floods is ended, and its neighbours are served; nobody is whom they say they are."""

from typing import Any

import pytest

from lineside.cable import CableLimits, Channel, Identity
from tests.cable.core.cables import EXT, cable, client, identifier, messages, subscribe
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio

ROOM = identifier("Room")
LIMITS = CableLimits(messages_per_second=5.0, messages_burst=20)


class Room(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("room", whisper=True, presence={"id": self.connection.client_id, "info": {}})


async def test_a_client_that_whispers_without_end_is_ended_and_its_neighbour_is_served() -> None:
    async with running(node := cable([Room], limits=LIMITS)):
        neighbour, mallory = await client(node, EXT), await client(node, EXT)
        for each in (neighbour, mallory):
            await subscribe(each, ROOM)
        for number in range(1_000):
            await mallory.send({"command": "whisper", "identifier": ROOM, "data": number})
        await eventually(lambda: mallory.wire.closed == (4429, "rate_limited"))
        await node.broadcast("room", "still here")
        await neighbour.receive(lambda frame: frame.get("message") == "still here")
        assert len(messages(neighbour, ROOM)) <= 20


async def test_a_channel_without_whispers_passes_none_on() -> None:
    class Quiet(Channel):
        public = True

        async def subscribed(self) -> None:
            await self.stream_from("quiet")

    async with running(node := cable([Quiet])):
        name = identifier("Quiet")
        neighbour, mallory = await client(node, EXT), await client(node, EXT)
        for each in (neighbour, mallory):
            await subscribe(each, name)
        await mallory.send({"command": "whisper", "identifier": name, "data": "boo"})
        await mallory.send({"command": "unsubscribe", "identifier": name})
        await eventually(lambda: not mallory.connection.subscriptions)
        await node.broadcast("quiet", "end")
        await neighbour.receive(lambda frame: frame.get("message") == "end")
        assert messages(neighbour, name) == ["end"]


async def test_nobody_is_present_as_somebody_else() -> None:
    async with running(node := cable([Room])):
        mallory = await client(node, EXT, identity=Identity(id="mallory"))
        await subscribe(mallory, ROOM)
        forged: dict[str, Any] = {"id": "ann", "info": {"admin": True}}
        await mallory.send({"command": "join", "identifier": ROOM, "presence": forged})
        joined = await mallory.receive(lambda frame: frame.get("type") == "presence")
        assert (joined["message"]["id"], joined["message"]["info"]) == ("mallory", {})
        assert [member.id for member in await node.presence.members("room")] == ["mallory"]
