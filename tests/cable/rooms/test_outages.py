"""Rooms and clients while the bus is away: nothing is forgotten, nobody waits for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lineside.bus import BusUnavailable
from lineside.cable import Cable
from tests.cable.fakes import client
from tests.cable.rooms.conftest import ALL

pytestmark = pytest.mark.anyio


@contextmanager
def away(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the groups of a node's bus be out of reach for a block."""

    async def unavailable(*given: Any, **options: Any) -> Any:
        raise BusUnavailable("the server is away")

    presence = cable.bus.require_presence()
    with monkeypatch.context() as patched:
        for name in ("join", "leave", "members", "member", "count", "remove"):
            patched.setattr(presence, name, unavailable)
        yield


async def test_requests_about_rooms_are_answered_while_the_bus_is_away(
    node: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 1004, and not with silence."""
    await node.rooms.create("r1")
    alice = await client(node, id="alice", permissions=ALL)
    with away(node, monkeypatch):
        for asked in ("join_room", "create_room", "delete_room", "room_members", "list_rooms"):
            error = (await alice.request(asked, {"room_id": "r1"}))["data"]
            assert (error["code"], error["message"]) == (1004, "the bus does not answer; try again")
    assert (await alice.request("join_room", {"room_id": "r1"}))["message_type"] == "room_joined"


async def test_who_leaves_while_the_bus_is_away_is_gone_when_it_is_back(
    nodes: tuple[Cable, Cable], monkeypatch: pytest.MonkeyPatch
) -> None:
    """WEAK-HUB-11: no ghost keeps a room full, and no ghost is sent to."""
    one, two = nodes
    await one.rooms.create("r1", max_clients=1)
    alice = await client(one, id="alice", permissions=ALL)
    await alice.request("join_room", {"room_id": "r1"})
    with away(one, monkeypatch):
        await alice.close()
    assert await two.rooms.count("r1") == 1
    await one.rejoin()
    assert await two.rooms.count("r1") == 0
    assert await two.clients.count() == 0
    assert one.rooms.seats.rooms() == ()
    assert one.hub.streams == {}


async def test_who_comes_while_the_bus_is_away_is_known_when_it_is_back(
    nodes: tuple[Cable, Cable], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is welcomed at once; the log says that the others do not know of it yet."""
    one, two = nodes
    with away(one, monkeypatch):
        alice = await client(one, id="alice", permissions=ALL)
        await alice.settle()
    assert "do not know of connection" in caplog.text
    assert await two.send_to("alice", 1) == "unknown"
    assert await one.send_to("alice", 1) == "delivered"
    await one.rejoin()
    assert await two.send_to("alice", 1) == "delivered"


async def test_a_room_that_filled_up_meanwhile_puts_out_who_was_thought_dead(
    nodes: tuple[Cable, Cable],
) -> None:
    """The limit holds, and the client is told that it is out."""
    one, two = nodes
    await one.rooms.create("r1", max_clients=1)
    alice = await client(one, id="alice", permissions=ALL)
    await alice.request("join_room", {"room_id": "r1"})
    # What the others do when a node's lease is over.
    await one.bus.require_presence().leave("room:r1", "alice", alice.connection.id)
    bob = await client(two, id="bob", permissions=ALL)
    await bob.request("join_room", {"room_id": "r1"})
    await one.rejoin()
    error = await alice.receive_type("error")
    assert (error["data"]["code"], error["data"]["message"]) == (3002, "room is full")
    assert [each.id for each in await two.rooms.members("r1")] == ["bob"]
    assert one.rooms.seats.rooms() == ()
