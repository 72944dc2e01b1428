"""The two ways to a peer: the same frames in the same order, bounded endings, no task without work."""

import asyncio
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.cable._protocol._frame import Frame
from lineside.cable._server._rfc6455 import close_frame
from lineside.cable._server._seam import EXTENSION, TransportDoor, TransportSeam
from lineside.cable._server._send_wire import SendWire
from lineside.cable._server._transport_wire import TransportWire, short_reason
from lineside.cable.asgi import install_seam
from tests.cable.server.cables import App, EchoCable, serving, until
from tests.cable.server.test_endpoint import LEAN, everything, ws  # noqa: F401 - a fixture

pytestmark = pytest.mark.anyio


class Transport:
    """An asyncio transport that keeps what it is given."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closing = False
        self.aborted = asyncio.Event()
        self.waiting = 0

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def abort(self) -> None:
        self.closing = True
        self.aborted.set()


class Peer:
    """An ASGI server's ``send``, which may be held up."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.gone: Exception | None = None

    async def send(self, message: Any) -> None:
        await self.open.wait()
        if self.gone is not None:
            raise self.gone
        self.sent.append(message)

    def close(self, code: int, reason: str) -> None:
        self.sent.append({"type": "websocket.close", "code": code, "reason": reason})

    @property
    def wire(self) -> bytes:
        """What a server would have written for it."""
        written = b""
        for message in self.sent:
            if message["type"] == "websocket.close":
                written += close_frame(message["code"], message["reason"])
            else:
                written += Frame(message["text"] if "text" in message else message["bytes"]).wire
        return written


payloads = st.one_of(st.text(max_size=300), st.binary(max_size=300))
steps = st.one_of(
    st.tuples(st.just("write"), st.lists(payloads, min_size=1, max_size=5)),
    st.tuples(st.just("turn"), st.none()),
    st.tuples(st.just("close"), st.tuples(st.sampled_from([1000, 1009, 4410]), st.text(max_size=80))),
)


@given(st.lists(steps, max_size=12))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_both_wires_say_the_same_in_the_same_order(done: list[tuple[str, Any]]) -> None:
    async def compare() -> None:
        transport, peer = Transport(), Peer()

        def goodbye(code: int, reason: str) -> None:
            transport.write(close_frame(code, reason))

        short = TransportWire(transport, goodbye, close_seconds=60)  # type: ignore[arg-type]
        long = SendWire(peer.send, lambda: peer.close(*(long.goodbye or ())), close_seconds=60)
        for step, value in done:
            if step == "turn":
                await asyncio.sleep(0)
            for wire in (short, long):
                if step == "write":
                    wire.write([Frame(payload) for payload in value])
                elif step == "close":
                    wire.close(*value)
        await until(lambda: not long.pending_bytes() and long._task is None)
        short.lost()
        long.lost()
        assert peer.wire == b"".join(transport.writes)

    asyncio.run(compare())


async def test_many_frames_are_one_write() -> None:
    transport = Transport()
    TransportWire(transport, lambda code, reason: None, close_seconds=1).write(  # type: ignore[arg-type]
        [Frame("a"), Frame("b"), Frame(b"c")]
    )
    assert transport.writes == [b"\x81\x01a\x81\x01b\x82\x01c"]


async def test_a_peer_that_does_not_read_is_cut_after_close_seconds() -> None:
    transport = Transport()
    transport.waiting = 10
    wire = TransportWire(transport, lambda code, reason: None, close_seconds=0.01)  # type: ignore[arg-type]
    wire.close(4410, "too_slow")
    await asyncio.wait_for(transport.aborted.wait(), 5)
    wire.write([Frame("late")])
    assert transport.writes == []


async def test_a_held_up_send_is_cut_after_close_seconds() -> None:
    peer, cut = Peer(), asyncio.Event()
    peer.open.clear()
    wire = SendWire(peer.send, cut.set, close_seconds=0.01)
    wire.write([Frame("a"), Frame("bc")])
    assert wire.pending_bytes() == 3
    wire.close(4410, "too_slow")
    await asyncio.wait_for(cut.wait(), 5)
    await until(lambda: wire._task is None)
    assert wire.pending_bytes() == 0
    assert peer.sent == []


async def test_an_idle_wire_has_no_task() -> None:
    peer = Peer()
    wire = SendWire(peer.send, lambda: None, close_seconds=1)
    assert wire._task is None
    wire.write([Frame("a")])
    wire.write([Frame("b")])
    await until(lambda: wire._task is None)
    assert [message["text"] for message in peer.sent] == ["a", "b"]
    assert asyncio.all_tasks() == {asyncio.current_task()} or len(asyncio.all_tasks()) <= 2


