"""Clients over two nodes: who is there, messages for one and for all, how many connections one may have."""

import asyncio
from collections.abc import Callable

import pytest

from lineside.bus import BusUnavailable
from lineside.cable import Cable, CableLimits
from tests.cable.fakes import client, eventually, running
from tests.cable.rooms.conftest import over_every_bus

pytestmark = [pytest.mark.anyio, over_every_bus]


async def test_a_message_for_one_client_reaches_all_its_connections_once(nodes: tuple[Cable, Cable]) -> None:
    """TEST-HUB-05, WEAK-HUB-14: on both nodes, once each, also after the client came back many times."""
    one, two = nodes
    for _ in range(3):
        await (await client(two, id="alice")).close()
    phone, desk = await client(one, id="alice"), await client(two, id="alice")
    bob = await client(one, id="bob")
    assert await one.send_to("alice", {"n": 1}, type="news") == "delivered"
    for each in (phone, desk):
        assert (await each.receive_type("news"))["data"] == {"n": 1}
        await each.settle()
        assert len(each.typed("news")) == 1
    await bob.settle()
    assert bob.typed("news") == []


async def test_what_became_of_a_message_is_told(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-13: delivered, offline or unknown, from either node."""
    one, two = nodes
    alice = await client(one, id="alice")
    assert await two.send_to("alice", 1) == "delivered"
    await alice.close()
    for cable in nodes:
        assert await cable.send_to("alice", 1) == "offline"
        assert await cable.send_to("nobody", 1) == "unknown"


async def test_a_client_whose_protocol_has_no_such_message_has_not_got_it(node: Cable) -> None:
    """With Action Cable every message belongs to a subscription."""
    await client(node, "actioncable-v1-json", id="alice")
    assert await node.send_to("alice", 1) == "offline"


async def test_a_node_that_does_not_answer_is_no_delivery(nodes: tuple[Cable, Cable]) -> None:
    """Nobody can tell then, and nobody says so."""
    one, two = nodes
    await client(two, id="alice")
    one.questions._deadline_seconds = 0.05

    async def deaf(said: object) -> None:
        del said

    two.cluster.on("push", deaf)
    with pytest.raises(BusUnavailable, match="did not answer"):
        await one.send_to("alice", 1)


async def test_a_broadcast_reaches_every_client_of_every_node_once(nodes: tuple[Cable, Cable]) -> None:
    """TEST-HUB-01, TEST-HUB-04, TEST-HUB-17: two of six share an id on different nodes."""
    ids = ["a", "b", "same", "c", "d", "same"]
    clients = [await client(nodes[i // 3], id=ids[i]) for i in range(6)]
    content = {"html": "<b>&\u2028", "list": [1, None]}
    for cable in nodes:
        await cable.broadcast_all(content)
    for each in clients:
        for _ in nodes:
            assert (await each.receive_type("broadcast"))["data"] == content
        await each.settle()
        assert len(each.typed("broadcast")) == 2


async def test_two_apps_do_not_hear_each_other(new_cable: Callable[..., Cable]) -> None:
    """TEST-HUB-06: separate buses, separate worlds."""
    one, other = new_cable(), Cable(new_cable().channels)
    async with running(one, other):
        alice, stranger = await client(one, id="alice"), await client(other, id="alice")
        await one.broadcast_all(1)
        await alice.receive_type("broadcast")
        await stranger.settle()
        assert stranger.typed("broadcast") == []


async def test_clients_are_counted_over_all_nodes(nodes: tuple[Cable, Cable]) -> None:
    """HUB-SDK-01, TEST-HUB-07: an id counts once, and is gone with its last connection."""
    one, two = nodes
    first, second = await client(one, id="alice"), await client(two, id="alice")
    guest = await client(two)
    assert await one.clients.count() == 2
    assert [each.id for each in await two.clients.list()] == sorted(["alice", guest.id])
    known = await two.clients.get("alice")
    assert known is not None
    assert known.sessions == {first.connection.id: one.bus.node, second.connection.id: two.bus.node}
    await first.close()
    assert await one.clients.count() == 2
    await second.close()
    assert await one.clients.count() == 1


async def test_an_identity_has_a_bounded_number_of_connections_over_all_nodes(
    new_cable: Callable[..., Cable],
) -> None:
    """The one too many is told why; a place is free again when one ends."""
    limits = CableLimits(connections_per_identity=2)
    nodes = new_cable(limits=limits), new_cable(limits=limits)
    async with running(*nodes):
        many = await asyncio.gather(*(client(nodes[i % 2], id="alice") for i in range(6)))
        refused = [each for each in many if each.wire.closed is not None]
        assert len(refused) == 4
        assert {each.wire.closed for each in refused} == {(4429, "too_many_connections")}
        assert refused[0].frames()[0]["data"]["code"] == 1005
        taken = next(each for each in many if each.wire.closed is None)
        await taken.close()
        assert (await client(nodes[1], id="alice")).wire.closed is None
        assert (await client(nodes[1], id="bob")).wire.closed is None


async def test_a_client_that_connects_again_takes_its_place_if_the_app_wants_it(
    new_cable: Callable[..., Cable],
) -> None:
    """HUB-CONN-03: across nodes, with a close code of its own; by default a client has several."""
    nodes = new_cable(replace_sessions=True), new_cable(replace_sessions=True)
    async with running(*nodes):
        earlier, bob = await client(nodes[0], id="alice"), await client(nodes[0], id="bob")
        later = await client(nodes[1], id="alice")
        await eventually(lambda: earlier.wire.closed)
        assert earlier.wire.closed == (4409, "replaced")
        assert (later.wire.closed, bob.wire.closed) == (None, None)


async def test_of_clients_that_come_at_the_same_time_one_stays(new_cable: Callable[..., Cable]) -> None:
    """Each wants to replace the others; they do not all send each other away."""
    nodes = new_cable(replace_sessions=True), new_cable(replace_sessions=True)
    async with running(*nodes):
        many = await asyncio.gather(*(client(nodes[i % 2], id="alice") for i in range(8)))
        await eventually(lambda: sum(each.wire.closed is None for each in many) == 1)
        known = await nodes[0].clients.get("alice")
        assert known is not None


async def test_a_connection_that_did_not_see_a_later_one_learns_of_it(
    new_cable: Callable[..., Cable], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of two says that it is there: the same one stays."""

    async def blind(client_id: str) -> None:
        del client_id

    nodes = new_cable(replace_sessions=True), new_cable(replace_sessions=True)
    async with running(*nodes):
        with monkeypatch.context() as patched:
            for cable in nodes:
                patched.setattr(cable.clients, "get", blind)
            both = [await client(cable, id="alice") for cable in nodes]
        earlier, later = sorted(both, key=lambda each: each.connection.id)
        known = await nodes[0].clients.get("alice")
        replacing = earlier.connection.cable.clients._replacing
        assert replacing is not None
        await replacing.end_others(earlier.connection, known)
        await eventually(lambda: earlier.wire.closed)
        assert (earlier.wire.closed, later.wire.closed) == ((4409, "replaced"), None)


async def test_a_connection_that_is_being_closed_gets_nothing_more(node: Cable) -> None:
    """It counts as gone, although its socket is still there."""
    alice = await client(node, id="alice")
    alice.wire.on_close = None
    alice.connection.disconnect("remote", reconnect=False)
    assert await node.send_to("alice", 1) == "offline"
    await alice.connection.closed()
