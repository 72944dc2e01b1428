"""The ASGI endpoint under real uvicorn: who comes in, with which protocol, and what is answered."""

import asyncio
import json
import warnings
from contextlib import suppress
from typing import Any

import pytest
import websockets
from uvicorn.config import UvicornDeprecationWarning
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lineside.cable import Identity, InvalidToken, TooManyAttempts
from lineside.cable._protocol._frame_size import is_too_large
from lineside.cable._protocol._identity import GUEST
from lineside.cable.asgi import CableEndpoint, Refused
from tests.cable.server.cables import App, EchoCable, serving, until

pytestmark = pytest.mark.anyio

LEAN = "lineside.cable.uvicorn:LeanProtocol"
KINDS = ["websockets-sansio", "websockets", "wsproto", LEAN]


@pytest.fixture(params=KINDS)
def ws(request: pytest.FixtureRequest) -> Any:
    """Each of uvicorn's own classes that can be imported."""
    if request.param == "wsproto":
        pytest.importorskip("wsproto")
    with warnings.catch_warnings():
        # websockets says that its older protocol is going away.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UvicornDeprecationWarning)
        yield request.param


async def refusal(url: str, **options: Any) -> Any:
    """Return the HTTP answer to a connection that is not taken."""
    with pytest.raises(InvalidStatus) as raised:
        await websockets.connect(url, **options)
    return raised.value.response


async def everything(client: websockets.ClientConnection) -> list[str | bytes]:
    """Return what comes until the connection is closed."""
    heard: list[str | bytes] = []
    with suppress(ConnectionClosed):
        async for message in client:
            heard.append(message)
    return heard


async def test_a_client_is_welcomed_and_answered(ws: str) -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=ws) as served, websockets.connect(served.url + "/cable") as client:
        assert await client.recv() == "welcome plain None"
        await client.send("hello")
        assert await client.recv() == "hello"
        await client.send(b"\x00\x01")
        assert await client.recv() == b"\x00\x01"


async def test_a_client_that_leaves_ends_its_connection(ws: str) -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=ws) as served:
        async with websockets.connect(served.url + "/cable") as client:
            await client.recv()
        await asyncio.wait_for(cable.seen[0].ended.wait(), 5)
    assert not cable.connections


async def test_the_servers_goodbye_comes_behind_what_was_written(ws: str) -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=ws) as served, websockets.connect(served.url + "/cable") as client:
        await client.recv()
        await client.send("many")
        await client.send("bye")
        heard = await everything(client)
        assert heard == [*(str(number) for number in range(100)), "disconnect bye False"]
        assert (client.close_code, client.close_reason) == (4000, "bye")


@pytest.mark.parametrize(
    ("refused", "status", "headers"),
    [
        (Refused(403, "wrong origin"), 403, {}),
        (Refused(404, "nothing here"), 404, {}),
        (InvalidToken("forged"), 401, {"WWW-Authenticate": "Bearer"}),
        (TooManyAttempts(3.2), 429, {"Retry-After": "3"}),
    ],
)
async def test_who_is_not_let_in_gets_an_answer_before_the_upgrade(
    refused: Exception, status: int, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async def admit(scope: Any) -> Identity:
        raise refused

    cable = EchoCable()
    async with serving(App(cable, admit)) as served:
        answer = await refusal(served.url + "/cable")
    assert answer.status_code == status
    assert json.loads(answer.body)["detail"] == str(refused)
    assert "forged" not in answer.body.decode()
    assert {name: answer.headers[name] for name in headers} == headers
    assert not cable.seen
    assert "without completing handshake" not in caplog.text
    assert (cable.stats.auth_failures, cable.stats.auth_successes) == (1, 0)


async def test_a_server_without_http_answers_closes_with_the_code() -> None:
    async def admit(scope: Any) -> Identity:
        raise Refused(401, "no", close_code=4401)

    endpoint = CableEndpoint(EchoCable(), admit)  # type: ignore[arg-type]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await endpoint({"type": "websocket", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 4401, "reason": ""}]


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (["actioncable-v1-json", "actioncable-unsupported"], "actioncable-v1-json"),
        (["unheard-of", "gor-v1-json"], "gor-v1-json"),
        (["anycable-token.a.b.c", "actioncable-v1-json"], "actioncable-v1-json"),
    ],
)
async def test_the_first_known_subprotocol_is_agreed_on(offered: list[str], agreed: str) -> None:
    async with (
        serving(App(EchoCable())) as served,
        websockets.connect(served.url + "/cable", subprotocols=offered) as client,  # type: ignore[arg-type]
    ):
        assert client.subprotocol == agreed
        assert await client.recv() == f"welcome {agreed} None"


async def test_unknown_subprotocols_are_refused_with_the_known_ones() -> None:
    async with serving(App(EchoCable())) as served:
        answer = await refusal(served.url + "/cable", subprotocols=["graphql-ws"])
    assert answer.status_code == 400
    assert "actioncable-v1-json, gor-v1-json" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize(("query", "headers"), [("?sid=abc", {}), ("", {"X-ANYCABLE-RESTORE-SID": "abc"})])
async def test_a_session_to_restore_is_named_in_the_query_or_a_header(query: str, headers: Any) -> None:
    async with (
        serving(App(EchoCable())) as served,
        websockets.connect(served.url + "/cable" + query, additional_headers=headers) as client,
    ):
        assert await client.recv() == "welcome plain abc"


