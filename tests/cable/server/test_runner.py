"""``lineside server`` with a real cable: how it listens, what it gives up on, and how it stops."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from lineside.cli._listening import listen
from lineside.exceptions import ConfigurationError

APP = """
import asyncio, os
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from lineside.cable import Channel
from lineside.cable.fastapi import cable_router

class News(Channel):
    public = True

    async def subscribed(self):
        await self.stream_from("news")

cable = cable_router([News])
app = FastAPI()
app.include_router(cable, prefix="/cable")

@app.get("/")
async def home():
    return {"pid": os.getpid(), "workers": os.environ["LINESIDE_WORKERS"]}

@app.get("/slow")
async def slow():
    print("slow request entered", flush=True)
    await asyncio.sleep(1)
    return "done"

@app.get("/stream")
async def stream():
    async def forever():
        yield "data: first\\n\\n"
        await asyncio.Event().wait()
    return StreamingResponse(forever(), media_type="text/event-stream")

@app.get("/publish")
async def publish():
    for _ in range(400):
        await cable.cable.broadcast("news", "x" * 10_000)
    return "published"
"""

SUBSCRIBE = json.dumps({"command": "subscribe", "identifier": '{"channel":"News"}'})

HOOKED = """
import asyncio, os
from contextlib import asynccontextmanager
from fastapi import FastAPI
from lineside.cable.asgi import STATE_KEY, ServerHooks

@asynccontextmanager
async def lifespan(app):
    async def drain(seconds):
        print("drained", flush=True)
        pass  # at once
    hooks = ServerHooks.of(app)
    hooks.add_drain(drain)
    print("workers", os.environ["LINESIDE_WORKERS"], flush=True)
    yield {STATE_KEY: hooks}
    print("lifespan ended", flush=True)

app = FastAPI(lifespan=lifespan)
"""


class Command:
    """A running ``lineside server``: its port, its lines as they come, its end."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LINESIDE_")}
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("lineside"), "server", "--port", "0", *arguments],
            cwd=folder,
            env={**environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.text = ""
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.text += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, text: str, *, times: int = 1) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self.text.count(text) >= times, timeout=30)
        assert self.text.count(text) >= times, self.text

    @property
    def port(self) -> int:
        self.wait_for("Uvicorn running on")
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.text)
        assert found, self.text
        return int(found[1])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/cable"

    def end(self) -> int:
        status = self.process.wait(timeout=30)
        self._reader.join(timeout=10)
        return status

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.end()
        if self.process.stdout is not None:
            self.process.stdout.close()


