"""GoHub's built-in messages: the payloads and texts of the original, and an answer to every request."""

import pytest

from lineside.cable import Cable
from tests.cable.fakes import FakeClient, client
from tests.cable.rooms.conftest import ALL, over_every_bus

pytestmark = [pytest.mark.anyio, over_every_bus]


async def test_a_ping_is_answered_with_both_clocks(node: Cable) -> None:
    """``rtt`` is the difference of the clocks, as in GoHub."""
    alice = await client(node)
    pong = await alice.request("ping", {"ts": 1})
    assert list(pong["data"]) == ["ts", "server_ts", "rtt"]
    assert pong["data"]["rtt"] == pong["data"]["server_ts"] - 1
    assert (pong["message_type"], pong["data"]["ts"]) == ("pong", 1)


async def test_a_ping_without_a_time_counts_from_zero(node: Cable) -> None:
    """``{}`` is a ping, as in GoHub."""
    alice = await client(node)
    assert (await alice.request("ping", {}))["data"]["ts"] == 0


async def test_a_room_message_reaches_the_others_once_and_never_its_sender(
    nodes: tuple[Cable, Cable],
) -> None:
    """WEAK-HUB-01, WEAK-HUB-02, TEST-HUB-09: rooms deliver, here and across nodes, once each."""
    one, two = nodes
    await one.rooms.create("r1")
    alice = await client(one, id="alice", permissions=ALL)
    bob = await client(one, id="bob", permissions=ALL)
    carol = await client(two, id="carol", permissions=ALL)
    for each in (alice, bob, carol):
        joined = await each.request("join_room", {"room_id": "r1"})
        assert joined["message_type"] == "room_joined"
        assert joined["data"] == {"room_id": "r1", "status": "joined"}
    answer = await alice.request("room_message", {"room_id": "r1", "content": {"t": "hi"}})
    assert answer["message_type"] == "ack"
    for each in (bob, carol):
        said = (await each.receive_type("room_message"))["data"]
        assert list(said) == ["room_id", "content", "sender_id", "timestamp"]
        assert (said["room_id"], said["content"], said["sender_id"]) == ("r1", {"t": "hi"}, "alice")
    for each in (alice, bob, carol):
        await each.settle()
    assert [len(each.typed("room_message")) for each in (alice, bob, carol)] == [0, 1, 1]


@pytest.mark.parametrize(
    ("type", "data", "doing"),
    [
        ("join_room", {"room_id": "r1"}, "join rooms"),
        ("leave_room", {"room_id": "r1"}, "leave rooms"),
        ("room_message", {"room_id": "r1"}, "send messages"),
        ("direct_message", {"target_id": "bob"}, "send messages"),
        ("create_room", {"room_id": "r2"}, "create rooms"),
        ("delete_room", {"room_id": "r1"}, "delete rooms"),
        ("list_rooms", {}, "read messages"),
        ("room_members", {"room_id": "r1"}, "read messages"),
        ("room_history", {"room_id": "r1"}, "read messages"),
    ],
)
async def test_a_request_without_its_permission_is_refused(
    node: Cable, type: str, data: object, doing: str
) -> None:
    """WEAK-HUB-12: each request needs its permission, leaving and deleting too; GoHub's words."""
    await node.rooms.create("r1")
    nobody = await client(node, id="nobody")
    error = await nobody.request(type, data)
    assert error["data"]["code"] == 2001
    assert error["data"]["message"] == f"You don't have permission to {doing}"
    assert [room.id for room in await node.rooms.list()] == ["r1"]


async def test_an_administrator_may_do_everything(node: Cable) -> None:
    """``admin:system`` holds every permission."""
    root = await client(node, id="root", permissions=["admin:system"])
    assert (await root.request("create_room", {"room_id": "r1"}))["message_type"] == "room_created"
    assert (await root.request("join_room", {"room_id": "r1"}))["message_type"] == "room_joined"


async def test_data_is_checked_before_the_permission(node: Cable) -> None:
    """As in GoHub; the answer names the field."""
    nobody = await client(node, id="nobody")
    error = (await nobody.request("join_room", {"room_id": 7}))["data"]
    assert error["code"] == 1001
    assert error["details"] == [
        {"type": "string_type", "loc": ["data", "room_id"], "msg": "Input should be a valid string"}
    ]


@pytest.mark.parametrize("data", [None, "text", 7, [], {}, {"room_id": None}, {"room_id": ["r1"]}])
async def test_ill_typed_data_is_answered(node: Cable, data: object) -> None:
    """WEAK-HUB-12: GoHub was silent here."""
    alice = await client(node, id="alice", permissions=ALL)
    for asked in ("join_room", "leave_room", "room_message", "create_room", "delete_room", "room_members"):
        assert (await alice.request(asked, data))["data"]["code"] == 1001


async def test_an_unknown_type_is_answered(node: Cable) -> None:
    """WEAK-HUB-12: with GoHub's text, the type, and the request's id."""
    alice = await client(node)
    error = await alice.request("no_such_type", {"a": 1})
    assert error["message_type"] == "error"
    assert error["data"]["code"] == 1001
    assert error["data"]["message"] == "unknown message type"
    assert error["data"]["details"] == {"message_type": "no_such_type"}


async def test_a_request_without_an_id_is_answered_too(node: Cable) -> None:
    """Nobody needs to number messages to learn what became of them."""
    await node.rooms.create("r1")
    alice = await client(node, id="alice", permissions=ALL)
    await alice.send({"message_type": "join_room", "data": {"room_id": "r1"}})
    await alice.receive_type("room_joined")
    await alice.send({"message_type": "room_message", "data": {"room_id": "r1", "content": 1}})
    await alice.receive_type("ack")


