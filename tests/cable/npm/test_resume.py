"""Clients of @anycable/core whose TCP is cut: what was missed comes once, in order, or is said to be lost."""

from pathlib import Path
from typing import Any

import pytest

from tests.cable.npm.app import HISTORY, TOKENS
from tests.cable.npm.drivers import Driver, eventually
from tests.cable.npm.nodes import Nodes
from tests.cable.npm.proxy import Proxy, proxied
from tests.cable.npm.resuming import Plan, run_plan

pytestmark = pytest.mark.anyio


async def in_room(run: Any, proxy: Proxy, name: str, **options: Any) -> Driver:
    """Return the library with one client in a room, by way of the proxy."""
    library: Driver = await run("anycable")
    options = {"protocol": "actioncable-v1-ext-json", **options}
    await library.do("create", client="a", url=proxy.cable, **options)
    await library.do("connect", client="a")
    await library.do("subscribe", client="a", channel="room", name="Room", params={"name": name})
    return library


async def cut_while(proxy: Proxy, nodes: Nodes, name: str, *messages: Any) -> None:
    """Cut the connection, and publish before it can be back."""
    with proxy.closed():
        proxy.cut()
        await eventually(lambda: _gone(nodes, name))
        await nodes.broadcast(f"room:{name}", *messages)


async def test_what_is_said_while_a_client_is_away_comes_once_and_in_order(
    nodes: Nodes, run: Any, name: str
) -> None:
    async with proxied(nodes.first.port) as proxy:
        library = await in_room(run, proxy, name)
        await nodes.broadcast(f"room:{name}", "one", "two")
        await library.event("message", times=2)
        await cut_while(proxy, nodes, name, "three", "four")
        await library.event("connect", reconnect=True, restored=True)
        await nodes.broadcast(f"room:{name}", "five")
        await library.until(lambda: "five" in library.messages())
        assert library.messages() == ["one", "two", "three", "four", "five"]


async def test_a_client_goes_on_where_it_was_on_another_node(nodes: Nodes, run: Any, name: str) -> None:
    async with proxied(nodes.first.port, nodes.last.port) as proxy:
        library = await in_room(run, proxy, name)
        await nodes.broadcast(f"room:{name}", "one")
        await library.event("message")
        await cut_while(proxy, nodes, name, "two")
        await library.event("connect", reconnect=True, restored=True)
        await nodes.broadcast(f"room:{name}", "three", node=nodes.first)
        await library.until(lambda: "three" in library.messages())
        assert library.messages() == ["one", "two", "three"]
        assert (await nodes.stats(nodes.last))["streams"].get(f"room:{name}") == 1


async def test_a_client_whose_session_is_unknown_goes_on_by_its_positions(
    nodes: Nodes, run: Any, name: str
) -> None:
    async with proxied(nodes.first.port) as proxy:
        library = await in_room(run, proxy, name)
        await nodes.broadcast(f"room:{name}", "one")
        await library.event("message")
        await library.do("forget", client="a")
        await cut_while(proxy, nodes, name, "two")
        await library.event("connect", reconnect=True, restored=False)
        await library.event("connected", channel="room", times=2)
        await nodes.broadcast(f"room:{name}", "three")
        await library.until(lambda: "three" in library.messages())
        assert library.messages() == ["one", "two", "three"]


async def test_a_client_that_is_back_before_its_end_is_noticed_goes_on_by_its_positions(
    nodes: Nodes, run: Any, name: str
) -> None:
    async with proxied(nodes.first.port) as proxy:
        library = await in_room(run, proxy, name)
        await nodes.broadcast(f"room:{name}", "one")
        await library.event("message")
        with proxy.closed():
            proxy.strand()
            await nodes.broadcast(f"room:{name}", "two")
        await library.event("connected", channel="room", times=2)
        assert await nodes.subscriptions(f"room:{name}") == 2
        await nodes.broadcast(f"room:{name}", "three")
        await library.until(lambda: "three" in library.messages())
        assert library.messages() == ["one", "two", "three"]


async def test_a_channel_that_is_left_and_entered_again_while_away_is_confirmed_once_more(
    nodes: Nodes, run: Any, name: str
) -> None:
    async with proxied(nodes.first.port) as proxy:
        library = await in_room(run, proxy, name)
        await nodes.broadcast(f"room:{name}", "one")
        await library.event("message")
        with proxy.closed():
            proxy.cut()
            await library.event("disconnect")
            await library.do("unsubscribe", client="a", channel="room")
            again = library.begin(
                "subscribe", client="a", channel="again", name="Room", params={"name": name}
            )
            await nodes.broadcast(f"room:{name}", "two")
        await again
        await nodes.broadcast(f"room:{name}", "three")
        await library.until(lambda: "three" in library.messages())
        assert library.messages(channel="again") == ["two", "three"]
        assert await nodes.subscriptions(f"room:{name}") == 1