Start = Callable[..., Command]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers, and end those that are left."""
    (tmp_path / "myapp.py").write_text(APP)
    running: list[Command] = []

    def start(*arguments: str, name: str = "myapp:app", **variables: str) -> Command:
        running.append(Command(tmp_path, name, *arguments, **variables))
        return running[-1]

    yield start
    for command in running:
        command.kill()


@pytest.fixture(params=["auto", "lineside.cable.uvicorn:LeanProtocol"])
def ws(request: pytest.FixtureRequest) -> Any:
    """Both WebSocket classes."""
    return request.param


@contextlib.contextmanager
def open_client(command: Command) -> Iterator[Any]:
    with connect(command.url, subprotocols=["actioncable-v1-json"]) as client:  # type: ignore[list-item]
        assert client.recv(timeout=10) == '{"type":"welcome"}'
        yield client


def last_words(client: Any) -> list[str]:
    """Return what comes until the server closes, without pings."""
    heard: list[str] = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            heard.append(client.recv(timeout=20))
    return [frame for frame in heard if '"ping"' not in frame]


def request(port: int, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


def read_until(client: socket.socket, text: bytes) -> bytes:
    heard = b""
    while text not in heard:
        more = client.recv(65536)
        assert more, heard
        heard += more
    return heard


def read_to_the_end(client: socket.socket) -> bytes:
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while more := client.recv(65536):
            heard += more
    return heard


def test_sigterm_sends_websockets_away_ends_streams_and_exits_with_0(start: Start, ws: str) -> None:
    command = start("--ws", ws, "--timeout-graceful-shutdown", "3")
    with open_client(command) as client, request(command.port, "/stream") as stream:
        read_until(stream, b"data: first")
        assert command.stop() == 0
        assert last_words(client) == ['{"type":"disconnect","reason":"server_restart","reconnect":true}']
        assert client.protocol.close_code == 1012


def test_a_request_that_is_under_way_is_answered_while_clients_are_sent_away(start: Start) -> None:
    command = start()
    with open_client(command) as client, request(command.port, "/slow") as slow:
        command.wait_for("slow request entered")
        command.process.send_signal(signal.SIGTERM)
        assert last_words(client) == ['{"type":"disconnect","reason":"server_restart","reconnect":true}']
        assert b'"done"' in read_to_the_end(slow)
        assert command.end() == 0


def test_workers_drain_too(start: Start, tmp_path: Path) -> None:
    (tmp_path / "hooked.py").write_text(HOOKED)
    command = start("--workers", "2", name="hooked:app")
    command.wait_for("Application startup complete", times=2)
    assert command.stop() == 0
    assert command.text.count("drained") == 2
    assert command.text.count("workers 2") == 2


def test_a_hook_that_does_not_end_is_given_up_and_the_server_still_stops(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "hooked.py").write_text(HOOKED.replace("pass  # at once", "await asyncio.Event().wait()"))
    command = start("--timeout-graceful-shutdown", "1", name="hooked:app")
    command.wait_for("Uvicorn running on")
    assert command.stop() == 0
    assert "they are cut off" in command.text
    assert "lifespan ended" in command.text


def test_the_kernel_drops_a_client_that_never_reads(start: Start, ws: str) -> None:
    command = start("--ws", ws, "--timeout-peer", "1")
    with deaf_client(command) as deaf, open_client(command) as healthy:
        subscribe(healthy)
        own_port = deaf.getsockname()[1]
        assert own_port in server_sockets(command.port)
        publish(command, healthy)
        wait_until(lambda: own_port not in server_sockets(command.port))
        healthy.ping().wait(10)


def test_the_cable_drops_a_client_that_never_reads_where_the_kernel_does_not(start: Start, ws: str) -> None:
    command = start("--ws", ws, "--timeout-peer", "0")
    with deaf_client(command) as deaf, open_client(command) as healthy:
        subscribe(healthy)
        own_port = deaf.getsockname()[1]
        assert own_port in server_sockets(command.port)
        while "too slow" not in command.text:
            publish(command, healthy)
        wait_until(lambda: own_port not in server_sockets(command.port))
        publish(command, healthy)


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
def test_a_client_that_does_not_say_its_headers_is_closed(start: Start, begun: bytes) -> None:
    command = start("--timeout-headers", "0.3")
    with socket.create_connection(("127.0.0.1", command.port), timeout=20) as slow:
        slow.sendall(begun)
        answer = read_to_the_end(slow)
    assert answer.startswith(b"HTTP/1.1 408 ") if begun else answer == b""


def test_the_next_request_of_a_connection_has_its_own_time_for_headers(start: Start) -> None:
    command = start("--timeout-headers", "0.3")
    with request(command.port, "/") as client:
        read_until(client, b'"workers":"1"')
        client.sendall(b"\r\nGET / HT")
        assert read_to_the_end(client).startswith(b"HTTP/1.1 408 ")


def test_a_request_that_takes_longer_than_its_headers_may_is_answered(start: Start, ws: str) -> None:
    command = start("--timeout-headers", "0.3", "--ws", ws)
    with open_client(command) as client, request(command.port, "/slow") as slow:
        assert b'"done"' in read_until(slow, b'"done"')
        client.ping().wait(10)


def test_tokens_in_addresses_are_not_logged(start: Start, ws: str) -> None:
    command = start("--ws", ws)
    with connect(command.url + "?jid=s3cret&room=7"), request(command.port, "/?token=s3cret") as client:
        read_until(client, b'"workers"')
    assert command.stop() == 0
    assert "token=[FILTERED]" in command.text
    assert "s3cret" not in command.text


def test_compression_is_not_agreed_on_unless_it_is_asked_for(start: Start) -> None:
    with connect(start().url, compression="deflate") as client:
        assert client.protocol.extensions == []
    with connect(start("--ws-per-message-deflate").url, compression="deflate") as client:
        assert len(client.protocol.extensions) == 1


def test_a_connection_inherits_the_peer_timeout_of_its_listener() -> None:
    (listener,) = listen("127.0.0.1", 0, peer_timeout_seconds=7.5)
    with listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7500


def test_a_peer_timeout_of_0_leaves_the_kernels_own() -> None:
    (listener,) = listen("127.0.0.1", 0, peer_timeout_seconds=0)
    with listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0


def test_an_address_in_use_is_told_in_one_line() -> None:
    (listener,) = listen("127.0.0.1", 0, peer_timeout_seconds=0)
    with listener:
        listener.listen()
        with pytest.raises(ConfigurationError, match=r"cannot listen on 127\.0\.0\.1 port"):
            listen("127.0.0.1", listener.getsockname()[1], peer_timeout_seconds=0)


def next_word(client: Any) -> str:
    """Return the next frame that is no ping."""
    while '"ping"' in (frame := str(client.recv(timeout=20))):
        pass
    return frame


def subscribe(client: Any) -> None:
    client.send(SUBSCRIBE)
    assert "confirm_subscription" in next_word(client)


def publish(command: Command, healthy: Any) -> None:
    """Have 4 MB published, and received by one who reads."""
    with request(command.port, "/publish") as asked:
        heard = 0
        while heard < 400:
            heard += '"message":"xxx' in next_word(healthy)
        read_until(asked, b"published")


def deaf_client(command: Command) -> socket.socket:
    """Connect, subscribe, and read no more: its windows are small, so that it shows soon."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", command.port))
    client.sendall(
        b"GET /cable HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: actioncable-v1-json\r\n\r\n"
    )
    read_until(client, b'{"type":"welcome"}')
    said = SUBSCRIBE.encode()
    client.sendall(bytes((0x81, 0x80 | len(said))) + bytes(4) + said)
    read_until(client, b"confirm_subscription")
    return client


def server_sockets(port: int) -> set[int]:
    """Return the ports of the peers that the kernel holds connections of a server's port to."""
    found: set[int] = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, state = line.split()[1:4]
        if int(local.rpartition(":")[2], 16) == port and state == "01":
            found.add(int(remote.rpartition(":")[2], 16))
    return found


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
