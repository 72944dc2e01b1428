"""The processes of a small cluster: one server for the bus, and nodes of the chat."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
ROOT = Path(__file__).parents[2]


class Process:
    """A program in the background, whose output goes to a file."""

    def __init__(self, command: Sequence[str], log: IO[bytes], environ: Mapping[str, str]) -> None:
        # A group of its own: Ctrl+C ends the script, which ends these in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._log = log.name

    def stop(self) -> None:
        """End it as a deploy would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Say why it has ended, if it has."""
        if self._process.poll() is not None:
            sys.exit(Path(self._log).read_text(errors="replace")[-2_000:])


class Node(Process):
    """One process that serves the chat."""

    def __init__(self, bus: str, log: IO[bytes]) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "lineside.cli", "server", "examples.chat.app:app"]
        super().__init__([*command, "--port", str(self.port)], log, {"CHAT_BUS": bus})

    @property
    def page(self) -> str:
        return f"http://{HOST}:{self.port}/chat"

    @property
    def socket(self) -> str:
        return f"ws://{HOST}:{self.port}/chat/cable"

    def wait_until_ready(self) -> None:
        """Return when it takes connections, as a load balancer would ask."""
        for _ in waiting(self):
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{self.page}/cable/health", timeout=5).close()  # noqa: S310 - http
                return


@contextlib.contextmanager
def bus_server(kind: str, folder: Path) -> Iterator[str]:
    """Start Redis or NATS on a free port, and give its URL."""
    port = free_port()
    commands = {
        "redis": ["redis-server", "--bind", HOST, "--port", str(port), "--dir", str(folder), "--save", ""],
        "nats": ["nats-server", "--addr", HOST, "--port", str(port), "-js", "--store_dir", str(folder)],
    }
    program, *arguments = commands[kind]
    found = shutil.which(program)
    if found is None:
        sys.exit(f"{program} was not found; install it (Debian: apt-get install {program})")
    with (folder / f"{kind}.log").open("wb") as log:
        process = Process([found, *arguments], log, {})
    try:
        for _ in waiting(process):
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                break
        yield f"{kind}://{HOST}:{port}"
    finally:
        process.stop()


@contextlib.contextmanager
def nodes(number: int, bus: str, folder: Path) -> Iterator[list[Node]]:
    """Start nodes that share a bus."""
    started: list[Node] = []
    try:
        for index in range(number):
            with (folder / f"node-{index + 1}.log").open("wb") as log:
                started.append(Node(bus, log))
        for node in started:
            node.wait_until_ready()
        yield started
    finally:
        for node in started:
            node.stop()


def waiting(process: Process) -> Iterator[None]:
    """Come round until the caller has what it waits for, or the process or the time has ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        yield
        process.check()
        time.sleep(0.05)
    sys.exit("the cluster did not start in time")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
