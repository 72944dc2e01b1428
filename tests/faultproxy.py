"""A TCP proxy that misbehaves on demand: black holes, one-way loss, resets, cuts, latency."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Stands between a client and a server on 127.0.0.1.

    Attributes:
        port: Where clients connect.
        accepted: How many connections have been accepted.
        latency: Seconds that each chunk waits, in both directions.
        swallow_up: What clients send is thrown away.
        swallow_down: What the server sends is thrown away.
        cut_after: Connections are reset after so many bytes of the server's.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._flows = asyncio.Event()
        self._flows.set()
        self._pairs: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0
        self.accepted = 0
        self.latency = 0.0
        self.swallow_up = False
        self.swallow_down = False
        self.cut_after: int | None = None

    async def start(self) -> None:
        """Accept connections, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Accept nothing more and reset what is open."""
        if self._server is not None:
            self._server.close()
        self.reset()
        tasks = tuple(self._pairs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def black_hole(self) -> None:
        """Pass nothing on, in either direction; connections stay open, and new ones are accepted."""
        self._flows.clear()

    def heal(self) -> None:
        """Pass everything on again."""
        self.swallow_up = self.swallow_down = False
        self.cut_after = None
        self._flows.set()

    def reset(self) -> None:
        """Reset every connection, without a FIN."""
        for pair in self._pairs.values():
            _reset(*pair)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            its_reader, its_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._pairs[task] = (writer, its_writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, its_writer, up=True))
                both.create_task(self._pump(its_reader, writer, up=False))
        except* (OSError, EOFError):
            pass
        finally:
            del self._pairs[task]
            writer.transport.abort()
            its_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        passed = 0
        while data := await reader.read(_CHUNK):
            await self._flows.wait()
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.swallow_up if up else self.swallow_down:
                continue
            if not up and self.cut_after is not None and passed + len(data) > self.cut_after:
                writer.write(data[: self.cut_after - passed])
                with suppress(OSError):
                    await writer.drain()
                _reset(writer)
                raise EOFError
            passed += len(data)
            writer.write(data)
            await writer.drain()
        raise EOFError


@asynccontextmanager
async def proxied(target: int) -> AsyncGenerator[FaultProxy, None]:
    """Run a proxy in front of a port for a block."""
    proxy = FaultProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


def _reset(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        connection = writer.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
