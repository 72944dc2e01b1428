"""Nodes of the app, each a process that a test may kill, pause, drain and replace."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from lineside.cli._listening import listen
from tests.faultproxy import FaultProxy

ROOT = Path(__file__).parents[2]
_START_SECONDS = 60.0
_END_SECONDS = 30.0
_PEER_SECONDS = 5.0
SHORT_LEASE_SECONDS = 3.0
# What no fault may leave behind in a node's log.
_NEVER = ("was never retrieved", "Exception in ASGI application", "MemoryError", "RecursionError")


class Node:
    """One process of the app.

    Args:
        bus: The URL of what connects it with the other nodes.
        log: Where what it says goes.
        short: It has less time to stop in, and its lease is shorter.

    Attributes:
        port: Where it listens.
        ready: Clients are sent here.
    """

    def __init__(self, bus: str, log: Path, *, short: bool) -> None:
        (listening,) = listen("127.0.0.1", 0, peer_timeout_seconds=_PEER_SECONDS)
        listening.listen(2_048)
        self.port: int = listening.getsockname()[1]
        self.log = log
        self.ready = False
        self._read = 0
        seconds = "3" if short else "15"
        with listening, log.open("ab") as said:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.faults.app",
                    bus,
                    str(listening.fileno()),
                    seconds,
                ],
                cwd=ROOT,
                env={**os.environ, **({"LINESIDE_FAULTS_LEASE": str(SHORT_LEASE_SECONDS)} if short else {})},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )

    async def until_ready(self, http: httpx2.AsyncClient) -> None:
        """Return when it answers; the kernel has taken its connections from the beginning."""
        with suppress(httpx2.TransportError):
            answer = await http.get(f"{self.url}/cable/health", timeout=_START_SECONDS)
            if answer.status_code == 200:
                self.ready = True
                return
        raise RuntimeError(f"the app did not start:\n{self.log.read_text()[-4_000:]}")

    @property
    def url(self) -> str:
        """Where its HTTP is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ended(self) -> bool:
        """The process is gone."""
        return self._process.poll() is not None

    def pause(self) -> None:
        """Stop it where it is; its sockets stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self.ready = False
        self._process.kill()
        self._process.wait(_END_SECONDS)

    def terminate(self) -> None:
        """Ask it to stop in order."""
        self.ready = False
        self._process.terminate()

    async def exit_code(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return await asyncio.to_thread(self._process.wait, _END_SECONDS)

    def complaints(self) -> list[str]:
        """Return the new lines of its log that no fault excuses."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        fresh, self._read = lines[self._read :], len(lines)
        return [line for line in fresh if any(word in line for word in _NEVER)]


class Cluster:
    """The nodes of one app, each with a link of its own to the store.

    Args:
        store: The URL of the store, and the port in it; None for nodes in memory.
        rng: Chooses nodes.
        short: Nodes have less time to stop in, and a shorter lease.

    Attributes:
        nodes: The nodes that have been started, and not replaced.
        links: Each node's link to the store.
    """

    def __init__(self, store: tuple[str, int] | None, rng: Random, *, short: bool) -> None:
        self.nodes: list[Node] = []
        self.links: dict[Node, FaultProxy] = {}
        self.http = httpx2.AsyncClient(
            timeout=_START_SECONDS, limits=httpx2.Limits(max_connections=200, max_keepalive_connections=20)
        )
        self._store = store
        self._rng = rng
        self._short = short
        self._gone: list[Node] = []
        self._folder = tempfile.TemporaryDirectory(prefix="lineside-faults-")

    @property
    def local(self) -> bool:
        """Its nodes know nothing of each other."""
        return self._store is None

    async def grow(self, number: int) -> list[Node]:
        """Start so many nodes, and return when all of them answer."""
        fresh = [await self._launch() for _ in range(number)]
        await asyncio.gather(*(node.until_ready(self.http) for node in fresh))
        return fresh

    async def _launch(self) -> Node:
        link, url = None, "memory://"
        if self._store is not None:
            link = FaultProxy(self._store[1])
            await link.start()
            url = self._store[0].replace(f":{self._store[1]}", f":{link.port}")
        number = len(self.nodes) + len(self._gone)
        node = Node(url, Path(self._folder.name) / f"{number}.log", short=self._short)
        self.nodes.append(node)
        if link is not None:
            self.links[node] = link
        return node

    async def repair(self, number: int) -> None:
        """Replace nodes that have ended, and heal every link."""
        for node in [node for node in self.nodes if node.ended]:
            await self.forget(node)
        for link in self.links.values():
            link.heal()
        await self.grow(number - len(self.nodes))

    async def forget(self, node: Node) -> None:
        """Count a node that has ended no longer."""
        self.nodes.remove(node)
        self._gone.append(node)
        link = self.links.pop(node, None)
        if link is not None:
            await link.stop()

    def choose(self) -> Node:
        """Return a node as a balancer does that looks at health: any that takes clients."""
        return self._rng.choice([node for node in self.nodes if node.ready] or self.nodes)

    async def figures(self, node: Node) -> dict[str, Any]:
        """Return what a node says of itself; the stall is that since the last time it was asked."""
        figures: dict[str, Any] = (await self.http.get(f"{node.url}/figures")).raise_for_status().json()
        return figures

    async def presence(self, node: Node, stream: str) -> dict[str, int]:
        """Return who is present on a stream as a node sees it, with the number of sessions."""
        answer = await self.http.get(f"{node.url}/presence", params={"stream": stream})
        present: dict[str, int] = answer.raise_for_status().json() if answer.status_code == 200 else {}
        return present

    def complaints(self) -> list[str]:
        """Return the lines in the nodes' logs that no fault excuses."""
        return [line for node in (*self.nodes, *self._gone) for line in node.complaints()]

    async def close(self) -> None:
        """End every node."""
        for node in self.nodes:
            if not node.ended:
                node.resume()
                node.kill()
        for link in self.links.values():
            await link.stop()
        await self.http.aclose()
        self._folder.cleanup()
