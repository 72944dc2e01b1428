"""Channels in a whole cable, in memory: what a client sees of them."""

import json
from typing import Annotated, Any

import pytest
from annotated_types import MaxLen

from lineside.cable import Cable, Channel, ChannelRegistry
from tests.cable.fakes import FakeClient, client, running

pytestmark = pytest.mark.anyio


class ChatChannel(Channel):
    async def subscribed(self, room: int) -> None:
        if room == 13:
            return
        self.allow("every room but 13 is open")
        await self.stream_for(room)
        self.transmit({"welcome": room})

    async def speak(self, text: Annotated[str, MaxLen(5)]) -> None:
        await self.broadcast_to(int(self.params["room"]), {"text": text})

    async def whisper(self, text: str) -> None:
        await self.broadcast_from(self.broadcasting_for(int(self.params["room"])), {"text": text})


def identifier(**params: Any) -> str:
    return json.dumps({"channel": "ChatChannel", **params})


async def subscribe(someone: FakeClient, name: str) -> Any:
    await someone.send({"command": "subscribe", "identifier": name})
    return await someone.receive(lambda frame: "subscription" in frame.get("type", ""))


async def perform(someone: FakeClient, name: str, action: str, **data: Any) -> None:
    text = json.dumps({"action": action, **data})
    await someone.send({"command": "message", "identifier": name, "data": text})


async def test_clients_talk_in_a_room() -> None:
    """What one says, everybody in the room gets, and nobody else."""
    async with running(cable := Cable(ChannelRegistry([ChatChannel]))):
        ann, bob, eve = [await client(cable, "actioncable-v1-json") for _ in range(3)]
        seven, eight = identifier(room=7), identifier(room="8")
        for someone, name in ((ann, seven), (bob, seven), (eve, eight)):
            assert (await subscribe(someone, name))["type"] == "confirm_subscription"
        await perform(ann, seven, "speak", text="hello")
        for someone in (ann, bob):
            frame = await someone.receive(lambda frame: frame.get("message", {}) == {"text": "hello"})
            assert frame["identifier"] == seven
        assert not any(frame.get("message") == {"text": "hello"} for frame in eve.frames())


async def test_what_subscribed_transmits_comes_before_the_confirmation() -> None:
    """As Rails does."""
    async with running(cable := Cable(ChannelRegistry([ChatChannel]))):
        ann = await client(cable, "actioncable-v1-json")
        await subscribe(ann, identifier(room=7))
        assert [frame.get("message", frame.get("type")) for frame in ann.frames()][-2:] == [
            {"welcome": 7},
            "confirm_subscription",
        ]


@pytest.mark.parametrize("params", [{}, {"room": "x"}, {"room": 13}])
async def test_a_client_that_may_not_is_rejected(params: dict[str, Any]) -> None:
    """Wrong parameters, and a `subscribed` that decided nothing."""
    async with running(cable := Cable(ChannelRegistry([ChatChannel]))):
        ann = await client(cable, "actioncable-v1-json")
        assert (await subscribe(ann, identifier(**params)))["type"] == "reject_subscription"


async def test_broadcast_from_leaves_the_sender_out() -> None:
    """Everybody else gets it."""
    async with running(cable := Cable(ChannelRegistry([ChatChannel]))):
        ann, bob = [await client(cable, "actioncable-v1-json") for _ in range(2)]
        seven = identifier(room=7)
        for someone in (ann, bob):
            await subscribe(someone, seven)
        await perform(ann, seven, "whisper", text="psst")
        await perform(ann, seven, "speak", text="loud")
        await bob.receive(lambda frame: frame.get("message") == {"text": "psst"})
        await ann.receive(lambda frame: frame.get("message") == {"text": "loud"})
        assert not any(frame.get("message") == {"text": "psst"} for frame in ann.frames())
