"""What a client may rely on when it subscribes, unsubscribes and goes."""

import asyncio
import json
from typing import Any

import pytest

from lineside.bus import BusUnavailable
from lineside.cable import CableLimits, Channel
from tests.cable.core.cables import EXT, V1, cable, client, identifier, messages, subscribe, types
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio


class Room(Channel):
    public = True
    gone: list[int] = []

    async def subscribed(self, room: int = 1) -> None:
        self.room = room
        self.transmit({"hello": room})
        await self.stream_from(f"room:{room}")
        await self.broadcast(f"room:{room}", {"joined": room})

    async def unsubscribed(self) -> None:
        self.gone.append(self.room)

    async def speak(self, text: str) -> None:
        await self.broadcast(f"room:{self.room}", {"text": text})


class Steps(Channel):
    public = True
    gate: asyncio.Event

    async def subscribed(self) -> None:
        Steps.gate = asyncio.Event()

    async def wait(self) -> None:
        await Steps.gate.wait()
        self.transmit("waited")

    async def note(self, text: str) -> None:
        self.transmit(text)


ROOM = identifier("Room", room=1)


def perform(name: str, action: str, **data: Any) -> dict[str, Any]:
    return {"command": "message", "identifier": name, "data": json.dumps({"action": action, **data})}


async def test_what_a_channel_transmits_comes_before_its_confirmation_and_what_it_broadcasts_behind() -> None:
    async with running(node := cable([Room])):
        alice = await client(node, V1)
        await subscribe(alice, ROOM)
        await eventually(lambda: len(alice.frames()) == 4)
        assert types(alice) == ["welcome", "message", "confirm_subscription", "message"]
        assert messages(alice, ROOM) == [{"hello": 1}, {"joined": 1}]


async def test_a_broadcast_reaches_every_subscriber_once_and_nobody_else() -> None:
    async with running(node := cable([Room])):
        clients = [await client(node, codec) for codec in (V1, EXT, V1)]
        for each in clients:
            await subscribe(each, ROOM)
        other = await client(node, V1)
        await subscribe(other, identifier("Room", room=2))
        await clients[0].send(perform(ROOM, "speak", text="hi"))
        for each in clients:
            await each.receive(lambda frame: frame.get("message") == {"text": "hi"})
            assert messages(each, ROOM).count({"text": "hi"}) == 1
        assert {"text": "hi"} not in messages(other, identifier("Room", room=2))


async def test_subscribing_and_unsubscribing_in_quick_succession_leaves_no_ghost() -> None:
    Room.gone.clear()
    async with running(node := cable([Room])):
        alice = await client(node, V1)
        for _ in range(1000):
            await alice.send({"command": "subscribe", "identifier": ROOM})
            await alice.send({"command": "unsubscribe", "identifier": ROOM})
        await eventually(lambda: len(Room.gone) == 1000)
        await alice.send({"command": "subscribe", "identifier": ROOM})
        await eventually(lambda: types(alice).count("confirm_subscription") == 1001)
        await node.broadcast("room:1", "once")
        await alice.receive(lambda frame: frame.get("message") == "once")
        assert messages(alice, ROOM).count("once") == 1
        assert len(alice.connection.subscriptions) == 1
        await alice.send({"command": "unsubscribe", "identifier": ROOM})
        await eventually(lambda: "room:1" not in node.hub.streams)
        assert not alice.connection.subscriptions


async def test_an_unknown_channel_is_rejected() -> None:
    async with running(node := cable([Room])):
        alice = await client(node, V1)
        assert (await subscribe(alice, identifier("Nowhere")))["type"] == "reject_subscription"
        assert not alice.connection.subscriptions


async def test_commands_of_one_subscription_run_in_order_and_hold_up_no_other() -> None:
    async with running(node := cable([Steps])):
        alice = await client(node, V1)
        slow, quick = identifier("Steps", n=1), identifier("Steps", n=2)
        await subscribe(alice, slow)
        await subscribe(alice, quick)
        await alice.send(perform(slow, "wait"))
        await alice.send(perform(slow, "note", text="after"))
        await alice.send(perform(quick, "note", text="beside"))
        await alice.receive(lambda frame: frame.get("message") == "beside")
        assert messages(alice, slow) == []
        Steps.gate.set()
        await alice.receive(lambda frame: frame.get("message") == "after")
        assert messages(alice, slow) == ["waited", "after"]


async def test_a_client_that_hangs_up_leaves_nothing_behind() -> None:
    Room.gone.clear()
    async with running(node := cable([Room])):
        alice = await client(node, V1)
        await subscribe(alice, ROOM)
        await subscribe(alice, identifier("Room", room=2))
        await alice.close()
        assert sorted(Room.gone) == [1, 2]
        assert not node.connections
        assert not [name for name in node.hub.streams if name.startswith("room:")]


async def test_a_client_that_wants_too_much_is_not_read_meanwhile() -> None:
    async with running(node := cable([Steps], limits=CableLimits(pending_commands=5))):
        alice = await client(node, V1)
        name = identifier("Steps")
        await subscribe(alice, name)
        for _ in range(4):
            await alice.send(perform(name, "wait"))
        fifth = asyncio.ensure_future(alice.send(perform(name, "wait")))
        done, _ = await asyncio.wait([fifth], timeout=0.05)
        assert not done
        Steps.gate.set()
        await asyncio.wait_for(fifth, 10)


async def test_too_many_subscriptions_are_rejected() -> None:
    async with running(node := cable([Room], limits=CableLimits(subscriptions=2))):
        alice = await client(node, V1)
        answers = [await subscribe(alice, identifier("Room", room=n)) for n in range(3)]
        assert [each["type"] for each in answers] == [
            "confirm_subscription",
            "confirm_subscription",
            "reject_subscription",
        ]


@pytest.mark.parametrize("protocol", [EXT, V1])
async def test_a_subscription_that_fails_because_the_bus_is_away_is_asked_for_again(protocol: str) -> None:
    """A rejection would be for good, and its client would never come back."""
    async with running(node := cable([Room])):
        attach = node.hub.attach

        async def unavailable(*_: Any, **__: Any) -> None:
            raise BusUnavailable("the bus is away")

        node.hub.attach = unavailable  # type: ignore[method-assign]
        alice = await client(node, protocol)
        await alice.send({"command": "subscribe", "identifier": ROOM})
        left = await alice.receive(lambda frame: frame.get("type") in ("disconnect", "reject_subscription"))
        assert (left["type"], left.get("reconnect")) == ("disconnect", True)
        node.hub.attach = attach  # type: ignore[method-assign]
        again = await client(node, protocol)
        assert (await subscribe(again, ROOM))["type"] == "confirm_subscription"


async def test_what_a_protocol_cannot_answer_is_in_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    """Action Cable's rejections have no reason, and its actions no answer; who writes a page needs both."""
    caplog.set_level("DEBUG", logger="lineside.cable")
    async with running(node := cable([Room])):
        alice = await client(node, V1)
        await subscribe(alice, identifier("Rome"))
        await subscribe(alice, identifier("Room", room="x"))
        await subscribe(alice, ROOM)
        await alice.send(perform(ROOM, "speek", text="hello"))
        await alice.send(perform(ROOM, "speak", text=1))
        for reason in (
            "there is no channel 'Rome'",
            "room: Input should be a valid integer",
            "Room has no action 'speek'",
            "text: Input should be a valid string",
        ):
            await eventually(lambda reason=reason: reason in caplog.text)