async def test_what_cannot_be_brought_back_is_said_to_be_lost(nodes: Nodes, run: Any, name: str) -> None:
    async with proxied(nodes.first.port) as proxy:
        library = await in_room(run, proxy, name)
        await nodes.broadcast(f"room:{name}", "one")
        await library.event("message")
        # One more than is kept, and the first of them is the one that is missing.
        await cut_while(proxy, nodes, name, *range(1, HISTORY + 2))
        await library.event("info", type="history_not_found")
        await nodes.broadcast(f"room:{name}", "live")
        await library.until(lambda: "live" in library.messages())
        assert library.messages() == ["one", "live"]


async def test_the_session_of_somebody_else_is_not_taken_over(nodes: Nodes, run: Any, name: str) -> None:
    library: Driver = await run("anycable")
    async with proxied(nodes.first.port) as proxy:
        await _connect_as(library, "ann", proxy.cable, name)
        await library.do("subscribe", client="ann", channel="room", name="Room", params={"name": name})
        session = (await library.event("connect", client="ann"))["session"]
        with proxy.closed():
            proxy.cut()
            await eventually(lambda: _gone(nodes, name))
            await _connect_as(library, "bob", f"{nodes.first.cable}?sid={session}", name)
        assert (await library.event("connect", client="bob"))["restored"] is False


async def test_presence_outlives_a_cut_that_is_short(nodes: Nodes, run: Any, name: str) -> None:
    library: Driver = await run("anycable")
    await library.do("create", client="watcher", url=nodes.last.cable, protocol="actioncable-v1-ext-json")
    await library.do("connect", client="watcher")
    await library.do("subscribe", client="watcher", channel="room", name="Room", params={"name": name})
    async with proxied(nodes.first.port) as proxy:
        await _connect_as(library, "ann", proxy.cable, name)
        await library.do("subscribe", client="ann", channel="room", name="Room", params={"name": name})
        await library.do("join", client="ann", channel="room", **{"as": "ann"})
        await library.event("presence", client="watcher")
        proxy.cut()
        await library.event("connect", client="ann", restored=True)
        await library.do("perform", client="ann", channel="room", action="speak", data={"text": "back"})
        await library.event("message", client="watcher")
        # Longer than the second for which a client that was cut stays present.
        await library.event("tick", client="watcher", times=len(library.seen("tick", client="watcher")) + 3)
        assert [each["message"]["type"] for each in library.seen("presence", client="watcher")] == ["join"]


async def test_presence_ends_some_time_after_a_cut_for_good(nodes: Nodes, run: Any, name: str) -> None:
    library: Driver = await run("anycable")
    await library.do("create", client="watcher", url=nodes.last.cable, protocol="actioncable-v1-ext-json")
    await library.do("connect", client="watcher")
    await library.do("subscribe", client="watcher", channel="room", name="Room", params={"name": name})
    async with proxied(nodes.first.port) as proxy:
        await _connect_as(library, "ann", proxy.cable, name)
        await library.do("subscribe", client="ann", channel="room", name="Room", params={"name": name})
        await library.do("join", client="ann", channel="room", **{"as": "ann"})
        await library.event("presence", client="watcher")
        with proxy.closed():
            proxy.cut()
            left = await library.event("presence", client="watcher", times=2)
    assert (left["message"]["type"], left["message"]["id"]) == ("leave", f"ann-{name}")


@pytest.mark.timeout(180)
async def test_twenty_clients_that_are_cut_every_second_lose_nothing(nodes: Nodes, clients: Path) -> None:
    plan = Plan(clients=20, messages=60, seconds_between_messages=0.1, seconds_between_cuts=1.0, seed=2)
    figures = await run_plan(nodes, clients, plan)
    assert (figures.lost, figures.duplicates, figures.disordered) == (0, 0, 0), figures
    assert figures.cuts > plan.clients, "nobody was cut often enough for this to show anything"


async def _connect_as(library: Driver, user: str, url: str, name: str) -> None:
    token = TOKENS.generate_token(f"{user}-{name}")
    await library.do("create", client=user, url=url, protocol="actioncable-v1-ext-json", token=token)
    await library.do("connect", client=user)


async def _gone(nodes: Nodes, name: str) -> bool:
    return await nodes.subscriptions(f"room:{name}") == 0
