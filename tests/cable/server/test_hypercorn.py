"""A server without a seam: the same behaviour through ASGI's ``send`` alone."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from websockets.exceptions import InvalidStatus

from lineside.cable import Identity
from lineside.cable._server._send_wire import SendWire
from lineside.cable.asgi import Refused
from tests.cable.server.cables import App, EchoCable, until
from tests.cable.server.test_endpoint import everything

hypercorn_asyncio = pytest.importorskip("hypercorn.asyncio")
hypercorn_config = pytest.importorskip("hypercorn.config")

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def served_by_hypercorn(app: Any) -> AsyncIterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    config = hypercorn_config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 2
    config.errorlog = None
    stop = asyncio.Event()
    task = asyncio.create_task(hypercorn_asyncio.serve(app, config, shutdown_trigger=stop.wait))
    try:
        yield f"ws://127.0.0.1:{port}/cable"
    finally:
        stop.set()
        await task


async def test_clients_are_welcomed_answered_and_closed_in_order() -> None:
    cable = EchoCable()
    async with served_by_hypercorn(App(cable)) as url, websockets.connect(url) as client:
        assert await client.recv() == "welcome plain None"
        await client.send(b"\x01")
        assert await client.recv() == b"\x01"
        assert isinstance(cable.seen[0].wire, SendWire)
        await client.send("many")
        await client.send("bye")
        assert await everything(client) == [*(str(number) for number in range(100)), "disconnect bye False"]
        assert client.close_code == 4000
        await asyncio.wait_for(cable.seen[0].ended.wait(), 5)


async def test_refusals_are_http_answers() -> None:
    async def admit(scope: Any) -> Identity:
        raise Refused(401, "Unauthorized: Token required", close_code=4401)

    async with served_by_hypercorn(App(EchoCable(), admit)) as url:
        with pytest.raises(InvalidStatus) as raised:
            await websockets.connect(url)
    assert raised.value.response.status_code == 401
    assert json.loads(raised.value.response.body)["code"] == 4401


async def test_a_peer_that_never_reads_is_cut() -> None:
    cable = EchoCable(close_seconds=0.2)
    async with served_by_hypercorn(App(cable)) as url:
        host, port = url.removeprefix("ws://").removesuffix("/cable").split(":")
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with deaf:
            await asyncio.to_thread(deaf.connect, (host, int(port)))
            deaf.sendall(
                b"GET /cable HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await until(lambda: cable.connections)
            connection = cable.seen[0]
            while connection.wire.pending_bytes() < 100_000:
                connection.say("x" * 50_000)
                await asyncio.sleep(0)
            connection.disconnect("too_slow", reconnect=True, code=4410)
            await asyncio.wait_for(connection.ended.wait(), 5)
