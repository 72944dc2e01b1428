"""Gor's cable, hub and event server: its clients over real sockets."""

import asyncio
from typing import Any

import pytest

from lineside.cable import Channel
from lineside.cable.fastapi import CableRouter, cable_router
from tests.cable.fastapi.apps import Client, app_with, site
from tests.cable.fastapi.event_source import listening

pytestmark = pytest.mark.anyio


class Chat(Channel):
    """A channel whose greeting is broadcast while its client subscribes."""

    channel_name = "chat"
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("chat")
        await self.broadcast_from("chat", {"joined": self.connection.client_id})

    async def receive(self, data: dict[str, Any]) -> None:
        await self.broadcast_from("chat", data)


def router() -> CableRouter:
    return cable_router([Chat], public_streams=["open:*"])


async def ask(client: Client, type_: str, **more: Any) -> Any:
    """Send a message, and return the answer without its time."""
    await client.send({"type": type_, **more})
    answer = await client.next()
    assert isinstance(answer.pop("time"), int)
    return answer


async def test_gor_ws_06_every_message_is_answered_in_gors_words() -> None:
    async with site(app_with(router())) as served, served.client(subprotocol="gor-v1-json") as client:
        subscribed = {"action": "subscribe", "data": {"channel": "chat"}}
        assert await ask(client, "subscribe", channel="chat") == {"type": "success", "data": subscribed}
        assert await ask(client, "ping") == {"type": "pong", "data": None}
        unknown = {"error": "Unknown message type"}
        assert await ask(client, "reboot") == {"type": "error", "data": unknown}
        answer = await ask(client, "message", channel="news", data={"text": "x"})
        assert (answer["type"], answer["data"]) == ("error", {"error": "Not subscribed to channel"})
        unsubscribed = {"action": "unsubscribe", "data": {"channel": "chat"}}
        assert await ask(client, "unsubscribe", channel="chat") == {"type": "success", "data": unsubscribed}


async def test_gor_cable_06_a_message_reaches_the_others_once_and_never_its_sender() -> None:
    async with (
        site(app_with(made := router())) as served,
        served.client(subprotocol="gor-v1-json") as one,
        served.client(subprotocol="gor-v1-json") as other,
    ):
        await ask(one, "subscribe", channel="chat")
        await ask(other, "subscribe", channel="chat")
        assert "joined" in (await one.next())["message"]
        await one.send({"type": "message", "channel": "chat", "data": {"text": "hello"}})
        assert (await other.next())["message"] == {"text": "hello"}
        # What comes behind it for all shows that nothing of it came twice, or back.
        await made.cable.broadcast("chat", "the end")
        assert [(await one.next())["channel"], (await other.next())["message"]] == ["chat", "the end"]


async def test_gor_sse_03_and_05_an_event_reaches_every_client_or_one() -> None:
    async with (
        site(app_with(made := router())) as served,
        listening(served, "channels=open:a&client_id=ada") as ada,
        listening(served, "channels=open:b&client_id=ben") as ben,
    ):
        for source in (ada, ben):
            assert [(await source.next()).type for _ in range(2)] == ["connected", "subscribed"]
        assert await made.cable.sse.send_to("guest:ada", "mail", 1) == "delivered"
        assert await made.cable.sse.send_to("guest:cleo", "mail", 1) == "unknown"
        await made.cable.sse.send(None, "news", 2)
        assert [(await ada.next()).type for _ in range(2)] == ["mail", "news"]
        assert (await ben.next()).type == "news"


async def test_weak_gor_04_a_channel_may_broadcast_while_its_client_subscribes() -> None:
    """Gor's hub held its lock meanwhile, and hung."""
    async with site(app_with(router())) as served, asyncio.TaskGroup() as group:
        for _ in range(10):  # fewer than a client of this library leaves unread
            group.create_task(_come_and_go(served))


async def _come_and_go(served: Any) -> None:
    async with served.client(subprotocol="gor-v1-json") as client:
        await client.send({"type": "subscribe", "channel": "chat"})
        while (await client.next()).get("type") != "success":
            pass


async def test_weak_gor_05_one_request_may_listen_to_many_channels() -> None:
    """Gor's event server hung at ten."""
    names = [f"open:{number}" for number in range(12)]
    async with (
        site(app_with(made := router())) as served,
        listening(served, f"channels={','.join(names)}") as source,
    ):
        assert (await source.next()).type == "connected"
        assert [(await source.next()).data["channel"] for _ in names] == names
        await made.cable.sse.send(names[-1], "changed", {"id": 1})
        changed = await source.next()
        assert (changed.type, changed.data) == ("changed", {"id": 1})


async def test_weak_gor_13_a_name_is_no_pattern_and_unsubscribing_twice_harms_nobody() -> None:
    async with (
        site(app_with(made := router())) as served,
        served.client(subprotocol="gor-v1-json") as client,
    ):
        await ask(client, "subscribe", channel="chat")
        await made.cable.broadcast("chat*", "a stream of that name")
        await made.cable.broadcast("chat", "once")
        assert (await client.next())["message"] == "once"
        assert (await ask(client, "unsubscribe", channel="chat"))["type"] == "success"
        assert (await ask(client, "unsubscribe", channel="chat"))["type"] in ("success", "error")
        assert await ask(client, "ping") == {"type": "pong", "data": None}
