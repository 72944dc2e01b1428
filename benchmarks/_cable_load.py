"""The load on a server of `benchmarks.cable`: `_cable_client.c`, compiled when it is needed, in a process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Load", "compiled", "pinned"]

_SOURCE = Path(__file__).with_name("_cable_client.c")


def compiled(folder: Path) -> Path:
    """Return the load client, compiled; ends the benchmark where there is no compiler.

    A client in Python would cost more for each message than the server does, and measure itself.

    Args:
        folder: Where it is put.
    """
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        print("the load client needs a C compiler (Debian: apt-get install gcc libc6-dev)", file=sys.stderr)
        sys.exit(2)
    program = folder / "cable_client"
    subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)  # noqa: S603 - our own source
    return program


def pinned(process: subprocess.Popen[Any], index: int) -> None:
    """Keep a process on one processor, so that server and load do not take turns on them.

    Args:
        process: One that has just begun, with a single thread.
        index: Which of the processors that this process may use.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) > 1:
        os.sched_setaffinity(process.pid, {usable[index % len(usable)]})


class Load:
    """One client process with its connections; the last processor is its own.

    Args:
        program: What `compiled` has returned.
        port: The server's, on 127.0.0.1.
        path: The path of the WebSocket.
        protocol: ``"plain"``, ``"cable"`` or ``"socketio"``.
    """

    def __init__(self, program: Path, *, port: int, path: str, protocol: str) -> None:
        self._server = f"{port} {path} {protocol}"
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        pinned(self._process, -1)

    def open(self, count: int) -> dict[str, Any]:
        """Connect so many more clients; returns when all are in the room."""
        return self._ask(f"open {self._server} {count}")

    def run(self, *, window: int, seconds: float) -> dict[str, Any]:
        """Publish for a time, at least one message, and wait until every client has the last.

        Args:
            window: How many messages may be under way.
            seconds: How long new ones are published.

        Returns:
            ``messages``, ``deliveries``, ``disordered``, ``seconds``, ``p50_ms`` and ``p99_ms`` from
            publishing to the last receiver, and the client's own ``cpu_seconds``.
        """
        return self._ask(f"run {window} {seconds}")

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the load client has ended at {line!r}; it has said why")
        return dict(json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