async def test_the_handshake_holds_no_secret_of_the_client() -> None:
    async def admit(scope: Any) -> Identity:
        assert any(value == b"Bearer s3cret" for _, value in scope["headers"])
        return GUEST

    cable = EchoCable()
    async with (
        serving(App(cable, admit)) as served,
        websockets.connect(
            served.url + "/cable?jid=s3cret&token=s3cret&room=a%20b&sid=s3cret",
            additional_headers={
                "Authorization": "Bearer s3cret",
                "Cookie": "session=s3cret",
                "X-Jid": "s3cret",
            },
            subprotocols=["anycable-token.s3cret", "gor-v1-json"],  # type: ignore[list-item]
        ) as client,
    ):
        await client.recv()
        scope = cable.seen[0].handshake.scope
        assert "s3cret" not in repr({name: value for name, value in scope.items() if name != "app"})
        assert scope["query_string"] == b"room=a+b"
        assert scope["app"] is not None


async def test_a_full_node_answers_503_and_takes_again_when_somebody_left() -> None:
    cable = EchoCable(connections=1)
    async with serving(App(cable)) as served:
        async with websockets.connect(served.url + "/cable"):
            answer = await refusal(served.url + "/cable")
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "2"
        assert cable.stats.connections_refused == {"full": 1}
        await until(lambda: not cable.connections)
        async with websockets.connect(served.url + "/cable") as client:
            assert await client.recv()


async def test_handshakes_under_way_count_as_connections() -> None:
    gate, entered = asyncio.Event(), asyncio.Event()

    async def admit(scope: Any) -> Identity:
        entered.set()
        await gate.wait()
        return GUEST

    async with serving(App(EchoCable(connections=1), admit)) as served:
        first = asyncio.create_task(_opened(served.url + "/cable"))
        await entered.wait()
        answer = await refusal(served.url + "/cable")
        assert answer.status_code == 503
        gate.set()
        assert await first == "welcome plain None"


async def _opened(url: str) -> Any:
    async with websockets.connect(url) as client:
        return await client.recv()


async def test_a_refused_connection_gives_its_seat_back() -> None:
    refusing = True

    async def admit(scope: Any) -> Identity:
        if refusing:
            raise Refused(403, "not now")
        return GUEST

    async with serving(App(EchoCable(connections=1), admit)) as served:
        for _ in range(3):
            assert (await refusal(served.url + "/cable")).status_code == 403
        refusing = False
        assert await _opened(served.url + "/cable") == "welcome plain None"


async def test_a_node_that_drains_answers_503() -> None:
    cable = EchoCable()
    cable.accepting = False
    async with serving(App(cable)) as served:
        answer = await refusal(served.url + "/cable")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


async def test_a_connection_whose_authentication_lasts_into_a_drain_is_not_taken() -> None:
    cable = EchoCable()

    async def admit(scope: Any) -> Identity:
        cable.accepting = False
        return GUEST

    async with serving(App(cable, admit)) as served:
        assert (await refusal(served.url + "/cable")).status_code == 503
    assert not cable.seen


async def test_an_authentication_that_takes_too_long_is_answered_503() -> None:
    async def admit(scope: Any) -> Identity:
        await asyncio.Event().wait()
        return GUEST

    async with serving(App(EchoCable(), admit, handshake_seconds=0.05)) as served:
        answer = await refusal(served.url + "/cable")
    assert answer.status_code == 503
    assert "too long" in json.loads(answer.body)["detail"]


async def test_a_frame_that_is_too_large_closes_with_1009(ws: str) -> None:
    cable = EchoCable(frame_bytes=1000)
    async with serving(App(cable), ws=ws) as served, websockets.connect(served.url + "/cable") as client:
        await client.recv()
        await client.send("x" * 1000)
        assert await client.recv() == "x" * 1000
        await client.send("é" * 501)
        assert await client.recv() == "disconnect message_too_large False"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1009
    assert cable.seen[0].received == ["x" * 1000]


@pytest.mark.parametrize(
    ("frame", "large"),
    [
        ("a" * 10, False),
        ("a" * 11, True),
        ("é" * 5, False),
        ("é" * 6, True),
        (b"a" * 11, True),
        ("\ud800" * 10, False),
    ],
)
def test_a_limit_counts_bytes(frame: str | bytes, large: bool) -> None:
    assert is_too_large(frame, 10) is large


async def test_messages_in_fragments_arrive_whole(ws: str) -> None:
    async with (
        serving(App(EchoCable()), ws=ws) as served,
        websockets.connect(served.url + "/cable") as client,
    ):
        await client.recv()
        await client.send(["frag", "ments", "é"])
        assert await client.recv() == "fragmentsé"


async def test_a_plain_request_is_asked_to_upgrade() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    endpoint = CableEndpoint(EchoCable(), lambda _: None)  # type: ignore[arg-type, return-value]
    await endpoint({"type": "http", "headers": []}, receive, send)
    assert sent[0]["status"] == 426
    assert (b"upgrade", b"websocket") in sent[0]["headers"]


async def test_commands_that_wait_hold_back_the_socket(ws: str) -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=ws) as served, websockets.connect(served.url + "/cable") as client:
        await client.recv()
        await client.send("wait")
        for number in range(50):
            await client.send(str(number))
        await until(lambda: cable.seen[0].received == ["wait"])
        cable.gate.set()
        assert [await client.recv() for _ in range(51)] == ["wait", *(str(number) for number in range(50))]
