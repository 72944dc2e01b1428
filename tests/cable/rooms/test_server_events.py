"""The nine events: all of them, from every node, in order, without making anybody wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lineside.cable import EVENT_NAMES, Cable, CableConfigurationError, ServerEvent
from lineside.cable._rooms._server_events import ServerEvents
from tests.cable.fakes import DEADLINE, client, eventually, running
from tests.cable.rooms.conftest import ALL, over_every_bus

pytestmark = [pytest.mark.anyio, over_every_bus]


async def test_all_nine_events_are_told_on_every_node(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-16, HUB-SDK-07: GoHub fired two of them, to its own node."""
    seen: dict[str, list[ServerEvent]] = {cable.bus.node: [] for cable in nodes}
    for cable in nodes:
        for name in EVENT_NAMES:
            cable.on(name, _into(seen[cable.bus.node]))
    here, there = (seen[cable.bus.node] for cable in nodes)
    await eventually(lambda: nodes[0].events._relay.wanted_elsewhere == EVENT_NAMES)
    alice = await client(nodes[0], id="alice", permissions=ALL)
    await alice.request("create_room", {"room_id": "r1"})
    await alice.request("join_room", {"room_id": "r1"})
    await alice.request("room_message", {"room_id": "r1", "content": "hi"})
    await alice.request("no_such_type", 1)
    await alice.request("leave_room", {"room_id": "r1"})
    await alice.request("delete_room", {"room_id": "r1"})
    await alice.close()
    await eventually(lambda: {event.type for event in there} == EVENT_NAMES)
    await eventually(lambda: len(here) == len(there))
    alices = [event.type for event in there if event.client_id == "alice" and event.type != "client_message"]
    assert alices == [
        "client_connected",
        "room_joined",
        "room_message",
        "client_error",
        "room_left",
        "client_disconnected",
    ]
    assert sorted(here, key=str) == sorted(there, key=str)
    assert {event.node for event in there} == {nodes[0].bus.node}
    assert {event.connection for event in there} == {None}
    by_type = {event.type: event for event in here}
    assert by_type["client_connected"].connection is alice.connection
    assert by_type["client_error"].message == {"code": 1001, "message": "unknown message type"}
    assert (by_type["room_message"].room_id, by_type["room_message"].message) == ("r1", "hi")
    assert by_type["room_created"].room_id == by_type["room_deleted"].room_id == "r1"


async def test_a_function_may_listen_to_its_own_node_only(nodes: tuple[Cable, Cable]) -> None:
    """So that three nodes with the same code write something down once."""
    own: list[ServerEvent] = []
    all_: list[ServerEvent] = []
    for cable in nodes:
        cable.on("client_connected", _into(own), nodes="own")
    nodes[1].on("client_connected", _into(all_))
    await eventually(lambda: nodes[0].events._relay.wanted_elsewhere)
    for cable in nodes:
        await client(cable)
    await eventually(lambda: len(all_) == 2 and len(own) == 2)


async def test_nothing_is_said_to_nodes_that_do_not_listen(nodes: tuple[Cable, Cable]) -> None:
    """An event costs nothing where nobody wants it."""
    told: list[Any] = []

    async def told_(said: Any) -> None:
        told.append(said)

    nodes[1].cluster.on("events", told_)
    nodes[0].on("client_connected", lambda event: None)
    await client(nodes[0])
    nodes[1].on("room_created", lambda event: None)
    await eventually(lambda: nodes[0].events._relay.wanted_elsewhere)
    await nodes[0].rooms.create("r1")
    await eventually(lambda: told)
    assert [[event["type"] for event in said["events"]] for said in told] == [["room_created"]]


