"""Who is present on a stream: the same on every node, and true again soon after a node has died."""

import asyncio
from typing import Any

import pytest

from lineside.bus.memory import MemoryBroker
from lineside.cable import Cable, CableLimits, Channel, Identity
from tests.cable.core.cables import EXT, V1, cable, client, identifier, subscribe
from tests.cable.fakes import FakeClient, eventually, running

pytestmark = pytest.mark.anyio

LOBBY = identifier("Lobby")


class Lobby(Channel):
    async def subscribed(self) -> None:
        self.allow("everybody who is connected")
        me = self.connection.client_id
        await self.stream_from("lobby", presence={"id": me, "info": {"name": me.title()}}, whisper=True)


def changes(connected: FakeClient) -> list[tuple[str, str]]:
    """Return who has come and gone, as a client was told."""
    return [
        (frame["message"]["type"], frame["message"]["id"])
        for frame in connected.frames()
        if frame.get("type") == "presence" and frame["message"]["type"] in ("join", "leave")
    ]


async def present(node: Cable, who: str, codec: str = EXT) -> FakeClient:
    connected = await client(node, codec, identity=Identity(id=who))
    await subscribe(connected, LOBBY, presence={"id": "whoever i say", "info": "forged"})
    return connected


async def test_who_comes_and_goes_is_told_on_every_node_and_by_the_servers_word() -> None:
    broker = MemoryBroker()
    limits = CableLimits(presence_seconds=0.1)
    nodes = one, two = [cable([Lobby], broker=broker, limits=limits) for _ in range(2)]
    async with running(*nodes):
        watcher = await client(two, V1, identity=Identity(id="watcher"))
        await subscribe(watcher, LOBBY)
        alice = await present(one, "alice")
        await eventually(lambda: ("join", "alice") in changes(watcher))
        await alice.close()
        await eventually(lambda: ("leave", "alice") in changes(watcher))
        assert changes(watcher) == [("join", "alice"), ("leave", "alice")]


async def test_a_list_says_who_is_there_on_any_node() -> None:
    broker = MemoryBroker()
    async with running(one := cable([Lobby], broker=broker), two := cable([Lobby], broker=broker)):
        alice = await present(one, "alice")
        await present(two, "bob")
        await alice.send({"command": "presence", "identifier": LOBBY, "data": {"return_records": True}})
        info: Any = (
            await alice.receive(
                lambda frame: frame.get("type") == "presence" and frame["message"]["type"] == "info"
            )
        )["message"]
        assert info["total"] == 2
        assert sorted(record["id"] for record in info["records"]) == ["alice", "bob"]
        assert {"id": "bob", "info": {"name": "Bob"}} in info["records"]


async def test_somebody_with_two_tabs_comes_once_and_goes_with_the_last() -> None:
    async with running(node := cable([Lobby], limits=CableLimits(presence_seconds=0.1))):
        watcher = await client(node, V1, identity=Identity(id="watcher"))
        await subscribe(watcher, LOBBY)
        first, second = await present(node, "alice"), await present(node, "alice")
        await first.send({"command": "leave", "identifier": LOBBY})
        await second.send({"command": "leave", "identifier": LOBBY})
        await eventually(lambda: ("leave", "alice") in changes(watcher))
        assert changes(watcher) == [("join", "alice"), ("leave", "alice")]


async def test_a_client_that_comes_back_in_time_has_never_left() -> None:
    async with running(node := cable([Lobby], limits=CableLimits(presence_seconds=30))):
        watcher = await client(node, V1, identity=Identity(id="watcher"))
        await subscribe(watcher, LOBBY)
        await (await present(node, "alice")).close()
        again = await present(node, "alice")
        assert again.connection.subscriptions
        assert [member.id for member in await node.presence.members("lobby")] == ["alice"]
        assert changes(watcher) == [("join", "alice")]


async def test_those_of_a_dead_node_are_gone_when_its_lease_is() -> None:
    broker = MemoryBroker()
    async with running(one := cable([Lobby], broker=broker)):
        dead = cable([Lobby], broker=broker)
        await dead.start()
        watcher = await client(one, V1, identity=Identity(id="watcher"))
        await subscribe(watcher, LOBBY)
        await present(dead, "alice")
        # As a process that was killed: nothing of it is told to anybody any more.
        for task in [*dead.cluster._tasks]:
            task.cancel()
        await broker.membership.beat(dead.bus.node, {}, ttl_seconds=0.01)
        await eventually(lambda: ("leave", "alice") in changes(watcher))
        await dead.bus.close()


async def test_a_node_that_was_thought_dead_puts_its_clients_back() -> None:
    async with running(node := cable([Lobby])):
        await present(node, "alice")
        await node.bus.require_presence().remove("presence:lobby")
        assert await node.presence.members("lobby") == []
        await node.rejoin()
        assert [member.id for member in await node.presence.members("lobby")] == ["alice"]


async def test_a_whisper_reaches_the_others_only_and_is_not_kept() -> None:
    async with running(node := cable([Lobby])):
        alice, bob = await present(node, "alice"), await present(node, "bob")
        await alice.send({"command": "whisper", "identifier": LOBBY, "data": {"typing": True}})
        frame = await bob.receive(lambda each: each.get("message") == {"typing": True})
        assert "offset" not in frame
        assert not [each for each in alice.frames() if each.get("message") == {"typing": True}]
        assert (await node.bus.read("lobby")).messages == ()


async def test_a_stream_may_begin_while_a_whisper_waits_for_the_bus() -> None:
    async with running(node := cable([Lobby])):
        alice, bob = await present(node, "alice"), await present(node, "bob")
        waiting, go_on = asyncio.Event(), asyncio.Event()
        publish = node.bus.publish

        async def slow_publish(*args: Any, **kwargs: Any) -> Any:
            waiting.set()
            await go_on.wait()
            return await publish(*args, **kwargs)

        node.bus.publish = slow_publish  # type: ignore[method-assign]
        await alice.send({"command": "whisper", "identifier": LOBBY, "data": "hush"})
        await asyncio.wait_for(waiting.wait(), 10)
        await alice.connection.subscriptions[LOBBY].stream_from("another")
        go_on.set()
        await bob.receive(lambda each: each.get("message") == "hush")
        await eventually(lambda: not alice.connection._lanes.pending)
        assert node.stats.faults == 0
