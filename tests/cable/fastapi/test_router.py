"""One line gives an app a cable: the socket, its place, its life, and two of them beside each other."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from lineside.application import Lineside
from lineside.cable import CableConfigurationError, Channel
from lineside.cable.fastapi import CableDep, cable_named, cable_router
from lineside.exceptions import ConfigurationError
from tests.cable.fastapi.apps import app_with, site

pytestmark = pytest.mark.anyio


class Chat(Channel):
    public = True

    async def subscribed(self, room: int) -> None:
        await self.stream_from(f"room:{room}")

    async def speak(self, text: str) -> None:
        await self.broadcast(f"room:{self.params['room']}", {"text": text})


async def test_a_client_subscribes_performs_and_receives() -> None:
    async with site(app_with(cable_router([Chat]))) as served, served.client() as client:
        identifier = await client.subscribed("Chat", room=1)
        await client.perform(identifier, "speak", text="hello")
        received = await client.next()
    assert (received["identifier"], received["message"]) == (identifier, {"text": "hello"})


@pytest.mark.parametrize("path", ["/cable", "/cable/"])
async def test_the_socket_is_at_the_prefix_with_and_without_a_slash(path: str) -> None:
    async with site(app_with(cable_router([Chat]))) as served, served.client(path) as client:
        await client.subscribed("Chat", room=1)


async def test_a_client_that_asks_for_no_protocol_speaks_gohubs() -> None:
    async with site(app_with(cable_router())) as served, served.client(subprotocol=None) as client:
        await client.send({"message_id": 7, "message_type": "ping", "data": {"ts": 1}})
        assert (await client.next())["request_id"] == 7


async def test_a_plain_request_to_the_socket_is_told_to_upgrade() -> None:
    async with site(app_with(cable_router())) as served:
        answer = await served.http.get("/cable")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


async def test_handlers_broadcast_with_the_apps_cable() -> None:
    app = app_with(cable_router([Chat]))

    @app.post("/rooms/{room}")
    async def announce(room: int, cable: CableDep) -> None:
        await cable.broadcast(f"room:{room}", "from a handler")

    async with site(app) as served, served.client() as client:
        await client.subscribed("Chat", room=4)
        assert (await served.http.post("/rooms/4")).status_code == 200
        assert (await client.next())["message"] == "from a handler"


async def test_two_cables_of_one_app_are_told_apart_by_name() -> None:
    app = app_with(cable_router([Chat]))
    app.include_router(cable_router([Chat], name="staff"), prefix="/staff")

    @app.post("/say/{where}")
    async def say(where: str, cable: CableDep, staff: Annotated[Any, Depends(cable_named("staff"))]) -> None:
        await (staff if where == "staff" else cable).broadcast("room:1", where)

    async with (
        site(app) as served,
        served.client() as client,
        served.client("/staff") as member,
    ):
        await client.subscribed("Chat", room=1)
        await member.subscribed("Chat", room=1)
        for where in ("staff", "all"):
            await served.http.post(f"/say/{where}")
        assert (await member.next())["message"] == "staff"
        assert (await client.next())["message"] == "all"


def test_two_cables_of_one_name_are_refused_when_the_app_starts() -> None:
    app = app_with(cable_router([Chat]))
    app.include_router(cable_router([Chat]), prefix="/other")
    with pytest.raises(CableConfigurationError, match="name of its own"), TestClient(app):
        pass


def test_a_router_that_is_included_twice_is_refused_when_the_app_starts() -> None:
    router = cable_router([Chat])
    app = app_with(router)
    app.include_router(router, prefix="/again")
    with pytest.raises(CableConfigurationError, match="included 2 times"), TestClient(app):
        pass


def test_an_app_starts_again_after_it_has_stopped() -> None:
    app = app_with(cable_router([Chat]))
    for _ in range(2):
        with TestClient(app) as client, client.websocket_connect("/cable", ["actioncable-v1-json"]) as socket:
            assert socket.receive_json() == {"type": "welcome"}


def test_an_app_that_was_not_started_says_how_to_start_it() -> None:
    app = app_with(cable_router([Chat]))

    @app.get("/")
    async def index(cable: CableDep) -> None:
        """Need a cable."""

    with pytest.raises(ConfigurationError, match="with TestClient"):
        TestClient(app).get("/")
    assert TestClient(app).get("/cable/health").status_code == 503


def test_a_socket_of_an_app_that_was_not_started_says_so_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """As one that is mounted in another app; the client is only told to come back."""
    with pytest.raises(WebSocketDenialResponse) as refused:
        TestClient(app_with(cable_router([Chat]))).websocket_connect("/cable").__enter__()
    assert refused.value.status_code == 503
    assert "start the lifespan" in caplog.text


def test_a_stream_named_where_no_stream_can_be_is_refused_with_what_is_missing() -> None:
    """Without ``public_streams`` and ``signed_streams`` there is no channel that listens to it."""
    with TestClient(app_with(cable_router([Chat]))) as http:
        answer = http.get("/cable/events", params={"stream": "news"})
    assert "public_streams" in answer.json()["detail"]


async def test_dependencies_of_the_including_router_guard_the_socket_too() -> None:
    async def only_with_key(tenant: str, connection: WebSocket, key: str = "") -> None:
        if (tenant, key) != ("acme", "secret"):
            raise HTTPException(403, "no key")

    outer = APIRouter(prefix="/tenants/{tenant}")
    outer.include_router(cable_router([Chat]), prefix="/cable", dependencies=[Depends(only_with_key)])
    app = FastAPI()
    app.include_router(outer)
    async with site(app) as served:
        assert (await served.refusal("/tenants/acme/cable"))[0] == 403
        assert (await served.refusal("/tenants/other/cable?key=secret"))[0] == 403
        async with served.client("/tenants/acme/cable?key=secret") as client:
            await client.subscribed("Chat", room=1)


async def test_it_works_beside_everything_else_of_ours() -> None:
    app = app_with(cable_router([Chat]))
    Lineside(app, {"metrics": {"path": "/metrics"}})
    async with site(app) as served, served.client() as client:
        await client.subscribed("Chat", room=1)
        assert (await served.http.get("/cable/health")).headers["x-request-id"]
        assert (await served.refusal(origin="https://evil.example"))[0] == 403


async def test_a_client_that_connects_again_may_end_its_earlier_connection() -> None:
    router = cable_router([Chat], replace_sessions=True, authenticate=lambda: "ada")
    async with site(app_with(router)) as served, served.client() as earlier, served.client():
        assert (await earlier.next())["type"] == "disconnect"


async def test_health_tells_whether_the_node_takes_connections() -> None:
    router = cable_router([Chat])
    async with site(app_with(router)) as served, served.client():
        answer = await served.http.get("/cable/health")
        assert answer.status_code == 200
        assert answer.json().items() >= {"status": "ok", "bus": "ok", "connections": 1}.items()
        assert (await served.http.head("/cable/health")).status_code == 200
        router.cable.accepting = False
        answer = await served.http.get("/cable/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")


def test_several_workers_on_a_bus_in_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESIDE_WORKERS", "2")
    with pytest.raises(ConfigurationError, match="LINESIDE_WORKERS"), TestClient(app_with(cable_router())):
        pass


def test_the_routes_over_http_are_in_the_openapi_document() -> None:
    paths = app_with(cable_router()).openapi()["paths"]
    assert "/cable/health" in paths
    assert "text/event-stream" in paths["/cable/events"]["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize("more", [{}, {"secret": "an example secret of 32 bytes or more"}])
def test_one_channel_in_the_place_of_a_list_is_refused_by_name(more: dict[str, Any]) -> None:
    class Alone(Channel):
        public = True

    with pytest.raises(CableConfigurationError, match="write a list of channels"):
        cable_router(Alone, **more)  # type: ignore[arg-type]