async def test_off_removes(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-16: GoHub's never did; the other nodes stop telling, too."""
    seen: list[ServerEvent] = []
    listener = _into(seen)
    nodes[1].on("client_connected", listener)
    await eventually(lambda: nodes[0].events.wants("client_connected"))
    assert nodes[1].off("client_connected", listener)
    assert not nodes[1].off("client_connected", listener)
    await eventually(lambda: not nodes[0].events.wants("client_connected"))
    await client(nodes[1])
    await nodes[1].events.stop(1.0)
    assert seen == []


async def test_functions_run_in_order_and_one_that_fails_stops_none(
    node: Cable, caplog: pytest.LogCaptureFixture
) -> None:
    """HUB-SDK-08: the error is logged, the next one runs."""
    seen: list[str] = []
    node.on("client_connected", lambda event: seen.append("first"))

    @node.on("client_connected")
    async def fail(event: ServerEvent) -> None:
        seen.append("second")
        raise ZeroDivisionError("the second failed")

    node.on("client_connected", lambda event: seen.append("third"))
    await client(node)
    await eventually(lambda: len(seen) == 3)
    assert seen == ["first", "second", "third"]
    assert "the second failed" in caplog.text


async def test_a_slow_function_makes_nobody_wait(node: Cable) -> None:
    """WEAK-HUB-16: neither the client it is about, nor the events of others."""
    gate = asyncio.Event()
    seen: list[str | None] = []

    @node.on("client_message")
    async def slow(event: ServerEvent) -> None:
        if event.client_id == "alice":
            await gate.wait()
        seen.append(event.client_id)

    alice, bob = await client(node, id="alice"), await client(node, id="bob")
    await alice.settle()
    await bob.settle()
    await eventually(lambda: seen)
    assert seen == ["bob"]
    gate.set()
    await eventually(lambda: len(seen) == 2)


async def test_events_that_find_no_place_are_counted(node: Cable, caplog: pytest.LogCaptureFixture) -> None:
    """The queue is bounded, and says when it is full."""
    gate = asyncio.Event()
    events = ServerEvents(node, max_pending=3)
    told: list[ServerEvent] = []

    async def slow(event: ServerEvent) -> None:
        await gate.wait()
        told.append(event)

    events.on("room_created", slow)
    for number in range(10):
        events.fire("room_created", room_id=f"r{number}")
    assert events.dropped == 7
    assert "events are not told" in caplog.text
    gate.set()
    await events.stop(5.0)
    assert [event.room_id for event in told] == ["r0", "r1", "r2"]


async def test_events_are_told_until_the_very_end(new_cable: Callable[..., Cable]) -> None:
    """WEAK-HUB-15, WEAK-HUB-16: of a node that drains, each client's last events too, here and elsewhere."""
    leaving, staying = new_cable(), new_cable()
    here: list[ServerEvent] = []
    there: list[ServerEvent] = []
    async with running(staying):
        staying.on("client_disconnected", _into(there))
        async with running(leaving):
            leaving.on("client_disconnected", _into(here))
            await eventually(lambda: leaving.events._relay.wanted_elsewhere)
            for number in range(20):
                await client(leaving, id=f"c{number}")
        assert len(here) == 20
        await eventually(lambda: len(there) == 20)


async def test_a_node_that_comes_later_learns_what_the_others_want(new_cable: Callable[..., Cable]) -> None:
    """Listeners that were there first are told by it, too."""
    first, later = new_cable(), new_cable()
    seen: list[ServerEvent] = []
    first.on("client_connected", _into(seen))
    async with running(first, later):
        await eventually(lambda: later.events._relay.wanted_elsewhere)
        await client(later, id="alice")
        await eventually(lambda: seen)
        assert (seen[0].client_id, seen[0].node) == ("alice", later.bus.node)


def test_an_unknown_event_is_refused(new_cable: Callable[..., Cable]) -> None:
    """With the nine that there are."""
    with pytest.raises(CableConfigurationError, match="client_connected"):
        new_cable().events.on("client_conected", lambda event: None)


def _into(seen: list[ServerEvent]) -> Callable[[ServerEvent], Any]:
    async def listen(event: ServerEvent) -> None:
        seen.append(event)

    return listen


async def test_an_older_word_does_not_undo_a_newer_one(nodes: tuple[Cable, Cable]) -> None:
    """What stands in a lease is up to a beat older than what was said meanwhile."""
    one, two = nodes
    two.on("room_created", lambda event: None)
    await eventually(lambda: one.events.wants("room_created"))
    older = {"node": two.bus.node, "wants": [0, []], "hello": False}
    await two.cluster.tell("events_wanted", older, node=one.bus.node)
    heard = asyncio.Event()

    async def hear(said: Any) -> None:
        heard.set()

    one.cluster.on("marker", hear)
    await two.cluster.tell("marker", {}, node=one.bus.node)
    await asyncio.wait_for(heard.wait(), DEADLINE)
    assert one.events.wants("room_created")
