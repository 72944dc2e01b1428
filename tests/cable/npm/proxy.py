"""A TCP proxy that cuts connections as a network does: without a word of the protocol above."""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


class Link:
    """One connection through a proxy: its two ends."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.stranded = False

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, until one end is gone; then the other one goes, too, unless it is stranded."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not self.stranded:
                    writer.write(data)
                    await writer.drain()
        if not self.stranded:
            writer.transport.abort()

    def reset(self, *ends: asyncio.StreamWriter) -> None:
        """Reset these ends; bytes on their way are lost."""
        for end in ends:
            with contextlib.suppress(OSError):  # its peer has closed it already
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class Proxy:
    """Passes bytes on to one of several servers, until it is told to cut.

    Args:
        ports: The servers'; each new connection goes to the next one.

    Attributes:
        cuts: How many connections it has cut.
        lifetime: Tells after how many seconds a new connection is cut; None: when `cut` is called.
    """

    def __init__(self, *ports: int) -> None:
        self.cuts = 0
        self.lifetime: Callable[[], float] | None = None
        self._closed = False
        self._ports = itertools.cycle(ports)
        self._server: asyncio.Server | None = None
        self._links: dict[Link, asyncio.Task[None] | None] = {}

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

    @property
    def links(self) -> list[Link]:
        """What is open, oldest first."""
        return list(self._links)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1_024)

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        assert self._server is not None
        self._server.close()
        tasks = [task for task in self._links.values() if task is not None]
        self.cut()
        if tasks:
            await asyncio.wait(tasks)

    def cut(self, *links: Link) -> None:
        """Reset both ends of these connections, or of all."""
        for link in links or tuple(self._links):
            if link in self._links:
                self.cuts += 1
                link.reset(link.client, link.server)

    def strand(self) -> None:
        """Reset the clients' ends alone: the servers hear nothing of it, and nothing any more."""
        for link in self._links:
            link.stranded = True
            link.reset(link.client)

    def cut_later(self, link: Link) -> None:
        """Cut a connection when its lifetime is over, if it has one."""
        if self.lifetime is not None:
            asyncio.get_running_loop().call_later(self.lifetime(), self._end_of_life, link)

    def _end_of_life(self, link: Link) -> None:
        if self.lifetime is not None:
            self.cut(link)

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Take no new connections for a block: each is closed at once."""
        self._closed = True
        try:
            yield
        finally:
            self._closed = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._closed:
                raise ConnectionRefusedError
            its_reader, its_writer = await asyncio.open_connection("127.0.0.1", next(self._ports))
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, its_writer)
        self._links[link] = asyncio.current_task()
        self.cut_later(link)
        try:
            await asyncio.gather(link.copy(reader, its_writer), link.copy(its_reader, writer))
        finally:
            del self._links[link]
            link.reset(writer, its_writer)


@asynccontextmanager
async def proxied(*ports: int) -> AsyncIterator[Proxy]:
    """Run a proxy in front of servers for a block."""
    proxy = Proxy(*ports)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
