"""Serve an app under uvicorn in a process of its own, and load it over keep-alive connections."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks._harness import Round

_START_SECONDS = 20.0
_ROUND_SECONDS = 20.0

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.contextmanager
def served(app: str) -> Iterator[int]:
    """Serve an app on 127.0.0.1 and give its port; the server ends with the context.

    Args:
        app: The function that makes it, for instance ``"benchmarks._apps:served_function"``.
    """
    # The server inherits a socket that already listens: no port to guess, and no start to poll for.
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        # Accepted connections inherit this. uvicorn takes a socket by number for a UNIX one and would leave
        # it off: answers would then wait 40 ms for acknowledgements.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        descriptor = listening.fileno()
        command = [sys.executable, "-m", "uvicorn", app, "--factory", "--fd", str(descriptor)]
        command += [
            "--no-access-log",
            "--log-level",
            "warning",
            "--lifespan",
            "off",
            "--timeout-keep-alive",
            "60",
        ]
        process = subprocess.Popen(command, pass_fds=[descriptor])  # noqa: S603 - our own arguments
        try:
            yield listening.getsockname()[1]
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def load(
    runner: asyncio.Runner, port: int, path: str, *, connections: int, requests: int, expected: bytes
) -> Iterator[Round]:
    """Open connections to a server, and give a contender that asks for one path over and over.

    Args:
        runner: The event loop of the client.
        port: The server's port on 127.0.0.1.
        path: What is asked for.
        connections: How many connections ask at once, each with one request under way.
        requests: How many requests each connection makes in a round.
        expected: What each answer must end with.

    Returns:
        A round: requests per second of wall-clock time.
    """
    asked = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n\r\n".encode()

    async def open_all() -> list[_Connection]:
        async with asyncio.timeout(_START_SECONDS):
            opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
            # The server is up when it answers; its caches are warm when it has answered a while.
            for connection in opened:
                await _ask(connection, asked, 50, expected)
        return opened

    async def ask_all() -> float:
        started = time.perf_counter()
        async with asyncio.timeout(_ROUND_SECONDS), asyncio.TaskGroup() as group:
            for connection in opened:
                group.create_task(_ask(connection, asked, requests, expected))
        return requests * connections / (time.perf_counter() - started)

    async def close_all() -> None:
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()

    opened = runner.run(open_all())
    try:
        yield lambda: runner.run(ask_all())
    finally:
        runner.run(close_all())


async def _ask(connection: _Connection, asked: bytes, times: int, expected: bytes) -> None:
    """Ask one connection so often, one request at a time."""
    reader, writer = connection
    for _ in range(times):
        writer.write(asked)
        # The body is known, so that it also marks the end of the answer: the client parses nothing.
        answer = await reader.readuntil(expected)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {answer!r}")
