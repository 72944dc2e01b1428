"""Requests of strangers against a whole app: forged, from other pages, by another protocol, about others."""

import asyncio
import json
from typing import Annotated, Any

import msgpack
import pytest
import websockets
from fastapi import Cookie, HTTPException

from lineside.cable import AnonymousRights, CableLimits, Channel, Identity
from lineside.cable.fastapi import cable_router
from tests.cable.fakes import eventually
from tests.cable.fastapi.apps import app_with, site
from tests.cable.fastapi.event_source import listening

pytestmark = pytest.mark.anyio

SECRET = "a secret of more than 32 bytes, for tests"


class Secret(Channel):
    async def subscribed(self) -> None:
        if self.identity.anonymous:
            self.reject()
            return
        self.allow("known")
        await self.stream_from("secret", whisper=True, presence=True)

    async def act(self) -> None:
        raise AssertionError("a stranger acts")


class Open(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("open")


async def by_cookie(session: Annotated[str | None, Cookie()] = None) -> Identity | None:
    return None if session is None else Identity(id=session, permissions=frozenset({"admin:system"}))


async def admin(session: Annotated[str | None, Cookie()] = None) -> None:
    if session != "admin":
        raise HTTPException(403)


def app(**more: Any) -> Any:
    return cable_router(
        [Secret, Open],
        authenticate=by_cookie,
        anonymous=AnonymousRights(["read:message"]),
        secret=SECRET,
        limits=CableLimits(close_seconds=0.5),
        **more,
    )


async def test_a_page_of_another_site_publishes_nothing_with_its_visitors_cookie() -> None:
    """A form can post text, but no JSON; and the publishers' key is no cookie."""
    router = cable_router([Open], authenticate=by_cookie, api_guard=admin)
    async with site(app_with(router)) as served:
        body = json.dumps({"stream": "open", "data": "1"})
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = await served.http.post(
                "/cable/_broadcast",
                content=body,
                headers={"Cookie": "session=admin", "Content-Type": kind, "Origin": "https://evil.example"},
            )
            assert answer.status_code in (415, 422), (kind, answer.status_code)
        assert (await router.cable.bus.read("open")).last_offset == 0


@pytest.mark.parametrize("protocol", ["actioncable-v1-json", "actioncable-v1-ext-json", None, "gor-v1-json"])
async def test_a_guest_is_refused_by_every_protocol(protocol: str | None) -> None:
    """Neither a subscription, nor what belongs to one, nor what needs a permission."""
    router = app()
    async with site(app_with(router)) as served, served.client(subprotocol=protocol) as someone:
        name = json.dumps({"channel": "Secret"})
        frames: list[dict[str, Any]] = [
            {"command": command, "identifier": name, "data": '{"action":"act"}', "history": {"since": 1}}
            for command in ("subscribe", "message", "history", "whisper", "join", "presence", "unsubscribe")
        ]
        frames += [
            {"message_id": number, "message_type": kind, "data": {"room_id": "r", "target_id": "ann"}}
            for number, kind in enumerate(("create_room", "join_room", "room_message", "direct_message"), 1)
        ]
        frames += [{"type": kind, "channel": "Secret", "data": 1} for kind in ("subscribe", "message")]
        for frame in frames:
            await someone.send(frame)
        await asyncio.sleep(0)
        (connection,) = router.cable.connections.values()
        await eventually(lambda: connection._lanes.pending == 0)
        assert not connection.subscriptions
        assert "secret" not in router.cable.hub.streams
        assert await router.cable.rooms.total() == 0
        assert not await router.cable.presence.members("secret")


async def test_an_event_stream_gets_nothing_of_a_stream_that_its_event_id_names() -> None:
    """Only what its subscriptions stream from is replayed."""
    router = app()
    async with site(app_with(router)) as served:
        first = await router.cable.broadcast("secret", "hidden")
        await router.cable.broadcast("secret", "hidden too")
        assert first.position is not None
        forged = f"0/secret/{first.position.epoch}"
        async with listening(served, "channel=Open", last_id=forged) as events:
            seen = [await events.next() for _ in range(2)]
            await router.cable.broadcast("open", "end")
            while seen[-1].type != "message":
                seen.append(await events.next())
        assert "hidden" not in str(seen)
        answer = await served.http.get("/cable/events?channel=Secret", headers={"Last-Event-ID": forged})
        assert answer.status_code == 403


async def test_look_alike_origins_are_refused_over_both_doors() -> None:
    """Prefixes, suffixes, users, other ports and schemes."""
    async with site(app_with(app(origins=["https://app.example"]))) as served:
        for origin in (
            "https://app.example.evil.test",
            "https://evilapp.example",
            "https://app.example@evil.test",
            "http://app.example",
            "https://app.example:444",
            "https://app.example/",
            "null",
            "https://app.example, https://evil.test",
        ):
            assert (await served.refusal(origin=origin))[0] == 403, origin
            answer = await served.http.get("/cable/events?channel=Open", headers={"Origin": origin})
            assert answer.status_code == 403, origin
            assert "access-control-allow-origin" not in answer.headers


async def test_bombs_of_messagepack_are_answered_and_cost_nothing() -> None:
    """Announced sizes, deep nesting, huge integers and foreign types."""
    router = app()
    async with site(app_with(router)) as served:
        protocol = next(
            codec.subprotocol
            for name in router.cable.codecs.names
            if "msgpack" in name and (codec := router.cable.codecs.by_name(name)).subprotocol
        )
        url = f"ws://127.0.0.1:{served.port}/cable"
        async with websockets.connect(url, subprotocols=[protocol]) as someone:
            bombs = [
                b"\xdd\xff\xff\xff\xff",
                b"\xdf\xff\xff\xff\xff",
                b"\xc6\xff\xff\xff\xff",
                b"\x91" * 60_000,
                b"\x81\xc0" * 20_000,
                msgpack.packb({"command": 2**64 - 1}),
                msgpack.packb(msgpack.ExtType(5, b"x" * 100)),
                b"",
                b"\xc1",
            ]
            for bomb in bombs:
                await someone.send(bomb)
            await eventually(lambda: router.cable.stats.messages_received == len(bombs))
            (connection,) = router.cable.connections.values()
            assert connection.state.value == "open"
