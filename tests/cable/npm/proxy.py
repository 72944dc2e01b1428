"""A TCP proxy that cuts connections as a network does: without a word of the protocol above."""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


class Proxy:
    """Passes bytes on to one of several servers, until it is told to cut.

    Args:
        ports: The servers'; each new connection goes to the next one.
        lifetime: Tells after how many seconds a new connection is cut; None: when `cut` is called.

    Attributes:
        cuts: How many connections it has cut.
    """

    def __init__(self, *ports: int, lifetime: Callable[[], float] | None = None) -> None:
        self.cuts = 0
        self.lifetime = lifetime
        self._closed = False
        self._ports = itertools.cycle(ports)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def cable(self) -> str:
        """Where the app's socket is, by way of the proxy."""
        return f"ws://127.0.0.1:{self.port}/cable"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1_024)

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        assert self._server is not None
        self._server.close()
        tasks = list(self._open)
        self.cut()
        if tasks:
            await asyncio.wait(tasks)

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Take no new connections for a block: each is reset at once."""
        self._closed = True
        try:
            yield
        finally:
            self._closed = False

    def connections(self) -> list["asyncio.Task[None]"]:
        """Return what is open, oldest first."""
        return list(self._open)

    def cut(self, *connections: "asyncio.Task[None]") -> None:
        """Cut these connections, or all: both ends are reset, and bytes on their way are lost."""
        for connection in connections or tuple(self._open):
            both = self._open.pop(connection, None)
            if both is None:
                continue
            self.cuts += 1
            for writer in both:
                _reset(writer)

    def cut_later(self, connection: "asyncio.Task[None]") -> None:
        """Cut a connection when its lifetime is over, if it has one."""
        if self.lifetime is not None:
            asyncio.get_running_loop().call_later(self.lifetime(), self._end_of_life, connection)

    def _end_of_life(self, connection: "asyncio.Task[None]") -> None:
        if self.lifetime is not None:
            self.cut(connection)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            _reset(writer)
            return
        try:
            to_server = await asyncio.open_connection("127.0.0.1", next(self._ports))
        except OSError:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = (writer, to_server[1])
        self.cut_later(task)
        try:
            await asyncio.gather(_copy(reader, to_server[1]), _copy(to_server[0], writer))
        finally:
            self._open.pop(task, None)
            for each in (writer, to_server[1]):
                each.transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # this end was closed by its peer already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


@asynccontextmanager
async def proxied(*ports: int, lifetime: Callable[[], float] | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy in front of servers for a block."""
    proxy = Proxy(*ports, lifetime=lifetime)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
