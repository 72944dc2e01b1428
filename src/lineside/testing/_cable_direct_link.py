"""The way straight to a cable, with an identity that nobody has checked."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from lineside.cable import Cable, Connection, Identity
from lineside.cable._protocol._frame import Frame

__all__ = ["Closed", "DirectLink", "Link", "Take"]

_DROPPED: Final = 1006

Take = Callable[[str | bytes], None]
"""Is given each frame of the server."""

Closed = Callable[[int, str], None]
"""Is told with which code and reason the server has closed."""


class Link(Protocol):
    """A connection, as its client has it."""

    async def open(self) -> None:
        """Connect.

        Raises:
            ConnectionRejected: The server does not want it.
        """
        ...

    async def send(self, payload: str) -> None:
        """Give the server a frame."""
        ...

    async def close(self) -> None:
        """Hang up; returns when the server has forgotten the connection."""
        ...

    @property
    def connection(self) -> Connection | None:
        """The server's side of it; None where it has none."""
        ...


class DirectLink:
    """A connection of a cable, without a request.

    Args:
        cable: The cable, started.
        codec: The name of the protocol.
        identity: Who connects.
        take: Is given each frame.
        closed: Is told that the server has closed.
    """

    def __init__(self, cable: Cable, *, codec: str, identity: Identity, take: Take, closed: Closed) -> None:
        wire = _Wire(take, closed, self._hang_up)
        self._connection = cable.open(codec=cable.codecs.by_name(codec), wire=wire, identity=identity)
        self._ending: asyncio.Task[None] | None = None

    @property
    def connection(self) -> Connection | None:
        """The server's side."""
        return self._connection

    async def open(self) -> None:
        """Let the cable welcome the client."""
        await self._connection.start()

    async def send(self, payload: str) -> None:
        """Give the cable a frame."""
        await self._connection.receive(payload)

    async def close(self) -> None:
        """Hang up; returns when the cable has forgotten the connection."""
        await self._hang_up()

    def _hang_up(self) -> "asyncio.Task[None]":
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._connection.closed())
        return self._ending


class _Wire:
    """What the cable writes to (`lineside.cable.Wire`); the peer reads at once, and leaves when told to."""

    def __init__(self, take: Take, closed: Closed, hang_up: Callable[[], object]) -> None:
        self._take = take
        self._closed = closed
        self._hang_up = hang_up
        self._over = False

    def write(self, frames: Sequence[Frame]) -> None:
        for frame in () if self._over else frames:
            self._take(frame.payload)

    def pending_bytes(self) -> int:
        return 0

    def is_gone(self) -> bool:
        return self._over

    def close(self, code: int, reason: str) -> None:
        if not self._over:
            self._over = True
            self._closed(code, reason)
            self._hang_up()

    def abort(self) -> None:
        self.close(_DROPPED, "aborted")
