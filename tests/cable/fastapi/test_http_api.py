"""The HTTP API: GoHub's and AnyCable's, over all nodes, behind a key, and never a 500 for what came in."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import Header, HTTPException

from lineside.bus import BusUnavailable
from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable import AnonymousRights, CableConfigurationError, Channel
from lineside.cable._auth._bearer import derived_key
from lineside.cable.fastapi import CableRouter, cable_router
from lineside.exceptions import SecretError
from tests.cable.fastapi.apps import Client, Site, app_with, site

pytestmark = pytest.mark.anyio
KEY = "a key of at least sixteen bytes"
SECRET = "a secret of the app, at least 32 bytes"
HEADERS = {"Authorization": f"Bearer {KEY}"}
ROUTES = [
    ("POST", "/cable/api/broadcast"),
    ("POST", "/cable/api/broadcast/room"),
    ("GET", "/cable/api/stats"),
    ("GET", "/cable/api/rooms"),
    ("POST", "/cable/api/rooms"),
    ("GET", "/cable/api/clients"),
    ("GET", "/cable/api/presence/room:1/users"),
    ("POST", "/cable/api/publish"),
    ("POST", "/cable/_broadcast"),
]


class Room(Channel):
    public = True

    async def subscribed(self, room: int = 1) -> None:
        await self.stream_from(f"room:{room}", presence={"id": f"user-{room}", "info": {"name": "Ada"}})


def router(**options: Any) -> CableRouter:
    rights = AnonymousRights(["join:room", "send:message", "read:message"])
    return cable_router([Room], **{"api_key": KEY, "anonymous": rights, **options})


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[Site]:
    async with site(app_with(router(**options))) as one:
        one.http.headers.update(HEADERS)
        yield one


async def request(client: Client, type_: str, **data: Any) -> Any:
    await client.send({"message_id": 1, "message_type": type_, "data": data})
    return await client.next()


async def test_without_a_key_there_is_no_api() -> None:
    async with site(app_with(cable_router([Room]))) as one:
        answers = [await one.http.request(method, path, headers=HEADERS) for method, path in ROUTES]
    assert [answer.status_code for answer in answers] == [404] * len(ROUTES)


@pytest.mark.parametrize("key", [None, "Bearer", "Bearer wrong wrong wrong wrong", f"Basic {KEY}", KEY])
async def test_another_key_opens_nothing(key: str | None) -> None:
    async with site(app_with(router())) as one:
        headers = {} if key is None else {"Authorization": key}
        answers = [await one.http.request(method, path, headers=headers) for method, path in ROUTES]
    assert [(answer.status_code, answer.headers["www-authenticate"]) for answer in answers] == [
        (401, "Bearer")
    ] * len(ROUTES)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(SecretError, match="16 are the least"):
        cable_router(api_key="short")


def test_two_locks_are_refused() -> None:
    with pytest.raises(CableConfigurationError, match="two locks"):
        cable_router(api_key=KEY, api_guard=lambda: None)


async def test_a_dependency_of_the_app_may_be_the_lock() -> None:
    async def only_staff(x_staff: str = Header("")) -> None:
        if x_staff != "yes":
            raise HTTPException(403, "staff only")

    async with served(api_key=None, api_guard=only_staff) as one:
        assert (await one.http.get("/cable/api/stats")).status_code == 403
        assert (await one.http.get("/cable/api/stats", headers={"X-Staff": "yes"})).status_code == 200


async def test_a_broadcast_reaches_every_client() -> None:
    async with served() as one, one.client(subprotocol=None) as client:
        answer = await one.http.post("/cable/api/broadcast", json={"message": {"hello": "all"}})
        assert (answer.status_code, answer.json()) == (200, {"status": "broadcast initiated"})
        received = await client.next()
    assert (received["message_type"], received["data"]) == ("broadcast", {"hello": "all"})


async def test_rooms_are_made_listed_and_told() -> None:
    async with served() as one, one.client(subprotocol=None) as client:
        room = {"id": "lobby", "name": "The lobby", "max_clients": 5}
        assert (await one.http.post("/cable/api/rooms", json=room)).status_code == 201
        assert (await one.http.post("/cable/api/rooms", json=room)).status_code == 409
        assert (await request(client, "join_room", room_id="lobby"))["message_type"] == "room_joined"
        rooms = (await one.http.get("/cable/api/rooms")).json()
        assert rooms == [{"id": "lobby", "name": "The lobby", "member_count": 1, "max_clients": 5}]
        told = await one.http.post("/cable/api/broadcast/room", json={"room_id": "lobby", "message": 1})
        assert (told.status_code, told.json()) == (200, {"status": "ok"})
        assert (await client.next())["data"] == 1
        lost = await one.http.post("/cable/api/broadcast/room", json={"room_id": "none", "message": 1})
        assert lost.status_code == 404


async def test_figures_and_clients_are_those_of_all_nodes() -> None:
    broker = MemoryBroker()
    async with (
        served(bus=MemoryBackend(broker)) as one,
        served(bus=MemoryBackend(broker)) as other,
        one.client("/cable?client_id=ada"),
        other.client("/cable?client_id=bob"),
    ):
        stats = (await one.http.get("/cable/api/stats")).json()
        assert (stats["client_count"], stats["connections"], len(stats["nodes"])) == (2, 1, 2)
        clients = (await other.http.get("/cable/api/clients")).json()
        assert clients["total_clients"] == 2
        assert [each["id"] for each in clients["clients"]] == ["guest:ada", "guest:bob"]
        page = (await other.http.get("/cable/api/clients?limit=1&after=guest:ada")).json()
        assert [each["id"] for each in page["clients"]] == ["guest:bob"]


async def test_who_is_present_on_a_stream_is_told() -> None:
    async with served() as one, one.client(subprotocol="actioncable-v1-ext-json") as client:
        identifier = await client.subscribed("Room", room=7)
        await client.send({"command": "join", "identifier": identifier, "presence": {"id": "x"}})
        assert (await client.next())["type"] == "presence"
        answer = await one.http.get("/cable/api/presence/room:7/users")
    assert answer.json() == {
        "type": "info",
        "total": 1,
        "records": [{"id": "user-7", "info": {"name": "Ada"}}],
    }


async def test_a_publication_reaches_subscribers_and_not_the_excluded_socket() -> None:
    async with (
        served() as one,
        one.client() as listener,
        one.client(subprotocol="actioncable-v1-ext-json") as sender,
    ):
        await listener.subscribed("Room", room=1)
        await sender.subscribed("Room", room=1)
        batch = [
            {"stream": "room:1", "data": '{"n":1}', "meta": {"exclude_socket": sender.welcome["sid"]}},
            {"stream": "room:1", "data": '"second"', "unknown": True},
        ]
        for body, count in ((batch[0], 1), (batch, 2)):
            assert (await one.http.post("/cable/_broadcast", json=body)).status_code == 201
            for _ in range(count):
                assert (await listener.next())["message"] in ({"n": 1}, "second")
        assert (await sender.next())["message"] == "second"


async def test_a_remote_disconnect_ends_the_connections_of_an_identity() -> None:
    async with served(authenticate=lambda: 26) as one, one.client() as client:
        payload = {"identifier": json.dumps({"user_id": 26}), "reconnect": False}
        answer = await one.http.post("/cable/_broadcast", json={"command": "disconnect", "payload": payload})
        assert answer.status_code == 201
        assert await client.next() == {"type": "disconnect", "reason": "remote", "reconnect": False}


async def test_publishers_derive_their_key_from_the_apps_secret() -> None:
    body = {"stream": "room:1", "data": "1"}
    async with served(api_key=None, secret=SECRET) as one:
        for path, label in (("/cable/_broadcast", "broadcast-cable"), ("/cable/api/publish", "api-cable")):
            headers = {"Authorization": f"Bearer {derived_key(SECRET, label)}"}
            assert (await one.http.post(path, json=body, headers=headers)).status_code == 201
            other = "/cable/api/publish" if path == "/cable/_broadcast" else "/cable/_broadcast"
            assert (await one.http.post(other, json=body, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]x",
        b'{"stream":"s"}',
        b'{"stream":"","data":"1"}',
        b'{"stream":"s","data":"{"}',
        b'{"stream":"s","data":{"a":1}}',
        b'{"stream":7,"data":"1"}',
        b'{"stream":"lineside!nodes","data":"1"}',
        b'{"stream":"\\ud800","data":"1"}',
        b'{"stream":"s","data":"NaN"}',
        b'{"stream":"s","data":"1","data":"2"}',
        b'{"command":"destroy","payload":{"identifier":"{}"}}',
        b'{"command":"disconnect","payload":{"identifier":"{}"}}',
        b'{"command":"disconnect","payload":{"identifier":"7"}}',
        b'[{"stream":"s","data":"1"},{"stream":"s"}]',
        b"[" * 2_000,
        b"\xff\xfe",
        json.dumps([{"stream": "s", "data": "1"}] * 1_001).encode(),
        json.dumps({"stream": "s" * 300, "data": "1"}).encode(),
        json.dumps({"stream": "s", "data": "[" * 100 + "]" * 100}).encode(),
    ],
)
async def test_a_malformed_publication_is_answered_422(body: bytes) -> None:
    async with served() as one:
        answer = await one.http.post(
            "/cable/_broadcast", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("broadcast", b"{}"),
        ("broadcast", b'{"message":NaN}'),
        ("broadcast", b'{"message":1e999}'),
        ("broadcast", b'{"message":"x","type":""}'),
        ("broadcast", b'{"message":"x","surplus":1}'),
        ("broadcast/room", b'{"room_id":1,"message":1}'),
        ("broadcast/room", b'{"message":1}'),
        ("rooms", b"{}"),
        ("rooms", b'{"id":""}'),
        ("rooms", b'{"id":"a","max_clients":-1}'),
        ("rooms", b'{"id":"a","max_clients":"5"}'),
        ("rooms", b'{"id":"' + b"x" * 256 + b'"}'),
        ("rooms", b'{"id":"a\\u0000"}'),
        ("rooms", b"[]"),
    ],
)
async def test_bad_input_is_answered_422(path: str, body: bytes) -> None:
    async with served() as one:
        answer = await one.http.post(
            f"/cable/api/{path}", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422


@pytest.mark.parametrize("stream", ["x" * 300, "lineside!nodes", "%FF%FE" * 100])
async def test_presence_of_what_cannot_be_a_stream_is_answered_422(stream: str) -> None:
    async with served() as one:
        assert (await one.http.get(f"/cable/api/presence/{stream}/users")).status_code == 422


async def test_a_body_that_is_too_large_is_answered_413() -> None:
    async with served() as one:
        for path in ("api/broadcast", "_broadcast"):
            answer = await one.http.post(f"/cable/{path}", json={"message": "x" * 1_100_000})
            assert answer.status_code == 413


async def test_a_bus_that_does_not_answer_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    cables = router()

    async def unavailable(*_: Any, **__: Any) -> None:
        raise BusUnavailable("the bus does not answer")

    async with site(app_with(cables)) as one:
        monkeypatch.setattr(cables.cable.bus, "publish", unavailable)
        answer = await one.http.post("/cable/_broadcast", json={"stream": "s", "data": "1"}, headers=HEADERS)
        monkeypatch.undo()
    assert answer.status_code == 503


async def test_the_api_is_in_the_openapi_document_with_its_lock() -> None:
    document = app_with(router()).openapi()
    for method, path in ROUTES:
        if "presence" not in path:
            assert document["paths"][path][method.lower()]["security"] == [{"cable": []}]
    assert "201" in document["paths"]["/cable/api/rooms"]["post"]["responses"]
