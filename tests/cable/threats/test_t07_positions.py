"""T7: a position is no key: one from before the right began, or of another log, opens nothing."""

import time

import pytest

from lineside.cable import Channel
from tests.cable.core.cables import EXT, cable, client, identifier, messages, subscribe
from tests.cable.fakes import running

pytestmark = pytest.mark.anyio


class Room(Channel):
    public = True

    async def subscribed(self, since: float) -> None:
        await self.stream_from("room", history_since=since)


async def test_a_position_from_before_the_right_began_brings_nothing() -> None:
    async with running(node := cable([Room])):
        old = await node.broadcast("room", "before")
        assert old.position is not None
        joined = time.time()
        await node.broadcast("room", "after")
        name = identifier("Room", since=joined)
        for offset in (0, 10**12):
            mallory = await client(node, EXT)
            position = {"streams": {"room": {"epoch": old.position.epoch, "offset": offset}}}
            await subscribe(mallory, name, history=position)
            await mallory.receive(lambda frame: frame.get("type") == "reject_history")
            assert messages(mallory, name) == []


async def test_an_epoch_that_was_made_up_brings_nothing() -> None:
    async with running(node := cable([Room])):
        await node.broadcast("room", "before")
        name = identifier("Room", since=0.0)
        mallory = await client(node, EXT)
        position = {"streams": {"room": {"epoch": "made up", "offset": 0}}}
        await subscribe(mallory, name, history=position)
        await mallory.receive(lambda frame: frame.get("type") == "reject_history")
        assert messages(mallory, name) == []


async def test_a_position_of_a_stream_that_is_not_ones_own_is_ignored() -> None:
    async with running(node := cable([Room])):
        other = await node.broadcast("another room", "not yours")
        assert other.position is not None
        name = identifier("Room", since=0.0)
        mallory = await client(node, EXT)
        position = {"streams": {"another room": {"epoch": other.position.epoch, "offset": 0}}}
        await subscribe(mallory, name, history=position)
        await mallory.receive(lambda frame: frame.get("type") == "confirm_history")
        assert messages(mallory, name) == []
