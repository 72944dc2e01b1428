"""Rooms over two nodes: limits, members, disconnects, deaths, deletions and what was missed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lineside.cable import Cable, CableLimits, RequestFailed
from tests.cable.fakes import FakeClient, client, eventually, running
from tests.cable.rooms.conftest import ALL, over_every_bus

pytestmark = [pytest.mark.anyio, over_every_bus]


async def member(cable: Cable, id: str, room: str = "r1", **data: Any) -> FakeClient:
    """Connect a client that is in a room."""
    joining = await client(cable, id=id, permissions=ALL)
    answer = await joining.request("join_room", {"room_id": room, **data})
    assert answer["message_type"] == "room_joined", answer
    return joining


async def test_a_room_is_seen_by_every_node(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-04, TEST-HUB-15: made here it is there, deleted there it is gone here."""
    one, two = nodes
    made = await one.rooms.create("r1", "Room one", max_clients=7)
    assert await two.rooms.get("r1") == made
    assert [room.id for room in await two.rooms.list()] == ["r1"]
    await two.rooms.delete("r1")
    assert await one.rooms.get("r1") is None


async def test_a_room_that_exists_is_not_made_again(nodes: tuple[Cable, Cable]) -> None:
    """Of two nodes that make it at the same time, one does (3001)."""
    results = await asyncio.gather(
        *(cable.rooms.create("r1") for cable in nodes for _ in range(5)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, RequestFailed)]
    assert [(refusal.code, refusal.message) for refusal in refused] == [(3001, "room already exists")] * 9


async def test_a_limit_holds_across_nodes(nodes: tuple[Cable, Cable]) -> None:
    """Forty clients on two nodes want seven places at the same time."""
    await nodes[0].rooms.create("r1", max_clients=7)
    many = [await client(nodes[i % 2], id=f"c{i}", permissions=ALL) for i in range(40)]
    answers = await asyncio.gather(*(each.request("join_room", {"room_id": "r1"}) for each in many))
    assert sum(answer["message_type"] == "room_joined" for answer in answers) == 7
    assert {answer["data"].get("code") for answer in answers} == {None, 3002}
    assert await nodes[1].rooms.count("r1") == 7


async def test_many_rooms_made_at_once_are_all_there(nodes: tuple[Cable, Cable]) -> None:
    """TEST-HUB-16: the count is exact afterwards."""
    await asyncio.gather(*(nodes[i % 2].rooms.create(f"r{i:03}") for i in range(100)))
    assert [room.id for room in await nodes[0].rooms.list()] == [f"r{i:03}" for i in range(100)]
    assert await nodes[1].rooms.total() == 100


