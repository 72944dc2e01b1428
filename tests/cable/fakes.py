"""Clients without sockets: a wire that keeps what it is given, and a client that awaits its frames."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lineside.cable import Cable, Codec, Connection, Identity
from lineside.cable._protocol._frame import Frame
from lineside.strict_json import dumps, loads

DEADLINE = 10.0
"""Seconds until a test that waits gives up; nothing is measured with it."""


class FakeWire:
    """Keeps every payload that a connection writes.

    Attributes:
        payloads: What was written, in order.
        closed: The close code and reason, once the server has closed.
        unread_bytes: What `pending_bytes` says: set it to be a client that does not read.
    """

    def __init__(self) -> None:
        self.payloads: list[str | bytes] = []
        self.closed: tuple[int, str] | None = None
        self.unread_bytes = 0
        self._changed = asyncio.Event()
        self.on_close: Callable[[], None] | None = None

    def write(self, frames: Sequence[Frame]) -> None:
        """Keep frames (`Wire.write`)."""
        self.payloads.extend(frame.payload for frame in frames)
        self._changed.set()

    def pending_bytes(self) -> int:
        """Return how much the test says is unread (`Wire.pending_bytes`)."""
        return self.unread_bytes

    def is_gone(self) -> bool:
        """Tell whether the server has closed (`Wire.is_gone`)."""
        return self.closed is not None

    def close(self, code: int, reason: str) -> None:
        """Keep why the server closed (`Wire.close`)."""
        if self.closed is None:
            self.closed = (code, reason)
            self._changed.set()
            if self.on_close is not None:
                self.on_close()

    def abort(self) -> None:
        """Close without a word (`Wire.abort`)."""
        self.close(1006, "aborted")

    async def changed(self) -> None:
        """Wait until something more was written, or the wire was closed."""
        self._changed.clear()
        await self._changed.wait()


class FakeClient:
    """A client of a cable in the same process.

    Args:
        connection: The server's side of it.
        wire: What the server writes to.
    """

    def __init__(self, connection: Connection, wire: FakeWire) -> None:
        self.connection = connection
        self.wire = wire
        self._read = 0
        self._sent = 0
        self._ended: asyncio.Task[None] | None = None
        wire.on_close = self._hang_up

    @property
    def id(self) -> str:
        """The client's id."""
        return self.connection.client_id

    def frames(self) -> list[Any]:
        """Return every frame so far, read as JSON; binary frames as they are."""
        return [loads(each) if isinstance(each, str) else each for each in self.wire.payloads]

    async def send(self, frame: Any) -> None:
        """Send a frame.

        Args:
            frame: Text or bytes as they are, anything else as JSON.
        """
        text = frame if isinstance(frame, str | bytes) else dumps(frame).decode()
        await self.connection.receive(text)

    async def receive(self, matches: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the next frame that matches; those before it are skipped.

        Args:
            matches: Tells whether a frame is the one.
        """
        async with asyncio.timeout(DEADLINE):
            while True:
                frames = self.frames()
                while self._read < len(frames):
                    self._read += 1
                    if matches(frames[self._read - 1]):
                        return frames[self._read - 1]
                if self.wire.closed is not None:
                    raise AssertionError(f"closed with {self.wire.closed} before the frame came: {frames}")
                await self.wire.changed()

    async def receive_type(self, type: str) -> Any:
        """Return the next frame with this GoHub ``message_type``."""
        return await self.receive(lambda frame: frame.get("message_type") == type)

    async def request(self, type: str, data: Any = None, **more: Any) -> Any:
        """Send a GoHub message and return its answer: the frame with its ``request_id``."""
        self._sent += 1
        number = self._sent
        await self.send({"message_id": number, "message_type": type, "data": data, **more})
        return await self.receive(lambda frame: _request_id(frame) == number)

    def typed(self, type: str) -> list[Any]:
        """Return every frame so far with this GoHub ``message_type``."""
        return [frame for frame in self.frames() if frame.get("message_type") == type]

    async def settle(self) -> None:
        """Return when everything that was sent to this client before has arrived.

        Its own ping goes through the same lane and outbox, so its answer comes behind.
        """
        await self.request("ping", {"ts": 0})

    async def close(self) -> None:
        """Hang up; returns when the server has forgotten the connection."""
        self._hang_up()
        assert self._ended is not None
        await self._ended

    def _hang_up(self) -> None:
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_task(self.connection.closed())


def _request_id(frame: Any) -> Any:
    data = frame.get("data")
    inner = data.get("request_id") if frame.get("message_type") == "error" else None
    return frame.get("request_id", inner)


async def client(
    cable: Cable,
    codec: Codec | str = "gohub",
    *,
    id: str | None = None,
    permissions: Sequence[str] = (),
    identity: Identity | None = None,
    restore: str | None = None,
) -> FakeClient:
    """Connect a client; hang up with `FakeClient.close`, or leave it to the cable's ``stop``.

    Args:
        cable: The cable.
        codec: The protocol, or its name.
        id: The client's id; None for a guest.
        permissions: What it may do.
        identity: Who it is, instead of ``id`` and ``permissions``.
        restore: The session to go on with.
    """
    if isinstance(codec, str):
        codec = cable.codecs.by_name(codec)
    if identity is None:
        identity = Identity(id=id, permissions=frozenset(permissions), anonymous=id is None)
    wire = FakeWire()
    connection = cable.open(codec=codec, wire=wire, identity=identity)
    connected = FakeClient(connection, wire)
    await connection.start(restore)
    return connected


@asynccontextmanager
async def running(*cables: Cable) -> AsyncIterator[None]:
    """Start cables, and stop them at the end."""
    started: list[Cable] = []
    try:
        for cable in cables:
            await cable.start()
            started.append(cable)
        yield
    finally:
        for cable in reversed(started):
            await cable.stop()


async def eventually(condition: Callable[[], Any], *, seconds: float = DEADLINE) -> Any:
    """Return a condition's first true value; async conditions are awaited.

    Args:
        condition: Asked again after each turn of the loop.
        seconds: When to give up.
    """
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.005)
