"""GoHub's built-in messages: the payloads and texts of the original, and an answer to every request."""

import pytest

from lineside.cable._cable import Cable
from tests.cable.fakes import client
from tests.cable.rooms.conftest import ALL

pytestmark = pytest.mark.anyio


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
