"""What only the lean class for uvicorn has to show: its handshake, its frames, its way past the app."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
import websockets

from lineside.cable import Identity
from lineside.cable._protocol._identity import GUEST
from lineside.cable._server._eager import run_eagerly
from lineside.cable._server._keepalive import Keepalive
from lineside.cable._server._socket import CableSocket
from lineside.cable.asgi import Refused
from tests.cable.server.cables import App, EchoCable, serving, until
from tests.cable.server.test_endpoint import LEAN, everything, refusal
from tests.cable.server.test_frames import frame

pytestmark = pytest.mark.anyio

HANDSHAKE = {
    "Host": "127.0.0.1",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Raw:
    """A client that says what it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, path: str = "/cable", **changed: str | None) -> "Raw":
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        headers = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changed.items()}}
        lines = [
            f"GET {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items() if value is not None),
        ]
        client.writer.write("\r\n".join([*lines, "", ""]).encode())
        return client

    async def head(self) -> str:
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()

    async def rest(self) -> bytes:
        rest = await asyncio.wait_for(self.reader.read(), 10)
        await self.close()
        return rest

    async def welcome(self) -> None:
        await self.head()
        said = b"welcome plain None"
        assert (
            await asyncio.wait_for(self.reader.readexactly(len(said) + 2), 5)
            == bytes((0x81, len(said))) + said
        )

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def test_the_handshake_is_answered_as_the_rfc_says() -> None:
    async with serving(App(EchoCable()), ws=LEAN) as served:
        client = await Raw.connect(served.port)
        head = await client.head()
        await client.close()
    assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    # The example of RFC 6455 section 1.3.
    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert "permessage-deflate" not in head


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"Sec_WebSocket_Version": "12"}, 426, "Sec-WebSocket-Version: 13".lower()),
        ({"Sec_WebSocket_Version": None}, 426, "version 13"),
        ({"Sec_WebSocket_Key": None}, 400, "16 bytes"),
        ({"Sec_WebSocket_Key": "short"}, 400, "16 bytes"),
        ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==, x"}, 400, "16 bytes"),
    ],
)
async def test_a_handshake_that_is_none_is_refused(changed: Any, status: int, said: str) -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=LEAN) as served:
        answer = (await (await Raw.connect(served.port, **changed)).rest()).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert said in answer
    assert not cable.seen


@pytest.mark.parametrize(
    ("refused", "status"), [(Refused(403, "wrong origin"), 403), (Refused(503, "full"), 503)]
)
async def test_refusals_are_http_answers(refused: Refused, status: int) -> None:
    async def admit(scope: Any) -> Identity:
        raise refused

    async with serving(App(EchoCable(), admit), ws=LEAN) as served:
        answer = await refusal(served.url + "/cable")
    assert answer.status_code == status
    assert json.loads(answer.body)["detail"] == str(refused)


async def test_an_authentication_that_fails_is_logged_and_answered_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def admit(scope: Any) -> Identity:
        raise ValueError("s3cret")

    cable = EchoCable(connections=1)
    async with serving(App(cable, admit), ws=LEAN) as served:
        for _ in range(2):
            answer = await refusal(served.url + "/cable?token=hidden")
            assert answer.status_code == 500
            assert b"s3cret" not in answer.body
    assert "the authentication of b'/cable' failed" in caplog.text
    assert "hidden" not in caplog.text


async def test_the_scope_is_the_one_that_uvicorn_makes() -> None:
    scopes: list[Any] = []

    async def admit(scope: Any) -> Identity:
        scopes.append(dict(scope))
        return GUEST

    for ws in ("websockets-sansio", LEAN):
        async with (
            serving(App(EchoCable(), admit), ws=ws) as served,
            websockets.connect(
                served.url + "/cable?a=%20b",
                subprotocols=["gor-v1-json", "other"],  # type: ignore[list-item]
                additional_headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"},
            ) as client,
        ):
            await client.recv()
    stock, lean = scopes
    for changing in ("headers", "server", "client", "app", "state", "extensions"):
        theirs, ours = stock.pop(changing), lean.pop(changing)
        if changing == "headers":
            assert [name for name, _ in theirs] == [name for name, _ in ours]
        elif changing == "client":
            assert theirs[0] == ours[0] == "203.0.113.7"
    assert lean == stock
    assert lean["scheme"] == "wss"


async def test_the_app_is_not_called_for_a_cables_path() -> None:
    app = App(EchoCable())
    async with serving(app, ws=LEAN) as served, websockets.connect(served.url + "/cable") as client:
        await client.recv()
    assert not [scope for scope in app.scopes if scope["type"] == "websocket"]


async def test_other_paths_are_uvicorns_own() -> None:
    async with (
        serving(App(EchoCable()), ws=LEAN) as served,
        websockets.connect(served.url + "/plain") as client,
    ):
        for said in ("hello", "x" * 200_000):
            await client.send(said)
            assert await client.recv() == "plain " + said


