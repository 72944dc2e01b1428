"""A client in memory, over an app and straight on a cable."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header
from pydantic import BaseModel

from lineside.cable import Cable, CableLimits, Channel, ChannelRegistry, Identity, RequestFailed
from lineside.cable.asgi import CableEndpoint
from lineside.cable.codecs import Failure
from lineside.cable.fastapi import cable_router
from lineside.exceptions import ConfigurationError
from lineside.testing import CableClient, ConnectionRejected, TestApp, running

pytestmark = pytest.mark.anyio

PROTOCOLS = ["gohub", "gohub-v1-json", "actioncable-v1-json", "actioncable-v1-ext-json"]


@dataclass
class User:
    id: str


class ChatChannel(Channel):
    left: list[int] = []

    async def subscribed(self, room: int) -> None:
        if room < 0:
            self.reject("no such room")
            return
        self.allow("everybody")
        self.transmit({"room": room})
        await self.stream_from(f"room:{room}", whisper=True, presence=True)

    async def unsubscribed(self) -> None:
        self.left.append(self.params["room"])

    async def speak(self, text: str) -> dict[str, int]:
        await self.broadcast(f"room:{self.params['room']}", {"text": text})
        return {"length": len(text)}

    async def forbid(self) -> None:
        raise RequestFailed(2001, "not here")


def cable() -> Cable:
    return Cable(ChannelRegistry([ChatChannel]))


def app(**options: Any) -> FastAPI:
    made = FastAPI()
    made.include_router(cable_router([ChatChannel], **options), prefix="/cable")
    return made


@pytest.fixture(params=["app", "cable"])
def target(request: pytest.FixtureRequest) -> Any:
    ChatChannel.left.clear()
    return app() if request.param == "app" else cable()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_client_subscribes_performs_and_receives(target: Any, protocol: str) -> None:
    async with CableClient(target, protocol=protocol) as client:
        chat = await client.subscribe("ChatChannel", room=1)
        assert chat.confirmed
        assert not chat.rejected
        assert await chat.receive() == {"room": 1}
        await chat.perform("speak", text="Hello")
        assert await chat.receive() == {"text": "Hello"}
        await chat.assert_no_messages()
        assert chat.messages == [{"room": 1}, {"text": "Hello"}]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_rejected_subscription_says_so(target: Any, protocol: str) -> None:
    async with CableClient(target, protocol=protocol) as client:
        chat = await client.subscribe("ChatChannel", room=-1)
        chat.assert_rejected()
        with pytest.raises(AssertionError, match="ChatChannel has rejected"):
            await chat.perform("speak", text="Hello")
        with pytest.raises(AssertionError, match="ChatChannel has rejected"):
            chat.assert_confirmed()


async def test_an_answered_rejection_has_its_reason_and_code(target: Any) -> None:
    async with CableClient(target) as client:
        chat = await client.subscribe("ChatChannel", room=-1)
        chat.assert_rejected("no such room")
        assert (chat.reason, chat.code) == ("no such room", 2001)
        with pytest.raises(AssertionError, match="expected the rejection to say 'full', got 'no such room'"):
            chat.assert_rejected("full")


async def test_the_arguments_are_validated(target: Any) -> None:
    async with CableClient(target) as client:
        assert (await client.subscribe("ChatChannel", room="one")).rejected
        chat = await client.subscribe("ChatChannel", room=1)
        with pytest.raises(RequestFailed, match="text"):
            await chat.perform("speak")


async def test_an_action_answers_and_its_failure_is_raised(target: Any) -> None:
    async with CableClient(target) as client:
        chat = await client.subscribe("ChatChannel", room=1)
        assert await chat.perform("speak", text="Hello") == {"length": 5}
        with pytest.raises(RequestFailed, match="not here") as failed:
            await chat.perform("forbid")
        assert failed.value.code == 2001


async def test_clients_of_one_app_talk_with_each_other(target: Any) -> None:
    async with CableClient(target) as ada, CableClient(target) as bob:
        hers, his = await ada.subscribe("ChatChannel", room=1), await bob.subscribe("ChatChannel", room=1)
        await hers.perform("speak", text="Hello")
        assert [await his.receive(), await his.receive()] == [{"room": 1}, {"text": "Hello"}]
        await hers.whisper({"typing": True})
        assert await his.receive() == {"typing": True}
        await his.assert_no_messages()


async def test_parameters_may_be_called_as_an_argument_is(target: Any) -> None:
    async with CableClient(target) as client:
        chat = await client.subscribe("ChatChannel", {"room": 1, "since": 0, "presence": 3})
        assert '"since":0' in chat.assert_confirmed().identifier
        assert chat.history is None


async def test_history_comes_before_what_is_live(target: Any) -> None:
    async with CableClient(target) as ada, CableClient(target) as bob:
        await (await ada.subscribe("ChatChannel", room=1)).perform("speak", text="Hello")
        his = await bob.subscribe("ChatChannel", room=1, since=0)
        assert his.history is True
        assert his.messages == [{"room": 1}, {"text": "Hello"}]


async def test_presence_is_joined_told_and_left(target: Any) -> None:
    async with CableClient(target) as ada:
        hers = await ada.subscribe("ChatChannel", room=1, presence=True)
        async with CableClient(target) as bob:
            his = await bob.subscribe("ChatChannel", room=1, presence=True)
            bobs = bob.connection.client_id
            assert set(await hers.present()) == {ada.connection.client_id, bobs}
            await his.unsubscribe()
        await ada.settle()
        assert hers.presence_changes[-2:] == [("join", bobs), ("leave", bobs)]


async def test_presence_that_the_channel_does_not_allow_is_an_error() -> None:
    class Alone(Channel):
        public = True

    async with CableClient(Cable(ChannelRegistry([Alone]))) as client:
        with pytest.raises(AssertionError, match="Alone does not tell who is present"):
            await client.subscribe("Alone", presence=True)


async def test_unsubscribing_ends_the_subscription(target: Any) -> None:
    async with CableClient(target) as client:
        chat = await client.subscribe("ChatChannel", room=1)
        await chat.unsubscribe()
        assert ChatChannel.left == [1]
        with pytest.raises(AssertionError, match=r"not subscribed to .* any more"):
            await chat.perform("speak", text="Hello")


async def test_hanging_up_runs_unsubscribed_before_the_block_ends(target: Any) -> None:
    async with running(target):
        async with CableClient(target) as client:
            await client.subscribe("ChatChannel", room=7)
        assert ChatChannel.left == [7]


async def test_what_does_not_come_is_an_error_with_what_came_instead(target: Any) -> None:
    async with CableClient(target, deadline_seconds=0.05) as client:
        chat = await client.subscribe("ChatChannel", room=1)
        await chat.receive()
        with pytest.raises(
            AssertionError, match=r"expected a message of ChatChannel, and waited 0\.05 s"
        ) as fail:
            await chat.receive()
        assert "{'room': 1}" in str(fail.value)


async def test_a_message_too_many_is_an_error(target: Any) -> None:
    async with CableClient(target) as client:
        chat = await client.subscribe("ChatChannel", room=1)
        with pytest.raises(
            AssertionError, match=r"expected no message of ChatChannel, got \[\{'room': 1\}\]"
        ):
            await chat.assert_no_messages()


async def test_the_servers_goodbye_ends_the_client(target: Any) -> None:
    async with CableClient(target) as client:
        chat = await client.subscribe("ChatChannel", room=1)
        await chat.receive()
        connection = client.connection
        await connection.cable.disconnect({"client_id": connection.client_id}, reconnect=False)
        assert await client.wait_closed() == 1000
        assert client.disconnection is not None
        assert (client.disconnection.reason, client.disconnection.reconnect) == ("remote", False)
        with pytest.raises(AssertionError, match="the connection was closed with 1000 'remote'"):
            await chat.receive()


async def test_typed_messages_are_answered(target: Any) -> None:
    class Echo(BaseModel):
        text: str

    async def echo(message: Echo) -> Echo:
        return message

    async with CableClient(target, protocol="gohub") as client:
        client.connection.cable.on("echo", echo, reply="echoed")
        assert await client.request("echo", text="Hello") == {"text": "Hello"}
        with pytest.raises(RequestFailed):
            await client.request("echo")
        with pytest.raises(RequestFailed):
            await client.request("shout", text="Hello")


async def test_direct_messages_are_received(target: Any) -> None:
    async with CableClient(target) as client:
        own = client.connection
        await own.cable.send_to(own.client_id, {"n": 1}, type="first")
        await own.cable.send_to(own.client_id, {"n": 2})
        assert await client.receive("direct_message") is not None
        assert [message.type for message in client.messages] == ["first", "direct_message"]


@pytest.mark.parametrize("wish", [{"since": 0}, {"presence": True}])
async def test_what_a_protocol_lacks_is_refused_in_the_test(target: Any, wish: dict[str, Any]) -> None:
    async with CableClient(target, protocol="actioncable-v1-json") as client:
        with pytest.raises(ConfigurationError, match="actioncable-v1-json has no"):
            await client.subscribe("ChatChannel", room=1, **wish)
        with pytest.raises(ConfigurationError, match="has no Request"):
            await client.request("echo")


async def test_an_unknown_protocol_lists_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="actioncable-v1-ext-json"):
        CableClient(app(), protocol="mqtt")


async def test_a_client_is_used_once_and_connected_first(target: Any) -> None:
    client = CableClient(target)
    with pytest.raises(ConfigurationError, match="not connected"):
        await client.subscribe("ChatChannel", room=1)
    async with client:
        pass
    with pytest.raises(ConfigurationError, match="make another one"):
        await client.connect()


async def test_straight_on_a_cable_the_test_says_who_connects() -> None:
    target = cable()
    async with CableClient(target, identity=Identity(id="ada", user=User("ada"))) as client:
        assert client.connection.identity.user == User("ada")
        assert client.connection.client_id == "ada"


async def test_a_client_that_is_one_too_many_is_rejected() -> None:
    ada = Identity(id="ada")
    target = Cable(ChannelRegistry([ChatChannel]), limits=CableLimits(connections_per_identity=1))
    async with CableClient(target, identity=ada):
        with pytest.raises(ConnectionRejected, match="too_many_connections") as rejected:
            await CableClient(target, identity=ada).connect()
    assert (rejected.value.status, rejected.value.code) == (None, 4429)


async def test_over_an_app_only_the_app_says_who_connects() -> None:
    with pytest.raises(ConfigurationError, match="dependency_overrides"):
        CableClient(app(), identity=Identity(id="ada"))


async def by_cookie(session: Annotated[str | None, Cookie()] = None) -> User | None:
    return None if session is None else User(session)


async def test_the_apps_own_authentication_decides() -> None:
    made = app(authenticate=by_cookie)
    async with CableClient(made, cookies={"session": "ada"}) as client:
        assert client.connection.identity.user == User("ada")
    with pytest.raises(ConnectionRejected) as rejected:
        await CableClient(made).connect()
    assert (rejected.value.status, rejected.value.code) == (401, 4401)


async def test_dependency_overrides_count_for_each_client() -> None:
    async def by_header(x_user: Annotated[str, Header()]) -> User:
        return User(x_user)

    made = app(authenticate=by_cookie)
    made.dependency_overrides[by_cookie] = by_header
    async with (
        CableClient(made, headers={"X-User": "ada"}) as ada,
        CableClient(made, headers={"X-User": "bob"}) as bob,
    ):
        assert [each.connection.client_id for each in (ada, bob)] == ["ada", "bob"]


async def test_dependencies_of_channels_are_resolved() -> None:
    async def get_greeting() -> str:
        return "Hello"

    class Greeter(Channel):
        greeting: Annotated[str, Depends(get_greeting)]
        public = True

        async def subscribed(self) -> None:
            self.transmit(self.greeting)

    made = FastAPI()
    made.include_router(cable_router([Greeter]), prefix="/cable")
    async with CableClient(made) as client:
        assert await (await client.subscribe("Greeter")).receive() == "Hello"


async def test_a_wrong_path_is_a_rejection_that_names_it() -> None:
    with pytest.raises(ConnectionRejected, match="no cable at /nowhere"):
        await CableClient(app(), path="/nowhere").connect()


async def test_the_lifespan_runs_once_for_all_clients() -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        happened.append("started")
        yield {"greeting": "Hello"}
        happened.append("stopped")

    made = FastAPI(lifespan=lifespan)
    made.include_router(cable_router([ChatChannel]), prefix="/cable")
    async with running(made) as state:
        assert state["greeting"] == "Hello"
        for _ in range(2):
            async with CableClient(made), CableClient(made):
                pass
    assert happened == ["started", "stopped"]


async def test_an_app_that_cannot_start_says_why() -> None:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        raise ZeroDivisionError("no database")
        yield

    with pytest.raises(ZeroDivisionError, match="no database"):
        await CableClient(FastAPI(lifespan=lifespan)).connect()


async def test_what_the_app_raises_is_raised_in_the_test() -> None:
    router = APIRouter()

    @router.websocket("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("a fault")

    made = app()
    made.include_router(router)
    with pytest.raises(ZeroDivisionError, match="a fault"):
        await CableClient(made, path="/broken").connect()


async def test_what_the_app_raises_later_is_named_and_raised_at_the_end() -> None:
    async def broken(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": '{"type": "welcome"}'})
        await receive()
        raise ZeroDivisionError("a fault")

    client = await CableClient(_without_lifespan(broken), protocol="actioncable-v1-json").connect()
    with pytest.raises(AssertionError, match=r"closed with 1011 .*a fault"):
        await client.subscribe("ChatChannel", room=1)
    with pytest.raises(ZeroDivisionError, match="a fault"):
        await client.close()


async def test_an_app_without_a_lifespan_is_connected_to_all_the_same() -> None:
    async def admit(_scope: Any) -> Identity:
        return Identity(id="ada")

    own = cable()
    async with running(own), CableClient(CableEndpoint(own, admit), path="/") as client:
        chat = await client.subscribe("ChatChannel", room=1)
        assert await chat.receive() == {"room": 1}
        assert client.connection.client_id == "ada"


async def test_an_app_that_refuses_to_start_is_an_error() -> None:
    async def refusing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": ""})

    with pytest.raises(ConfigurationError, match=r"lifespan\.startup\.failed"):
        await CableClient(refusing).connect()


async def test_an_app_that_never_answers_the_handshake_is_an_error() -> None:
    async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match=r"did not answer the handshake in 0\.05 s"):
        await CableClient(_without_lifespan(silent), deadline_seconds=0.05).connect()


def _without_lifespan(app: Any) -> Any:
    async def only_sockets(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await app(scope, receive, send)

    return only_sockets


async def test_a_broken_frame_can_be_sent(target: Any) -> None:
    async with CableClient(target) as client:
        await client.send("{")
        await client.settle()
        assert any(isinstance(event, Failure) for event in client.events)


async def test_a_cable_that_runs_already_is_left_running(target: Any) -> None:
    if isinstance(target, FastAPI):
        async with target.router.lifespan_context(target):
            async with CableClient(target) as client:
                cable = client.connection.cable
            assert cable.accepting
        return
    await target.start()
    async with CableClient(target):
        pass
    assert target.accepting
    await target.stop()


def test_a_started_test_app_runs_clients_on_its_own_loop() -> None:
    made = app()

    async def chat() -> Any:
        async with CableClient(made) as client:
            return await (await client.subscribe("ChatChannel", room=1)).receive()

    with TestApp(made) as started:
        assert started.run(chat) == {"room": 1}
