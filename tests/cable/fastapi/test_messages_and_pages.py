"""What else the router connects: handlers of typed messages, fresh tokens, metrics, and the AsyncAPI page."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends

from lineside.cable import Channel, ConnectionPort, JWTAuthentication
from lineside.cable._fastapi._asyncapi_page import page_of
from lineside.cable.fastapi import CableDep, IdentityDep, cable_router
from lineside.instrumentation import Metrics
from lineside.instrumentation.fastapi import metrics_router
from tests.cable.fastapi.apps import app_with, site

pytestmark = pytest.mark.anyio
SECRET = "a secret that is long enough for HS256"


class Chat(Channel):
    """Talk <b>with</b> others."""

    public = True

    async def subscribed(self, room: int) -> None:
        await self.stream_from(f"room:{room}")

    async def speak(self, text: str) -> None:
        """Say something."""


async def test_handlers_of_messages_are_injected() -> None:
    log: list[str] = []

    async def resource() -> AsyncIterator[int]:
        log.append("open")
        yield 2
        log.append("closed")

    router = cable_router()

    @router.cable.on("double", reply="doubled")
    async def double(
        message: int,
        connection: ConnectionPort,
        factor: Annotated[int, Depends(resource)],
        identity: IdentityDep,
        cable: CableDep,
    ) -> int:
        assert cable is connection.cable
        assert identity is connection.identity
        return message * factor

    async with site(app_with(router)) as served, served.client(subprotocol=None) as client:
        await client.send({"message_id": 3, "message_type": "double", "data": 21})
        answer = await client.next()
    assert (answer["message_type"], answer["data"], answer["request_id"]) == ("doubled", 42, 3)
    assert log == ["open", "closed"]


async def test_a_fresh_token_takes_the_place_of_one_that_ends() -> None:
    tokens = JWTAuthentication(SECRET)
    old, fresh, others = (
        tokens.generate_token(user, ttl=timedelta(minutes=minutes))
        for user, minutes in (("ada", 1), ("ada", 60), ("bob", 60))
    )
    router = cable_router(authenticate=tokens)
    headers = {"Authorization": f"Bearer {old}"}
    async with site(app_with(router)) as served, served.client(headers=headers, subprotocol=None) as client:
        for token, type_ in ((others, "error"), ("forged", "error"), (fresh, "refreshed")):
            await client.send({"message_id": 1, "message_type": "refresh", "data": {"token": token}})
            assert (await client.next())["message_type"] == type_


async def test_metrics_show_the_cable_by_its_name() -> None:
    metrics = Metrics()
    app = app_with(cable_router([Chat], metrics=metrics, name="chat"))
    app.include_router(metrics_router(metrics))
    async with site(app) as served, served.client():
        text = (await served.http.get("/metrics")).text
    assert 'lineside_cable_connected_clients{cable="chat"} 1.0' in text


async def test_the_channels_are_described_as_asyncapi_and_as_a_page() -> None:
    app = app_with(cable_router([Chat]))
    app.title = "<Shop>"
    async with site(app) as served:
        document = (await served.http.get("/cable/asyncapi.json")).json()
        assert document["asyncapi"].startswith("3.")
        assert document["channels"]["Chat"]["address"] == "Chat"
        (server,) = document["servers"].values()
        assert (server["pathname"], server["host"]) == ("/cable", f"127.0.0.1:{served.port}")
        page = await served.http.get("/cable/asyncapi")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "&lt;Shop&gt;" in page.text
    assert "Talk &lt;b&gt;with&lt;/b&gt; others." in page.text
    assert "speak" in page.text
    assert "<b>" not in page.text
    assert "<script" not in page.text


def test_everything_on_the_page_is_escaped() -> None:
    evil = "\"><script>alert('x')</script>"
    document: dict[str, Any] = {
        "info": {"title": evil, "version": evil},
        "servers": {evil: {"host": evil}},
        "channels": {evil: {"address": evil, "description": evil, "messages": {evil: evil}}},
        "operations": {evil: {"channel": {"$ref": f"#/channels/{evil.replace('/', '~1')}"}, "title": evil}},
        "components": {evil: [evil]},
    }
    page = page_of(document)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 10


async def test_channels_in_a_drain_are_told_before_the_app_stops() -> None:
    router = cable_router([Chat])
    async with site(app_with(router)) as served, served.client() as client:
        stopping = asyncio.create_task(router.cable.drain(seconds=0))
        assert await client.next() == {"type": "disconnect", "reason": "server_restart", "reconnect": True}
        await stopping
        assert (await served.refusal())[0] == 503
