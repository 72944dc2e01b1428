"""Nodes of the app in processes of their own, and the folder where the client libraries are installed."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from tests.services import missing

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
_START_SECONDS = 60.0
_INSTALL_SECONDS = 110.0


class Node:
    """One process of the app.

    Args:
        bus: The URL of what connects it with the other nodes.
        log: Where what it says goes.
        options: More for its command line.
    """

    def __init__(self, bus: str, log: Path, *options: str) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        self.port: int = listener.getsockname()[1]
        self.log = log
        with listener, log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cable.npm.app", bus, str(listener.fileno()), *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
            )

    def wait_until_ready(self) -> None:
        """Return when it answers; the kernel has taken its connections from the beginning."""
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{self.url}/cable/health", timeout=_START_SECONDS).status_code == 200:
                return
        raise RuntimeError(f"the app did not start:\n{self.log.read_text()[-4_000:]}")

    def stop(self) -> None:
        """End the process, and say so if it has to be killed."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(15)
            raise

    @property
    def url(self) -> str:
        """Where its HTTP is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cable(self) -> str:
        """Where its socket is."""
        return f"ws://127.0.0.1:{self.port}/cable"


class Nodes:
    """All nodes of one cluster, asked and told over HTTP."""

    def __init__(self, nodes: list[Node]) -> None:
        self.all = nodes
        self.first = nodes[0]
        self.last = nodes[-1]

    async def broadcast(self, stream: str, *messages: Any, node: Node | None = None) -> list[int]:
        """Publish messages to a stream, by default on the last node; return their offsets."""
        answer = await self._request(
            node or self.last, "POST", "/broadcast", json={"stream": stream, "messages": messages}
        )
        offsets: list[int] = answer.json()
        return offsets

    async def disconnect(self, user: str, *, reconnect: bool) -> None:
        """End the connections of a user, told to the last node."""
        await self._request(self.last, "POST", f"/disconnect/{user}", params={"reconnect": reconnect})

    async def subscriptions(self, stream: str) -> int:
        """Return how many subscriptions a stream has on all nodes."""
        return sum([(await self.stats(node))["streams"].get(stream, 0) for node in self.all])

    async def stats(self, node: Node) -> Any:
        """Return what a node has counted."""
        return (await self._request(node, "GET", "/stats")).json()

    async def _request(self, node: Node, method: str, path: str, **options: Any) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=node.url, timeout=30) as http:
            return (await http.request(method, path, **options)).raise_for_status()


@contextlib.contextmanager
def running_nodes(bus: str, number: int, *options: str) -> Iterator[Nodes]:
    """Serve the app by so many nodes for a block."""
    with tempfile.TemporaryDirectory(prefix="lineside-nodes-") as folder, contextlib.ExitStack() as stack:
        nodes: list[Node] = []
        for index in range(number):
            node = Node(bus, Path(folder) / f"{index}.log", *options)
            stack.callback(node.stop)
            nodes.append(node)
        for node in nodes:
            node.wait_until_ready()
        yield Nodes(nodes)


def installed_clients(folder: Path) -> Path:
    """Return a folder with the drivers and the libraries they import, installed once per package.json.

    Args:
        folder: An empty folder.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("node with npm", "install them (Debian: apt-get install nodejs npm), or put both on PATH")
    for driver in HERE.glob("*.mjs"):
        shutil.copy(driver, folder)
    shutil.copy(HERE / "package.json", folder)
    (folder / "node_modules").symlink_to(_modules(npm) / "node_modules")
    return folder


def _modules(npm: str) -> Path:
    package = (HERE / "package.json").read_bytes()
    kept = ROOT / ".npm" / hashlib.sha256(package).hexdigest()[:16]
    if kept.is_dir():
        return kept
    kept.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="installing-", dir=kept.parent) as fresh:
        made = Path(fresh) / "made"
        made.mkdir()
        (made / "package.json").write_bytes(package)
        _install(npm, made)
        # Another process of the same run may have been quicker.
        with contextlib.suppress(OSError):
            made.rename(kept)
    return kept


def _install(npm: str, folder: Path) -> None:
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--loglevel=error")
    began = time.monotonic()
    result = subprocess.run(
        [npm, "install", *options],
        cwd=folder,
        env={**os.environ, "npm_config_update_notifier": "false"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if result.returncode:
        took = f"after {time.monotonic() - began:.0f} s"
        missing("the client libraries", f"`npm install` failed {took}:\n{result.stderr[-2_000:]}")
