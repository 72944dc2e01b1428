"""@rails/actioncable, unchanged, on one node and on two."""

import json
from typing import Any

import pytest

from tests.cable.npm.drivers import eventually
from tests.cable.npm.nodes import Nodes

pytestmark = pytest.mark.anyio


async def connected(run: Any, nodes: Nodes, *clients: str) -> Any:
    """Start the library with a consumer for each name; the last of several is on the last node."""
    library = await run("actioncable")
    for client in clients:
        where = nodes.first if client == clients[0] else nodes.last
        await library.do("connect", client=client, url=where.cable)
    return library


async def subscribed(library: Any, client: str, channel: str, /, **params: Any) -> None:
    """Subscribe under a name of the test's, and wait for the confirmation."""
    await library.do("subscribe", client=client, channel=channel, params=params)
    await library.event("connected", client=client, channel=channel)


async def test_an_action_answers_who_performed_it(nodes: Nodes, run: Any) -> None:
    library = await connected(run, nodes, "a")
    await subscribed(library, "a", "echo", channel="Echo")
    await library.do("perform", client="a", channel="echo", action="echo", data={"text": "hello"})
    assert (await library.event("message", client="a"))["message"] == {"echo": "hello"}


async def test_what_one_client_says_reaches_another(nodes: Nodes, run: Any, name: str) -> None:
    library = await connected(run, nodes, "a", "b")
    for client in ("a", "b"):
        await subscribed(library, client, "room", channel="Room", name=name)
    await library.do("perform", client="a", channel="room", action="speak", data={"text": "hello"})
    for client in ("a", "b"):
        assert (await library.event("message", client=client))["message"] == {"text": "hello"}


async def test_what_is_told_to_others_does_not_come_back(nodes: Nodes, run: Any, name: str) -> None:
    library = await connected(run, nodes, "a", "b")
    for client in ("a", "b"):
        await subscribed(library, client, "room", channel="Room", name=name)
    await library.do("perform", client="a", channel="room", action="tell_others", data={"text": "1"})
    await library.do("perform", client="a", channel="room", action="speak", data={"text": "2"})
    await library.event("message", client="a")
    await library.event("message", client="b", times=2)
    assert library.messages(client="a") == [{"text": "2"}]
    assert library.messages(client="b") == [{"text": "1"}, {"text": "2"}]


async def test_a_rejection_ends_the_subscription_of_the_library(node: Nodes, run: Any) -> None:
    library = await connected(run, node, "a")
    await library.do("subscribe", client="a", channel="no", params={"channel": "Picky"})
    await library.event("rejected", client="a", channel="no")


async def test_an_unknown_channel_is_rejected_too(node: Nodes, run: Any) -> None:
    library = await connected(run, node, "a")
    await library.do("subscribe", client="a", channel="no", params={"channel": "Nowhere"})
    await library.event("rejected", client="a", channel="no")


async def test_an_unsubscribed_client_hears_nothing_more(nodes: Nodes, run: Any, name: str) -> None:
    library = await connected(run, nodes, "a", "b")
    for client in ("a", "b"):
        await subscribed(library, client, "room", channel="Room", name=name)
    await library.do("unsubscribe", client="a", channel="room")
    await eventually(lambda: _count(nodes, name, 1))
    await nodes.broadcast(f"room:{name}", "after")
    await library.event("message", client="b")
    assert library.messages(client="a") == []


async def test_a_thousand_quick_turns_leave_one_subscription(nodes: Nodes, run: Any, name: str) -> None:
    library = await connected(run, nodes, "a")
    params = {"channel": "Room", "name": name}
    await subscribed(library, "a", "room", **params)
    await library.do("toggle", client="a", channel="room", params=params, times=1_000)
    await _turns(nodes, name, begun=1_001, ended=1_000)
    assert await nodes.subscriptions(f"room:{name}") == 1
    await nodes.broadcast(f"room:{name}", "once", "end")
    await library.until(lambda: "end" in library.messages(client="a", channel="room"))
    assert library.messages(client="a", channel="room") == ["once", "end"]


async def test_a_thousand_quick_turns_and_an_end_leave_none(nodes: Nodes, run: Any, name: str) -> None:
    library = await connected(run, nodes, "a")
    params = {"channel": "Room", "name": name}
    await subscribed(library, "a", "room", **params)
    await library.do("toggle", client="a", channel="room", params=params, times=1_000)
    await library.do("unsubscribe", client="a", channel="room")
    await _turns(nodes, name, begun=1_001, ended=1_001)
    assert await nodes.subscriptions(f"room:{name}") == 0
    await nodes.broadcast(f"room:{name}", "for nobody")
    await subscribed(library, "a", "echo", channel="Echo")
    assert library.messages(client="a", channel="room") == []


async def test_a_raw_socket_turns_a_thousand_times_in_one_write(nodes: Nodes, run: Any, name: str) -> None:
    ws = await run("ws")
    await ws.do("connect", client="a", url=nodes.first.cable, protocols=["actioncable-v1-json"])
    room = json.dumps({"channel": "Room", "name": name})
    turn = [json.dumps({"command": command, "identifier": room}) for command in ("subscribe", "unsubscribe")]
    await ws.do("sendAll", client="a", frames=[*turn * 1_000, turn[0]])
    await _turns(nodes, name, begun=1_001, ended=1_000)
    confirmed = {"type": "confirm_subscription", "identifier": room}
    await ws.until(lambda: [json.loads(each["frame"]) for each in ws.seen("frame")].count(confirmed) == 1_001)
    assert await nodes.subscriptions(f"room:{name}") == 1
    await nodes.broadcast(f"room:{name}", "once", "end")
    await ws.until(lambda: [each for each in ws.seen("frame") if '"end"' in each["frame"]])
    assert len([each for each in ws.seen("frame") if '"once"' in each["frame"]]) == 1


async def test_a_client_that_is_sent_away_for_good_stays_away(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("actioncable")
    await library.do("connect", client="a", url=f"{nodes.first.cable}?client_id={name}")
    await subscribed(library, "a", "room", channel="Room", name=name)
    await nodes.disconnect(f"guest:{name}", reconnect=False)
    assert (await library.event("disconnected", client="a"))["willAttemptReconnect"] is False


async def test_a_client_that_is_sent_away_for_now_comes_back_and_subscribes(
    node: Nodes, run: Any, name: str
) -> None:
    library = await run("actioncable")
    await library.do("connect", client="a", url=f"{node.first.cable}?client_id={name}")
    await subscribed(library, "a", "room", channel="Room", name=name)
    await node.disconnect(f"guest:{name}", reconnect=True)
    assert (await library.event("disconnected", client="a"))["willAttemptReconnect"] is True
    # The library waits for two missing pings and some more.
    assert (await library.event("connected", client="a", times=2, seconds=60))["reconnected"] is True


async def _count(nodes: Nodes, name: str, number: int) -> bool:
    return await nodes.subscriptions(f"room:{name}") == number


async def _turns(nodes: Nodes, name: str, *, begun: int, ended: int) -> None:
    async def done() -> bool:
        return (await nodes.stats(nodes.first))["turns"].get(name) == [begun, ended]

    await eventually(done, seconds=60)
