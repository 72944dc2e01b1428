"""Going on with an earlier session: on any node, for its own client, and only where it may still be."""

import asyncio
from typing import ClassVar

import pytest

from lineside.bus import HistoryLimits
from lineside.bus.memory import MemoryBroker
from lineside.cable import CableLimits, Channel, Identity
from tests.cable.core.cables import EXT, V1, cable, client, identifier, messages, subscribe
from tests.cable.core.test_replay import position
from tests.cable.fakes import FakeClient, eventually, running

pytestmark = pytest.mark.anyio

FEED, OTHER = identifier("Feed"), identifier("Feed", room=2)


class Feed(Channel):
    banned: ClassVar[set[str]] = set()

    async def subscribed(self, room: int = 1) -> None:
        if self.connection.client_id in self.banned:
            self.reject()
            return
        self.allow("everybody who is connected")
        await self.stream_from("feed" if room == 1 else f"feed:{room}")


ALICE = Identity(id="alice")


async def _seen(node, broker) -> FakeClient:  # type: ignore[no-untyped-def]
    alice = await client(node, EXT, identity=ALICE)
    await subscribe(alice, FEED)
    await node.broadcast("feed", 1)
    await alice.receive(lambda frame: frame.get("message") == 1)
    await alice.close()
    return alice


async def test_a_session_goes_on_at_another_node_without_a_word_about_its_subscriptions() -> None:
    broker = MemoryBroker()
    async with running(one := cable([Feed], broker=broker), two := cable([Feed], broker=broker)):
        before = await _seen(one, broker)
        await one.broadcast("feed", 2)
        again = await client(two, EXT, identity=ALICE, restore=before.connection.id)
        welcome = again.frames()[0] if again.frames() else await again.receive()
        assert welcome["restored"] is True
        assert welcome["restored_ids"] == [FEED]
        await one.broadcast("feed", 3)
        await again.send({"command": "history", "identifier": FEED, "history": position(before)})
        await again.receive(lambda frame: frame.get("message") == 3)
        assert messages(again, FEED) == [2, 3]


async def test_a_session_is_good_for_its_own_client_and_once() -> None:
    async with running(node := cable([Feed])):
        session = (await _seen(node, None)).connection.id
        thief = await client(node, EXT, identity=Identity(id="mallory"), restore=session)
        assert "restored" not in await thief.receive()
        assert not thief.connection.subscriptions
        again = await client(node, EXT, identity=ALICE, restore=session)
        assert (await again.receive())["restored_ids"] == [FEED]
        twice = await client(node, EXT, identity=ALICE, restore=session)
        assert "restored" not in await twice.receive()


async def test_a_channel_decides_anew_whether_its_client_may_listen() -> None:
    async with running(node := cable([Feed])):
        before = await _seen(node, None)
        Feed.banned.add("alice")
        try:
            again = await client(node, EXT, identity=ALICE, restore=before.connection.id)
            welcome = await again.receive()
            assert welcome["restored_ids"] == []
            assert not again.connection.subscriptions
        finally:
            Feed.banned.clear()


async def test_who_was_told_not_to_come_back_has_no_session_to_go_on_with() -> None:
    async with running(node := cable([Feed])):
        alice = await client(node, EXT, identity=ALICE)
        await subscribe(alice, FEED)
        await node.disconnect({"client_id": "alice"}, reconnect=False)
        await eventually(lambda: not node.connections)
        again = await client(node, EXT, identity=ALICE, restore=alice.connection.id)
        assert "restored" not in await again.receive()


async def test_plain_clients_are_never_restored() -> None:
    async with running(node := cable([Feed])):
        before = await _seen(node, None)
        again = await client(node, V1, identity=ALICE, restore=before.connection.id)
        assert await again.receive() == {"type": "welcome"}


async def test_thousands_that_come_back_are_no_task_each() -> None:
    async with running(node := cable([Feed])):
        sessions = []
        for _ in range(50):
            one = await client(node, EXT)
            await subscribe(one, FEED)
            sessions.append(one.connection.id)
            await one.close()
        tasks = len(asyncio.all_tasks())
        for session in sessions:
            again = await client(node, EXT, restore=session)
            await again.send({"command": "history", "identifier": FEED, "history": {"streams": {}}})
            await again.receive(lambda frame: frame.get("type") == "confirm_history")
        assert len(asyncio.all_tasks()) <= tasks + 2


async def test_a_restored_client_that_reads_slowly_is_not_served_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its replay takes longer than the time in which it has to ask for one."""
    monkeypatch.setattr("lineside.cable._core._sessions._HISTORY_SECONDS", 0.05)
    limits = CableLimits(outbox_bytes=4_000, history=HistoryLimits(messages=100))
    async with running(node := cable([Feed], limits=limits)):
        before = await _seen(node, None)
        for _ in range(60):
            await node.broadcast("feed", "x" * 500)
        again = await client(node, EXT, identity=ALICE, restore=before.connection.id)
        again.wire.unread_bytes = 2_000
        await again.send({"command": "history", "identifier": FEED, "history": position(before)})
        await eventually(lambda: again.connection.outbox.crowded)
        await asyncio.sleep(0.2)
        again.wire.unread_bytes = 0
        await again.receive(lambda frame: frame.get("type") == "confirm_history")
        assert messages(again, FEED) == ["x" * 500] * 60


async def test_a_client_that_asks_when_it_has_been_served_already_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lineside.cable._core._sessions._HISTORY_SECONDS", 0.0)
    async with running(node := cable([Feed])):
        before = await _seen(node, None)
        await node.broadcast("feed", 2)
        again = await client(node, EXT, identity=ALICE, restore=before.connection.id)
        await again.receive(lambda frame: frame.get("message") == 2)
        await again.send({"command": "history", "identifier": FEED, "history": position(before)})
        await again.receive(lambda frame: frame.get("type") == "reject_history")
        assert messages(again, FEED) == [2]