async def test_a_room_is_joined_once_and_left_once(node: Cable) -> None:
    """The errors 3000, 3003 and 3004 have GoHub's texts."""
    await node.rooms.create("r1")
    alice = await client(node, id="alice", permissions=ALL)
    assert await _error(alice, "leave_room", {"room_id": "r1"}) == (3003, "client not in room")
    assert await _error(alice, "join_room", {"room_id": "none"}) == (3000, "room not found")
    assert await _error(alice, "leave_room", {"room_id": "none"}) == (3000, "room not found")
    await alice.request("join_room", {"room_id": "r1"})
    assert await _error(alice, "join_room", {"room_id": "r1"}) == (3004, "client already in room")
    left = await alice.request("leave_room", {"room_id": "r1"})
    assert (left["message_type"], left["data"]) == ("room_left", {"room_id": "r1", "status": "left"})
    assert await node.rooms.count("r1") == 0


async def test_already_in_a_room_comes_before_full(node: Cable) -> None:
    """WEAK-HUB-12: a member of a full room learns that it is in, not that there is no place."""
    await node.rooms.create("r1", max_clients=1)
    alice = await client(node, id="alice", permissions=ALL)
    bob = await client(node, id="bob", permissions=ALL)
    await alice.request("join_room", {"room_id": "r1"})
    assert await _error(alice, "join_room", {"room_id": "r1"}) == (3004, "client already in room")
    assert await _error(bob, "join_room", {"room_id": "r1"}) == (3002, "room is full")


async def test_only_members_send_to_a_room(node: Cable) -> None:
    """WEAK-HUB-12: sending needs membership, and an unknown room is no silence."""
    await node.rooms.create("r1")
    alice = await client(node, id="alice", permissions=ALL)
    assert await _error(alice, "room_message", {"room_id": "r1"}) == (3003, "client not in room")
    assert await _error(alice, "room_message", {"room_id": "none"}) == (3000, "room not found")


async def test_a_direct_message_arrives_as_it_was_sent(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-03, WEAK-HUB-19, TEST-HUB-05: unwrapped, unchanged, on the other node, to nobody else."""
    alice = await client(nodes[0], id="alice", permissions=ALL)
    bob = await client(nodes[1], id="bob", permissions=ALL)
    carol = await client(nodes[1], id="carol", permissions=ALL)
    content = {"t": "hi <b>&\u2028", "n": [1, 2.5, None, True]}
    answer = await alice.request("direct_message", {"target_id": "bob", "content": content})
    assert answer["message_type"] == "ack"
    said = (await bob.receive_type("direct_message"))["data"]
    assert list(said) == ["content", "sender_id", "timestamp"]
    assert (said["content"], said["sender_id"]) == (content, "alice")
    for each in (alice, carol):
        await each.settle()
        assert each.typed("direct_message") == []


async def test_a_direct_message_to_nobody_is_answered_so(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-13: unknown is 4000, recently gone is 4001."""
    alice = await client(nodes[0], id="alice", permissions=ALL)
    bob = await client(nodes[1], id="bob")
    assert await _error(alice, "direct_message", {"target_id": "nobody"}) == (
        4000,
        "Failed to deliver message: client not found",
    )
    await bob.close()
    assert await _error(alice, "direct_message", {"target_id": "bob"}) == (
        4001,
        "Failed to deliver message: client offline",
    )


async def test_clients_make_list_and_delete_rooms(nodes: tuple[Cable, Cable]) -> None:
    """GoHub had no messages for these; every node answers the same."""
    alice = await client(nodes[0], id="alice", permissions=ALL)
    bob = await client(nodes[1], id="bob", permissions=ALL)
    made = await alice.request("create_room", {"room_id": "r1", "name": "One", "max_clients": 5})
    shown = {"id": "r1", "name": "One", "member_count": 0, "max_clients": 5}
    assert (made["message_type"], made["data"]) == ("room_created", shown)
    assert await _error(bob, "create_room", {"room_id": "r1"}) == (3001, "room already exists")
    await bob.request("join_room", {"room_id": "r1"})
    listed = await alice.request("list_rooms")
    assert listed["data"] == {"rooms": [{**shown, "member_count": 1}]}
    members = await alice.request("room_members", {"room_id": "r1"})
    assert members["data"] == {"room_id": "r1", "members": ["bob"], "total": 1}
    await alice.request("delete_room", {"room_id": "r1"})
    assert (await bob.receive_type("room_deleted"))["data"] == {"room_id": "r1"}
    assert await _error(alice, "delete_room", {"room_id": "r1"}) == (3000, "room not found")


async def test_rooms_are_listed_in_pages(node: Cable) -> None:
    """A list is bounded, and goes on behind its last id."""
    for number in range(5):
        await node.rooms.create(f"r{number}")
    alice = await client(node, id="alice", permissions=ALL)
    first = (await alice.request("list_rooms", {"limit": 3}))["data"]["rooms"]
    rest = (await alice.request("list_rooms", {"limit": 3, "after": first[-1]["id"]}))["data"]["rooms"]
    assert [room["id"] for room in first + rest] == ["r0", "r1", "r2", "r3", "r4"]
    assert await _error(alice, "list_rooms", {"limit": 100_000}) == (
        1001,
        "limit: Input should be less than or equal to 1000",
    )


async def _error(asking: FakeClient, type: str, data: object) -> tuple[int, str]:
    error = await asking.request(type, data)
    assert error["message_type"] == "error", error
    return error["data"]["code"], error["data"]["message"]
