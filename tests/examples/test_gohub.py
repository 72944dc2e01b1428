"""What the README of examples/gohub says, over real sockets and HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import websockets

from examples.gohub.app import create_app
from lineside import __version__
from tests.cable.fastapi.apps import Client, Site, site

pytestmark = pytest.mark.anyio

KEY = "a key of the tests, long enough"
HEADERS = {"Authorization": f"Bearer {KEY}"}
SECRET = "a secret of the tests, of 32 bytes or more"


@pytest.fixture
async def hub() -> AsyncIterator[Site]:
    """Serve the example."""
    async with site(create_app(SECRET, api_key=KEY)) as served:
        yield served


async def token(hub: Site, user_id: str, role: str = "member") -> str:
    """Log in."""
    answer = await hub.http.post("/login", json={"user_id": user_id, "role": role})
    found: str = answer.json()["token"]
    return found


@asynccontextmanager
async def connected(hub: Site, *users: str) -> AsyncIterator[list[Client]]:
    """Connect users, each with a token of their own."""
    async with AsyncExitStack() as stack:
        clients = []
        for user in users:
            headers = {"Authorization": f"Bearer {await token(hub, user)}"}
            clients.append(
                await stack.enter_async_context(hub.client("/ws", subprotocol=None, headers=headers))
            )
        yield clients


async def ask(client: Client, message_type: str, message_id: int = 1, **data: Any) -> Any:
    """Send a request, and return the answer's type and data."""
    await client.send({"message_id": message_id, "message_type": message_type, "data": data})
    answer = await client.next()
    assert answer["request_id"] == message_id
    return answer["message_type"], answer["data"]


async def test_members_of_a_room_hear_each_other(hub: Site) -> None:
    """Join, speak, leave; the sender is not told its own message."""
    async with connected(hub, "ada", "ben") as (ada, ben):
        joined = ("room_joined", {"room_id": "lobby", "status": "joined"})
        assert await ask(ada, "join_room", room_id="lobby") == joined
        assert await ask(ben, "join_room", room_id="lobby") == joined
        assert (await ask(ada, "room_message", room_id="lobby", content="hello"))[0] == "ack"
        heard = await ben.next()
        assert heard["message_type"] == "room_message"
        assert (heard["data"]["sender_id"], heard["data"]["content"]) == ("ada", "hello")
        assert await ask(ada, "leave_room", room_id="lobby") == (
            "room_left",
            {"room_id": "lobby", "status": "left"},
        )
        assert (await ask(ada, "room_message", room_id="lobby", content="still here?"))[1]["code"] == 3003


async def test_a_direct_message_arrives_or_is_refused(hub: Site) -> None:
    """To a client that is there, and to one that never was."""
    async with connected(hub, "ada", "ben") as (ada, ben):
        assert (await ask(ada, "direct_message", target_id="ben", content={"t": "hi"}))[0] == "ack"
        heard = await ben.next()
        assert (heard["message_type"], heard["data"]["content"]) == ("direct_message", {"t": "hi"})
        assert (await ask(ada, "direct_message", target_id="nobody", content="hi"))[1]["code"] == 4000


async def test_a_message_type_of_the_apps_own_is_answered(hub: Site) -> None:
    """With its answer, and with what is wrong with a bad payload."""
    async with connected(hub, "ada") as (ada,):
        assert await ask(ada, "uppercase", text="abc") == ("uppercased", {"text": "ABC"})
        kind, error = await ask(ada, "uppercase", message_id=7, text=1)
        assert (kind, error["code"], error["request_id"]) == ("error", 1001, 7)


async def test_a_guest_may_listen_and_nothing_more(hub: Site) -> None:
    """Without a token: joins and hears, and may not speak."""
    async with hub.client("/ws", subprotocol=None) as guest, connected(hub, "ada") as (ada,):
        assert (await ask(guest, "join_room", room_id="lobby"))[0] == "room_joined"
        assert (await ask(guest, "room_message", room_id="lobby", content="hi"))[1] == {
            "code": 2001,
            "message": "You don't have permission to send messages",
            "request_id": 1,
        }
        await ask(ada, "join_room", room_id="lobby")
        await ask(ada, "room_message", room_id="lobby", content="hello")
        assert (await guest.next())["data"]["content"] == "hello"


async def test_a_token_that_is_no_good_is_401_before_the_upgrade(hub: Site) -> None:
    """In GoHub's words."""
    status, body = await hub.refusal("/ws?token=nonsense", subprotocol=None)
    assert (status, body["detail"]) == (401, "Unauthorized: Invalid token")


async def test_the_http_api_sees_and_tells_everybody(hub: Site) -> None:
    """Rooms, clients, figures and messages, behind the key."""
    async with connected(hub, "ada") as (ada,):
        await ask(ada, "join_room", room_id="lobby")
        http = hub.http
        assert (await http.get("/ws/api/stats")).status_code == 401
        http.headers.update(HEADERS)
        stats = (await http.get("/ws/api/stats")).json()
        assert (stats["client_count"], stats["room_count"]) == (1, 1)
        made = await http.post("/ws/api/rooms", json={"id": "games", "name": "Games", "max_clients": 2})
        assert made.status_code == 201
        rooms = (await http.get("/ws/api/rooms")).json()
        assert [(room["id"], room["member_count"]) for room in rooms] == [("games", 0), ("lobby", 1)]
        assert [each["id"] for each in (await http.get("/ws/api/clients")).json()["clients"]] == ["ada"]
        await http.post("/ws/api/broadcast", json={"message": "to all"})
        assert (await ada.next())["data"] == "to all"
        await http.post("/ws/api/broadcast/room", json={"room_id": "lobby", "message": "to a room"})
        assert (await ada.next())["data"] == "to a room"
        await http.post("/announcements", params={"text": "from an endpoint"})
        heard = await ada.next()
        assert (heard["message_type"], heard["data"]) == ("announcement", {"text": "from an endpoint"})


async def test_without_a_key_there_is_no_http_api() -> None:
    """Nothing but the health is there."""
    async with site(create_app(SECRET)) as hub:
        assert (await hub.http.get("/ws/api/stats")).status_code == 404
        health = (await hub.http.get("/ws/health")).json()
        assert (health["status"], health["version"]) == ("ok", __version__)


async def test_a_ping_of_somebody_without_a_token_is_answered(hub: Site) -> None:
    """As the page says, frame by frame."""
    async with websockets.connect(f"ws://127.0.0.1:{hub.port}/ws") as socket:
        await socket.send('{"message_id": 1, "message_type": "ping", "data": {"ts": 1}}')
        answer = json.loads(await socket.recv())
        assert (answer["message_type"], answer["data"]["ts"], answer["request_id"]) == ("pong", 1, 1)