async def test_a_disconnect_leaves_every_room(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-11: a full room has a place again, and the same client comes back into it."""
    one, two = nodes
    await one.rooms.create("r1", max_clients=1)
    await (await member(one, "alice")).close()
    assert await two.rooms.members("r1") == []
    assert one.rooms.seats.rooms() == ()
    again = await member(two, "alice")
    assert [each.id for each in await one.rooms.members("r1")] == ["alice"]
    await two.rooms.broadcast("r1", 1)
    await again.receive_type("room_message")


async def test_a_client_with_two_connections_is_one_member(nodes: tuple[Cable, Cable]) -> None:
    """It is gone with its last connection, and each of them gets what the other says."""
    one, two = nodes
    await one.rooms.create("r1", max_clients=1)
    phone, desk = await member(one, "alice"), await member(two, "alice")
    assert await one.rooms.count("r1") == 1
    await phone.request("room_message", {"room_id": "r1", "content": "from the phone"})
    assert (await desk.receive_type("room_message"))["data"]["content"] == "from the phone"
    await phone.close()
    assert await one.rooms.count("r1") == 1
    await desk.close()
    assert await one.rooms.count("r1") == 0


async def test_members_are_back_when_the_store_was_lost(nodes: tuple[Cable, Cable]) -> None:
    """A store that comes back empty is filled again by those who know."""
    one, two = nodes
    await one.rooms.create("r1", "Room one", max_clients=3)
    await member(one, "alice")
    await member(two, "bob")
    presence = one.bus.require_presence()
    for group in ("rooms", "room:r1", "clients"):
        await presence.remove(group)
    await one.rejoin()
    await two.rejoin()
    room = await two.rooms.get("r1")
    assert room is not None
    assert (room.name, room.max_clients, room.members) == ("Room one", 3, 2)
    assert await one.clients.count() == 2


async def test_a_room_that_was_deleted_meanwhile_does_not_come_back(nodes: tuple[Cable, Cable]) -> None:
    """A node that was away learns from the store that the room is gone."""
    one, two = nodes
    await one.rooms.create("r1")
    bob = await member(two, "bob")
    # The node does not hear of the deletion.
    two.cluster.on("room_deleted", _deaf)
    await one.rooms.delete("r1")
    await two.rejoin()
    await bob.receive_type("room_deleted")
    assert await two.rooms.get("r1") is None
    assert two.rooms.seats.rooms() == ()


async def _deaf(said: Any) -> None:
    del said


async def test_nobody_is_left_in_a_deleted_room(nodes: tuple[Cable, Cable]) -> None:
    """A room with the same name is a new one: without members, and without what was said before."""
    one, two = nodes
    await one.rooms.create("r1")
    alice, bob = await member(one, "alice"), await member(two, "bob")
    await one.rooms.broadcast("r1", "before")
    await one.rooms.delete("r1")
    for each in (alice, bob):
        await each.receive_type("room_deleted")
    await two.rooms.create("r1")
    await two.rooms.broadcast("r1", "after")
    carol = await member(one, "carol", since=0)
    await carol.settle()
    assert [frame["data"] for frame in carol.typed("room_message")] == ["after"]
    for each in (alice, bob):
        await each.settle()
        assert [frame["data"] for frame in each.typed("room_message")] == ["before"]


async def test_what_was_missed_of_a_room_comes_behind_the_answer_in_order(nodes: tuple[Cable, Cable]) -> None:
    """A client that comes back with its last position misses nothing and gets nothing twice."""
    one, two = nodes
    await one.rooms.create("r1")
    alice = await member(one, "alice")
    await one.rooms.broadcast("r1", 1)
    last = await alice.receive_type("room_message")
    await alice.close()
    for number in (2, 3):
        await one.rooms.broadcast("r1", number)
    back = await member(two, "alice", epoch=last["epoch"], offset=last["offset"])
    await one.rooms.broadcast("r1", 4)
    await back.receive(lambda frame: frame["message_type"] == "room_message" and frame["data"] == 4)
    assert [frame["data"] for frame in back.typed("room_message")] == [2, 3, 4]


async def test_a_gap_is_told_not_hidden(node: Cable) -> None:
    """A position of another life of the room's log is refused aloud."""
    await node.rooms.create("r1")
    alice = await member(node, "alice", epoch="another", offset=3)
    await alice.settle()
    assert any("epoch" in str(frame) for frame in alice.frames()[1:-1]), alice.frames()


async def test_history_is_read_by_members(node: Cable) -> None:
    """``room_history`` shows what is kept, to those who are in the room."""
    await node.rooms.create("r1")
    for number in range(3):
        await node.rooms.broadcast("r1", {"n": number})
    stranger = await client(node, id="stranger", permissions=ALL)
    assert (await stranger.request("room_history", {"room_id": "r1"}))["data"]["code"] == 3003
    alice = await member(node, "alice")
    answer = await alice.request("room_history", {"room_id": "r1", "limit": 2})
    assert [each["data"] for each in answer["data"]["messages"]] == [{"n": 1}, {"n": 2}]


async def test_a_client_anywhere_is_put_into_a_room_by_its_id(nodes: tuple[Cable, Cable]) -> None:
    """HUB-ROOM-04: the node that has the client does it; each failure has its code."""
    one, two = nodes
    await one.rooms.create("r1", max_clients=1)
    bob = await client(two, id="bob", permissions=ALL)
    await one.rooms.join("bob", "r1")
    assert await one.rooms.has("r1", "bob")
    await one.rooms.broadcast("r1", "hello")
    await bob.receive_type("room_message")
    await client(two, id="carol")
    for who, room, code in [
        ("bob", "r1", 3004),
        ("carol", "r1", 3002),
        ("bob", "none", 3000),
        ("x", "r1", 4000),
    ]:
        with pytest.raises(RequestFailed) as refused:
            await one.rooms.join(who, room)
        assert refused.value.code == code
    await one.rooms.leave("bob", "r1")
    assert not await two.rooms.has("r1", "bob")
    with pytest.raises(RequestFailed, match="client not in room"):
        await one.rooms.leave("bob", "r1")


async def test_a_broadcast_may_leave_one_out(nodes: tuple[Cable, Cable]) -> None:
    """HUB-ROOM-06, TEST-HUB-09: everybody else gets it exactly once; who has left gets nothing."""
    one, two = nodes
    await one.rooms.create("r1")
    alice, bob, carol = [await member(two, who) for who in ("alice", "bob", "carol")]
    await carol.request("leave_room", {"room_id": "r1"})
    await one.rooms.broadcast("r1", 1, exclude=alice.connection.id)
    await bob.receive_type("room_message")
    for each in (alice, bob, carol):
        await each.settle()
    assert [len(each.typed("room_message")) for each in (alice, bob, carol)] == [0, 1, 0]
    with pytest.raises(RequestFailed, match="room not found"):
        await one.rooms.broadcast("none", 1)


@pytest.mark.parametrize("room", ["", "x" * 300, "a\nb", "\ud800"])
async def test_an_id_that_no_room_can_have_is_refused(node: Cable, room: str) -> None:
    """It would be a stream's name that the bus cannot carry."""
    with pytest.raises(RequestFailed) as refused:
        await node.rooms.create(room)
    assert refused.value.code == 1001


async def test_a_connection_takes_a_bounded_number_of_rooms(new_cable: Callable[..., Cable]) -> None:
    """Rooms and subscriptions count together."""
    cable = new_cable(limits=CableLimits(subscriptions=2))
    async with running(cable):
        alice = await client(cable, id="alice", permissions=ALL)
        codes = []
        for number in range(3):
            await cable.rooms.create(f"r{number}")
            codes.append((await alice.request("join_room", {"room_id": f"r{number}"}))["data"].get("code"))
        assert codes == [None, None, 1005]


async def test_a_client_that_hangs_up_while_it_joins_leaves_nothing_behind(node: Cable) -> None:
    """Whoever is quicker: no seat and no member of a dead connection stays."""
    await node.rooms.create("r1")
    for _ in range(20):
        alice = await client(node, id="alice", permissions=ALL)
        joining = asyncio.ensure_future(node.rooms.join(alice.connection, "r1"))
        await asyncio.sleep(0)
        await asyncio.gather(joining, alice.close(), return_exceptions=True)
        assert await node.rooms.count("r1") == 0
        assert node.rooms.seats.rooms() == ()
        assert node.hub.streams == {}


async def test_a_client_that_reads_slowly_is_told_that_it_missed_something(
    new_cable: Callable[..., Cable],
) -> None:
    """Where the oldest frames are dropped, a room's messages are not dropped in silence."""
    cable = new_cable(limits=CableLimits(slow_client="drop_oldest", outbox_frames=10))
    async with running(cable):
        await cable.rooms.create("r1")
        alice = await member(cable, "alice")
        alice.wire.unread_bytes = 10_000_000
        for number in range(30):
            # A wire is asked how it goes once it has been given something.
            await cable.rooms.broadcast("r1", [number, "x" * 100_000])
        await cable.rooms.broadcast("r1", "last", type="last")
        await eventually(lambda: cable.stats.slow_clients)
        alice.wire.unread_bytes = 0
        told = await alice.receive(lambda frame: "dropped" in str(frame))
        assert "room:r1" in str(told)
        assert len(alice.typed("room_message")) < 30


@pytest.mark.parametrize("again", [False, True])
async def test_a_room_that_is_deleted_while_one_joins_is_not_joined(
    nodes: tuple[Cable, Cable], monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Nor is another room of its name, made meanwhile: who joins wanted the first one."""
    one, two = nodes
    await one.rooms.create("r1")
    alice = await client(one, id="alice", permissions=ALL)
    attach = one.hub.attach

    async def slowly(attachment: Any, **more: Any) -> None:
        await attach(attachment, **more)
        await two.rooms.delete("r1")
        if again:
            await two.rooms.create("r1")

    monkeypatch.setattr(one.hub, "attach", slowly)
    assert (await alice.request("join_room", {"room_id": "r1"}))["data"]["code"] == 3000
    assert await two.rooms.count("r1") == 0
    assert one.rooms.seats.rooms() == ()
    assert one.hub.streams == {}
