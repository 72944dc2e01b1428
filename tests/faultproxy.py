"""A TCP proxy that misbehaves on demand: black holes, one-way loss, resets, cuts, latency, narrow links."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65_536
_CHUNKS_ON_THEIR_WAY = 1_000
_RESET = struct.pack("ii", 1, 0)

# When it arrives, and what; nothing for the end.
_Chunk = tuple[float, bytes]


class FaultProxy:
    """Stands between a client and a server on 127.0.0.1.

    Attributes:
        port: Where clients connect.
        accepted: How many connections have been accepted.
        latency: Seconds that each chunk is on its way, in both directions.
        jitter: Up to so many seconds more or less; chunks stay in order.
        bytes_per_second: How much passes in each direction of a connection; None for any amount.
        swallow_up: What clients send is thrown away.
        swallow_down: What the server sends is thrown away.
        cut_after: Connections are reset after so many bytes of the server's.
        cut_up_after: Connections are reset after so many bytes of the client's.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._flows = asyncio.Event()
        self._flows.set()
        self._pairs: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.latency = 0.0
        self.jitter = 0.0
        self.bytes_per_second: float | None = None
        self.swallow_up = False
        self.swallow_down = False
        self.cut_after: int | None = None
        self.cut_up_after: int | None = None

    async def start(self) -> None:
        """Accept connections, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Accept nothing more and reset what is open."""
        if self._server is not None:
            self._server.close()
        self.reset()
        # Those that still connect to the target are in no pair yet.
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def black_hole(self) -> None:
        """Pass nothing on, in either direction; connections stay open, and new ones are accepted."""
        self._flows.clear()

    def heal(self) -> None:
        """Pass everything on again."""
        self.swallow_up = self.swallow_down = False
        self.cut_after = self.cut_up_after = None
        self.latency = self.jitter = 0.0
        self.bytes_per_second = None
        self._flows.set()

    def reset(self) -> None:
        """Reset every connection, without a FIN."""
        for pair in self._pairs.values():
            _reset(*pair)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # asyncio logs the cancelling of a handler as an error of its own.
        with suppress(asyncio.CancelledError):
            await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            its_reader, its_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except BaseException as error:
            # Also when the proxy is closed meanwhile: nobody else knows of this connection yet.
            writer.transport.abort()
            if isinstance(error, OSError):
                return
            raise
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
        # What is on its way: a slow link holds several chunks at once.
        link: asyncio.Queue[_Chunk] = asyncio.Queue(_CHUNKS_ON_THEIR_WAY)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._enter(reader, link))
            both.create_task(self._leave(link, writer, up=up))

    async def _enter(self, reader: asyncio.StreamReader, link: asyncio.Queue[_Chunk]) -> None:
        clock, due = asyncio.get_running_loop().time, 0.0
        while data := await reader.read(_CHUNK):
            delay = self.latency + random.uniform(-self.jitter, self.jitter)
            due = max(due, clock() + delay)
            if self.bytes_per_second is not None:
                due += len(data) / self.bytes_per_second
            await link.put((due, data))
        await link.put((due, b""))

    async def _leave(self, link: asyncio.Queue[_Chunk], writer: asyncio.StreamWriter, *, up: bool) -> None:
        clock, passed = asyncio.get_running_loop().time, 0
        while True:
            due, data = await link.get()
            await self._flows.wait()
            if due > clock():
                await asyncio.sleep(due - clock())
            if not data:
                raise EOFError
            if self.swallow_up if up else self.swallow_down:
                continue
            limit = self.cut_up_after if up else self.cut_after
            if limit is not None and passed + len(data) > limit:
                writer.write(data[: max(0, limit - passed)])
                with suppress(OSError):
                    await writer.drain()
                _reset(writer)
                raise EOFError
            passed += len(data)
            writer.write(data)
            await writer.drain()


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