async def test_a_peer_that_is_gone_ends_the_writing_quietly() -> None:
    peer = Peer()
    peer.gone = RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")
    wire = SendWire(peer.send, lambda: None, close_seconds=1)
    wire.write([Frame("a")])
    await until(lambda: wire._task is None)
    wire.write([Frame("b")])
    assert wire.pending_bytes() == 0


def test_a_close_reason_is_cut_between_characters() -> None:
    assert short_reason("é" * 100) == "é" * 61
    assert short_reason("\ud800") == "?"


async def test_every_class_of_uvicorn_gets_the_short_way(ws: str) -> None:  # noqa: F811
    cable = EchoCable()
    async with serving(App(cable), ws=ws) as served, websockets.connect(served.url + "/cable") as client:
        await client.recv()
        assert isinstance(cable.seen[0].wire, TransportWire)


async def test_without_the_seam_clients_see_the_same(ws: str) -> None:  # noqa: F811
    heard: list[Any] = []
    for seam in (True, False):
        cable = EchoCable()
        async with serving(App(cable, seam=seam), ws=ws) as served:
            async with websockets.connect(served.url + "/cable") as client:
                for said in ("a", b"b", "many", "bye"):
                    await client.send(said)
                heard.append([*(await everything(client)), client.close_code, client.close_reason])
            await cable.seen[0].ended.wait()
            expected = TransportWire if seam or ws == LEAN else SendWire
            assert isinstance(cable.seen[0].wire, expected)
    assert heard[0] == heard[1]


async def test_middleware_that_wraps_send_does_not_hide_the_transport() -> None:
    cable = EchoCable()
    app = App(cable, seam=False)
    inner = app.middleware_stack

    async def wrapping(scope: Any, receive: Any, send: Any) -> None:
        async def wrapped(message: Any) -> None:
            await send(message)

        await inner(scope, receive, wrapped)

    app.middleware_stack = wrapping
    install_seam(app)
    install_seam(app)
    assert isinstance(app.middleware_stack, TransportSeam)
    assert app.middleware_stack.app is wrapping
    async with serving(app) as served, websockets.connect(served.url + "/cable") as client:
        await client.recv()
        assert isinstance(cable.seen[0].wire, TransportWire)


async def test_an_object_without_a_transport_is_no_door() -> None:
    class Server:
        handshake_complete = True
        transport = object()

        async def send(self, message: Any) -> None: ...

    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    await TransportSeam(app)({"type": "websocket"}, None, Server().send)
    assert EXTENSION not in scopes[0].get("extensions", {})


async def test_a_door_stays_shut_before_the_handshake_is_done() -> None:
    class Server:
        handshake_complete = False
        transport = Transport()

    assert await TransportDoor(Server()).open() is None
    Server.handshake_complete = True
    assert await TransportDoor(Server()).open() is Server.transport
    Server.transport.closing = True
    assert await TransportDoor(Server()).open() is None


async def test_uncompressed_frames_are_read_where_compression_was_agreed_on() -> None:
    cable = EchoCable()
    async with (
        serving(App(cable), ws="websockets-sansio", ws_per_message_deflate=True) as served,
        websockets.connect(served.url + "/cable", compression="deflate") as client,
    ):
        assert client.protocol.extensions
        assert await client.recv() == "welcome plain None"
        for _ in range(3):
            await client.send("compressed " * 50)
            assert await client.recv() == "compressed " * 50
        assert isinstance(cable.seen[0].wire, TransportWire)
        await client.send("bye")
        assert await everything(client) == ["disconnect bye False"]
        assert client.close_code == 4000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "pair.pem"
    made_by = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(made_by.split(), cwd=folder, check=True, capture_output=True)
    made.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return made


@pytest.mark.parametrize("ws_class", ["websockets-sansio", LEAN])
async def test_it_works_over_tls(certificate: Path, ws_class: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    cable = EchoCable()
    app = App(cable)
    async with (
        serving(app, ws=ws_class, context=context) as served,
        websockets.connect(served.url + "/cable", ssl=trusting) as client,
    ):
        assert await client.recv() == "welcome plain None"
        await client.send("x" * 60_000)
        assert await client.recv() == "x" * 60_000
        assert isinstance(cable.seen[0].wire, TransportWire)
        assert cable.seen[0].handshake.scope["scheme"] == "wss"
        await client.send("bye")
        assert await everything(client) == ["disconnect bye False"]
