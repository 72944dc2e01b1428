"""A cable of few words for the tests of the socket side, and real servers to serve it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import uvicorn

from lineside.cable import CableLimits, CableStats, Identity
from lineside.cable._protocol._frame import Frame
from lineside.cable._protocol._identity import GUEST
from lineside.cable.asgi import STATE_KEY, CableEndpoint, ServerHooks, install_seam


class TextCodec:
    """A codec that is only chosen."""

    def __init__(self, name: str, subprotocol: str | None) -> None:
        self.name = name
        self.subprotocol = subprotocol


class Codecs:
    """Two protocols and a default, as `CodecRegistry` offers them."""

    def __init__(self) -> None:
        self.default = TextCodec("plain", None)
        self._known = {name: TextCodec(name, name) for name in ("actioncable-v1-json", "gor-v1-json")}
        self.names = tuple(self._known)

    def by_name(self, name: str) -> TextCodec:
        return self._known[name]

    def choose(self, offered: Sequence[str]) -> TextCodec | None:
        if not offered:
            return self.default
        return next((self._known[name] for name in offered if name in self._known), None)


class EchoConnection:
    """Answers each frame with itself; some words do more."""

    def __init__(
        self, cable: "EchoCable", wire: Any, codec: TextCodec, identity: Identity, handshake: Any
    ) -> None:
        self.id = f"connection-{len(cable.seen)}"
        self.cable = cable
        self.wire = wire
        self.codec = codec
        self.identity = identity
        self.handshake = handshake
        self.restore: str | None = None
        self.received: list[str | bytes] = []
        self.ended = asyncio.Event()

    def say(self, *payloads: str | bytes) -> None:
        self.wire.write([Frame(payload) for payload in payloads])

    async def start(self, restore: str | None = None) -> None:
        self.restore = restore
        self.cable.connections[self.id] = self
        self.say(f"welcome {self.codec.name} {restore}")

    async def receive(self, frame: str | bytes) -> None:
        self.received.append(frame)
        if frame == "wait":
            await self.cable.gate.wait()
        if frame == "bye":
            self.disconnect("bye", reconnect=False, code=4000)
        elif frame == "many":
            self.say(*(str(number) for number in range(100)))
        else:
            self.say(frame)

    def disconnect(self, reason: str, *, reconnect: bool, code: int = 1000) -> None:
        self.say(f"disconnect {reason} {reconnect}")
        self.wire.close(code, reason)

    async def closed(self) -> None:
        self.cable.connections.pop(self.id, None)
        self.ended.set()


class EchoCable:
    """What the endpoint asks of a cable."""

    def __init__(self, **limits: Any) -> None:
        self.codecs = Codecs()
        self.limits = CableLimits(**{"close_seconds": 1.0, **limits})
        self.stats = CableStats()
        self.accepting = True
        self.running = True
        self.connections: dict[str, EchoConnection] = {}
        self.seen: list[EchoConnection] = []
        self.gate = asyncio.Event()

    def open(self, *, codec: Any, wire: Any, identity: Identity, handshake: Any) -> EchoConnection:
        connection = EchoConnection(self, wire, codec, identity, handshake)
        self.seen.append(connection)
        return connection

    async def drain(self, *, seconds: float) -> None:
        self.accepting = False
        leaving = list(self.connections.values())
        for connection in leaving:
            connection.disconnect("server_restart", reconnect=True, code=1012)
        await asyncio.gather(*(connection.ended.wait() for connection in leaving))


async def let_in(scope: Any) -> Identity:
    """Let everybody in."""
    return GUEST


class App:
    """An ASGI app with one cable: what Starlette's routing, lifespan and state come to."""

    def __init__(
        self,
        cable: EchoCable,
        admit: Callable[[Any], Awaitable[Identity]] = let_in,
        *,
        seam: bool = True,
        **options: Any,
    ) -> None:
        self.cable = cable
        self.endpoint = CableEndpoint(cable, admit, **options)  # type: ignore[arg-type]
        self.middleware_stack: Any = self._route
        self.state = type("State", (), {})()
        self.hooks = ServerHooks.of(self)
        self.hooks.add_endpoint("/cable", self.endpoint)
        self.hooks.add_drain(lambda seconds: cable.drain(seconds=seconds))
        if seam:
            install_seam(self)
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        scope["app"] = self
        self.scopes.append(scope)
        await self.middleware_stack(scope, receive, send)

    async def _lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        scope["state"][STATE_KEY] = self.hooks
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _route(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/plain" and scope["type"] == "websocket":
            await _plain_echo(receive, send)
        else:
            await self.endpoint(scope, receive, send)


async def _plain_echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": "plain " + message["text"]})


class Served:
    """A running server: its address, and what it holds."""

    def __init__(self, server: uvicorn.Server, port: int, *, tls: bool) -> None:
        self.server = server
        self.port = port
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def serving(
    app: Any, *, context: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[Served]:
    """Serve an app with uvicorn, in this event loop, on a port of its own."""
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5, **options)
    config.load()
    config.ssl = context
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(config)
    task = asyncio.create_task(_run(server, listener))
    await until(lambda: server.started or task.done())
    try:
        yield Served(server, port, tls=context is not None)
    finally:
        server.should_exit = True
        await task


async def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # Not `serve`: the signals belong to the test's own process.
    await server._serve([listener])


async def until(condition: Callable[[], Any], *, seconds: float = 10.0) -> None:
    """Wait for a condition that nothing announces."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0.005)