async def test_an_idle_connection_holds_nothing_of_its_handshake() -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=LEAN) as served, websockets.connect(served.url + "/cable") as client:
        await client.recv()
        await until(lambda: not served.server.server_state.tasks)
        (held,) = served.server.server_state.connections
        assert isinstance(held, CableSocket)
        assert held._reader is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(3, b"x"), 1002),
        (b"\x81\x01a", 1002),
        (frame(1, b"\xff"), 1007),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_closed_with_its_code(said: bytes, code: int) -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=LEAN) as served:
        client = await Raw.connect(served.port)
        await client.welcome()
        client.writer.write(said + frame(1, b"late"))
        rest = await client.rest()
        await asyncio.wait_for(cable.seen[0].ended.wait(), 5)
        await client.close()
    assert rest[:1] == b"\x88"
    assert int.from_bytes(rest[2:4], "big") == code
    assert cable.seen[0].received == []


async def test_pings_are_answered_and_a_close_is_echoed() -> None:
    async with serving(App(EchoCable()), ws=LEAN) as served:
        client = await Raw.connect(served.port)
        await client.welcome()
        client.writer.write(frame(9, b"abc") + frame(1, b"hello") + frame(8, b"\x0f\xa0") + frame(1, b"late"))
        assert await client.rest() == b"\x8a\x03abc" + b"\x88\x02\x0f\xa0"
        await client.close()


async def test_frames_that_come_before_the_answer_wait_for_it() -> None:
    gate = asyncio.Event()

    async def admit(scope: Any) -> Identity:
        await gate.wait()
        return GUEST

    cable = EchoCable()
    async with serving(App(cable, admit), ws=LEAN) as served:
        client = await Raw.connect(served.port)
        await until(lambda: served.server.server_state.tasks)
        client.writer.write(frame(1, b"early"))
        await client.writer.drain()
        gate.set()
        await client.welcome()
        await until(lambda: cable.seen[0].received == ["early"])
        await client.close()


async def test_a_client_that_leaves_during_the_handshake_gives_its_seat_back() -> None:
    gate = asyncio.Event()

    async def admit(scope: Any) -> Identity:
        await gate.wait()
        return GUEST

    cable = EchoCable(connections=1)
    async with serving(App(cable, admit), ws=LEAN) as served:
        client = await Raw.connect(served.port)
        await until(lambda: served.server.server_state.tasks)
        client.writer.transport.abort()
        await client.close()
        gate.set()
        await until(lambda: not served.server.server_state.tasks and not cable.connections)
        async with websockets.connect(served.url + "/cable") as again:
            assert await again.recv()


async def test_a_silent_peer_is_pinged_and_cut_when_it_does_not_answer() -> None:
    cable = EchoCable()
    async with serving(App(cable), ws=LEAN, ws_ping_interval=0.16) as served:
        client = await Raw.connect(served.port)
        await client.welcome()
        async with websockets.connect(served.url + "/cable") as living:
            await living.recv()
            assert await client.reader.readexactly(2) == b"\x89\x00"
            await asyncio.wait_for(cable.seen[0].ended.wait(), 10)
            await living.send("still here")
            assert await living.recv() == "still here"
        await client.close()


async def test_the_keepalives_timer_runs_only_while_there_is_somebody() -> None:
    class Somebody:
        def ask(self) -> None: ...

    keepalive, somebody = Keepalive(1), Somebody()
    place = keepalive.add(somebody)
    assert keepalive._timer is not None
    keepalive.remove(somebody, place)
    assert keepalive._timer is None


async def test_a_server_that_stops_closes_with_1012() -> None:
    cable = EchoCable()
    app = App(cable)
    async with serving(app, ws=LEAN) as served:
        client = await websockets.connect(served.url + "/cable", close_timeout=2).__aenter__()
        await client.recv()
    assert await everything(client) == []
    assert client.close_code == 1012


async def test_a_connection_that_cannot_begin_is_dropped_and_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable = EchoCable(connections=1)
    app = App(cable)
    make = cable.open

    def fails(**given: Any) -> Any:
        connection = make(**given)

        async def start(restore: str | None) -> None:
            raise ConnectionError("the bus is away")

        connection.start = start  # type: ignore[method-assign]
        return connection

    async with serving(app, ws=LEAN) as served:
        monkeypatch.setattr(cable, "open", fails)
        for _ in range(2):
            client = await Raw.connect(served.port)
            await client.rest()
            await client.close()
            await asyncio.wait_for(cable.seen[-1].ended.wait(), 5)
    assert caplog.text.count("could not begin") == 2


async def test_running_eagerly_makes_no_task_for_what_does_not_wait() -> None:
    done: list[str] = []

    async def quick() -> None:
        done.append("quick")

    assert run_eagerly(quick()) is None
    assert done == ["quick"]


async def test_running_eagerly_goes_on_after_every_wait() -> None:
    done: list[str] = []
    first, second = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def slow() -> None:
        await first.wait()
        done.append("first")
        await asyncio.sleep(0)
        done.append(await second)
        async with asyncio.timeout(5):
            await asyncio.sleep(0)

    task = run_eagerly(slow())
    assert task is not None
    first.set()
    await until(lambda: done == ["first"])
    second.set_result("second")
    await task
    assert done == ["first", "second"]


async def test_a_cancellation_reaches_what_runs_eagerly() -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = run_eagerly(waits())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_an_error_of_what_runs_eagerly_is_raised() -> None:
    async def fails(*, wait: bool) -> None:
        if wait:
            await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_eagerly(fails(wait=False))
    task = run_eagerly(fails(wait=True))
    assert task is not None
    with pytest.raises(ValueError, match="no"):
        await task
