"""One contender of `benchmarks.cable`: a server in a process of its own, and a room full of clients."""

import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._cable_load import Load, pinned
from benchmarks._harness import typical

__all__ = ["CONTENDERS", "Contender", "Room", "Sample", "room"]

_FIRST_CLIENTS = 10
_SETTLE_SECONDS = 0.5
_PAGE_KIB = 4


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to compare.

    Attributes:
        module: Its program in `benchmarks._cable_servers`.
        path: Where its WebSocket is.
        protocol: How a client joins and publishes.
        most: The most connections that it is asked to take.
    """

    module: str
    path: str = "/room"
    protocol: str = "plain"
    most: int = 100_000


CONTENDERS = {
    "raw": Contender("raw"),
    "stock": Contender("cable_stock", "/cable", "cable"),
    "lean": Contender("cable_lean", "/cable", "cable"),
    "starlette": Contender("starlette_loop"),
    "websockets": Contender("websockets_broadcast"),
    "litestar": Contender("litestar_channels"),
    "socketio": Contender("socketio_room", "/socket.io/?EIO=4&transport=websocket", "socketio"),
    # Its layer looks at every connection for every delivery: 10,000 never get a message.
    "channels": Contender("django_channels", most=1_000),
}
"""By the name that they have in the output; ``stock`` and ``lean`` are the cable."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One round.

    Attributes:
        cpu: The server's CPU time for a delivery, in microseconds.
        rate: Deliveries per second of wall-clock time.
        p50: Milliseconds from publishing to the last receiver, the median.
        p99: The same, for 99 of 100 messages.
    """

    cpu: float
    rate: float
    p50: float
    p99: float


@dataclass(slots=True)
class Room:
    """A running contender with its clients.

    Attributes:
        kib: What each of its idle connections takes in the server, in KiB.
        one: The rounds with one message under way.
        full: The rounds with many.
    """

    process: subprocess.Popen[bytes]
    load: Load
    clients: int
    kib: float = 0.0
    one: list[Sample] = field(default_factory=list)
    full: list[Sample] = field(default_factory=list)

    def measure(self, *, window: int, seconds: float) -> Sample:
        """Do one round.

        Args:
            window: How many messages may be under way.
            seconds: How long messages are published.

        Raises:
            RuntimeError: A client got a message twice, or in the wrong order.
        """
        before = self.cpu_seconds()
        ran = self.load.run(window=window, seconds=seconds)
        spent = self.cpu_seconds() - before
        if ran["disordered"] or ran["deliveries"] != ran["messages"] * self.clients:
            raise RuntimeError(f"not every client got every message once and in order: {ran}")
        return Sample(
            spent / ran["deliveries"] * 1e6, ran["deliveries"] / ran["seconds"], ran["p50_ms"], ran["p99_ms"]
        )

    def cpu_seconds(self) -> float:
        """Return the CPU time of the server so far, all its threads."""
        # A clock's number is made of the process's: clock_getcpuclockid(3), which Python does not have.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def resident_kib(self) -> float:
        """Return the memory that the server has."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * _PAGE_KIB

    def typical(self, phase: str, of: str) -> float:
        """Return the mean of the better quarter of the rounds.

        Args:
            phase: ``"one"`` or ``"full"``.
            of: A field of `Sample`.
        """
        return typical(
            [getattr(each, of) for each in getattr(self, phase)], "high" if of == "rate" else "low"
        )


@contextmanager
def room(contender: Contender, program: Path, *, clients: int) -> Generator[Room]:
    """Start a server and fill its room; both end with the context.

    Args:
        contender: The server.
        program: The load client.
        clients: How many.
    """
    # The server inherits a socket that already listens: no port to guess, and no start to poll for.
    with socket.create_server(("127.0.0.1", 0), backlog=4_096) as listening:
        port: int = listening.getsockname()[1]
        process = _started(contender, listening.fileno())
    try:
        with Load(program, port=port, path=contender.path, protocol=contender.protocol) as load:
            made = Room(process, load, clients)
            # What the first clients bring along once - modules, caches - is no connection's own.
            load.open(_FIRST_CLIENTS)
            time.sleep(_SETTLE_SECONDS)
            before = made.resident_kib()
            load.open(clients - _FIRST_CLIENTS)
            time.sleep(_SETTLE_SECONDS)
            made.kib = (made.resident_kib() - before) / (clients - _FIRST_CLIENTS)
            try:
                yield made
            finally:
                # Before its clients: a server that loses them all at once has much to say about it.
                process.kill()
    finally:
        process.kill()
        process.wait()


def _started(contender: Contender, descriptor: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"benchmarks._cable_servers.{contender.module}", str(descriptor)]
    process = subprocess.Popen(command, pass_fds=[descriptor])  # noqa: S603 - our own arguments
    pinned(process, 0)
    return process
