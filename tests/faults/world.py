"""One row's world: a store, nodes, clients, publishers, and the figures that come of them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from lineside.testing._bus_nodes import until
from tests.faults.client import Client, Gap, Shown
from tests.faults.ledger import Ledger, Verdict
from tests.faults.nodes import Cluster, Node
from tests.faults.publishers import Publishers
from tests.services import Server

_DRAIN_SECONDS = 20.0
_AFTERWARDS = 20
_PRESENT = 50
_SETTLE_SECONDS = 10.0
_MEBIBYTE = 1024 * 1024
_T = TypeVar("_T")


class BoundMissedError(AssertionError):
    """A row has not held what it must hold."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a row is made.

    Attributes:
        clients: How many clients there are.
        long: The durations of the table are used, and not the shortest ones.
        round: Which repetition this is; rows go through their durations by it.
    """

    clients: int = 12
    long: bool = False
    round: int = 0

    def choose(self, short: _T, *durations: _T) -> _T:
        """Return this round's duration."""
        return durations[self.round % len(durations)] if self.long else short


@dataclass(slots=True)
class Figures:
    """What a row has measured.

    Attributes:
        verdict: What the ledger says.
        measured: Further figures by name, in seconds unless the name says otherwise.
    """

    verdict: Verdict = field(default_factory=Verdict)
    measured: dict[str, float] = field(default_factory=dict[str, float])


class World:
    """What a row works with.

    Args:
        name: Part of the names of its streams: no two worlds share one.
        cluster: Its nodes.
        store: The store behind them; None for nodes in memory.
        rng: Decides what is random; another world with the same seed decides the same.
        scale: How large to make everything.

    Attributes:
        clients: Who was there before the first message; the ledger judges them.
        streams: What they are subscribed to.
        memory_mebibytes: How much a node's memory may grow.
        may_be_told: Gaps that are told are no fault: the row goes beyond the history's bounds.
    """

    def __init__(self, name: str, cluster: Cluster, store: Server | None, rng: Random, scale: Scale) -> None:
        self.cluster = cluster
        self.store = store
        self.rng = rng
        self.scale = scale
        self.ledger = Ledger()
        self.publishers = Publishers(self.ledger, cluster)
        self.clients: list[Client] = []
        self.streams = [f"{name}:0", f"{name}:1"]
        self.figures = Figures()
        self.may_be_told = False
        self.memory_mebibytes = 64.0
        self._before: dict[Node, dict[str, Any]] = {}

    # -- traffic ------------------------------------------------------------------

    def client(
        self, number: int, *, node: Node | None = None, through: Callable[[], int] | None = None
    ) -> Client:
        """Start a client, on a node at first or on any.

        It goes to any node of the cluster that is ready when it comes back, or always to one port.
        """
        first = [] if node is None else [node]

        def port() -> int:
            return first.pop().port if first else self.cluster.choose().port

        return Client(
            f"c{number}",
            self.streams,
            through or port,
            Random(self.rng.random()),
            # Everybody who is present is told to everybody: a thousand would be a million messages.
            present=number < _PRESENT,
        )

    async def populate(self, number: int | None = None) -> None:
        """Let clients subscribe, spread over the nodes, and wait until all have."""
        nodes = self.cluster.nodes
        for index in range(self.scale.clients if number is None else number):
            self.clients.append(self.client(index, node=nodes[index % len(nodes)]))
        await self.all_live(seconds=60)

    async def publish(self, *, pace: float | None = None, size: int = 0) -> None:
        """Begin to publish to every stream, and wait until every client has been shown something."""
        for node in self.cluster.nodes:
            self._before[node] = await self.cluster.figures(node)
        pace = pace if pace is not None else (0.1 if len(self.clients) > 200 else 0.03)
        for index, stream in enumerate(self.streams):
            self.publishers.publish(stream, f"{stream}/p{index}", pace=pace, size=size)
        await until(
            lambda: all(
                {entry.stream for entry in client.log} >= set(self.streams) for client in self.clients
            ),
            seconds=30,
            what="every client is shown a message of every stream",
        )

    async def all_live(self, clients: Iterable[Client] | None = None, *, seconds: float) -> float:
        """Wait until clients have their subscriptions and what they missed; return how long that took."""
        wanted = self.clients if clients is None else list(clients)
        began = time.monotonic()
        await until(
            lambda: all(client.live for client in wanted),
            seconds=seconds,
            what=lambda: f"all are back; away: {[c.name for c in wanted if not c.live][:5]}",
        )
        return time.monotonic() - began

    async def all_elsewhere(self, clients: Iterable[Client], node: Node, *, seconds: float) -> None:
        """Wait until clients go on at another node."""
        wanted = list(clients)
        await until(
            lambda: all(client.live and client.port != node.port for client in wanted),
            seconds=seconds,
            what="its clients go on elsewhere",
        )

    async def news(self, *, since: float, seconds: float, clients: Iterable[Client] | None = None) -> float:
        """Wait until clients are shown a message after a time; return how long after it the last was."""
        wanted = self.clients if clients is None else list(clients)
        await until(
            lambda: all(client.last_shown() > since for client in wanted),
            seconds=seconds,
            what="every client is shown a message again",
        )
        firsts = [
            next(entry.at for entry in client.log if isinstance(entry, Shown) and entry.at > since)
            for client in wanted
        ]
        return max(firsts) - since

    # -- what must hold --------------------------------------------------------------

    def measure(self, name: str, value: float, *, bound: float | None = None) -> None:
        """Write a figure down; one beyond its bound fails the row."""
        self.figures.measured[name] = max(value, self.figures.measured.get(name, value))
        if bound is not None and value > bound:
            raise BoundMissedError(f"{name} is {value:.2f}, and must not be more than {bound:g}")

    async def eventually(
        self, condition: Callable[[], Awaitable[bool]], *, seconds: float, what: str
    ) -> float:
        """Wait until a node says so; return how long that took."""
        began = time.monotonic()
        while not await condition():
            if time.monotonic() - began > seconds:
                raise BoundMissedError(f"waited {seconds:g} s in vain until {what}")
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def finish(self) -> Figures:
        """End the traffic, wait for what is under way, and judge.

        Raises:
            BoundMissedError: Something is lost, doubled, out of order, silent or too large.
        """
        if self.publishers.publishing:
            enough = len(self.ledger.acked) + _AFTERWARDS
            await until(lambda: len(self.ledger.acked) >= enough, seconds=20, what="publishing goes on")
        await self.publishers.stop()
        self.figures.measured["slowest publish"] = self.publishers.slowest
        with suppress(AssertionError):  # the verdict says what is missing
            await until(lambda: not self._waiting(), seconds=_DRAIN_SECONDS)
        verdict = self.figures.verdict = self.ledger.judge(self.clients, self.streams)
        faults = verdict.faults()
        rejected = [client.name for client in self.clients if client.rejected]
        if rejected:
            faults.append(f"subscriptions refused for good: {rejected[:3]}")
        if verdict.gaps and not self.may_be_told:
            faults.append(f"{verdict.gaps} gaps were told within the history's bounds")
        faults += self.cluster.complaints()
        faults += await self._grown()
        if faults:
            raise BoundMissedError("; ".join(faults))
        return self.figures

    def _waiting(self) -> bool:
        return any(
            self.ledger.missing(client)
            and not (self.may_be_told and any(isinstance(entry, Gap) for entry in client.log))
            for client in self.clients
        )

    async def _grown(self) -> list[str]:
        """Look at the nodes that were there from the beginning, while their clients still are."""
        grown: list[str] = []

        async def settled() -> bool:
            grown[:] = [said for node in self._before for said in await self._look_at(node)]
            return not grown

        # What is under way when the traffic ends comes to its end first.
        with suppress(BoundMissedError):
            await self.eventually(settled, seconds=_SETTLE_SECONDS, what="the nodes have settled")
        return grown

    async def _look_at(self, node: Node) -> list[str]:
        if node not in self.cluster.nodes or node.ended:
            return []
        grown: list[str] = []
        before, now = self._before[node], await self.cluster.figures(node)
        rss = (now["rss"] - before["rss"]) / _MEBIBYTE
        self.figures.measured["RSS grown, MiB"] = max(rss, self.figures.measured.get("RSS grown, MiB", 0.0))
        more = max(0, now["connections"] - before["connections"])
        if rss > self.memory_mebibytes:
            grown.append(f"a node's memory has grown by {rss:.0f} MiB")
        # Clients that changed nodes bring their socket; all else comes back to where it was.
        for name, spare in (("fds", 16), ("tasks", 16)):
            if now[name] - before[name] > 3 * more + spare:
                grown.append(f"a node's {name} have grown from {before[name]} to {now[name]}")
        if now["broken"]:
            grown.append(f"{now['broken']} commands reached a channel in part")
        return grown

    def write(self, path: Path) -> None:
        """Keep the ledger for whoever looks for what went wrong."""
        self.ledger.write(path, self.clients)

    async def close(self) -> None:
        """End every client and publisher."""
        await self.publishers.stop(seconds=0.1)
        await asyncio.gather(*(client.close() for client in self.clients))


@asynccontextmanager
async def world(
    name: str, cluster: Cluster, store: Server | None, *, seed: int, scale: Scale
) -> AsyncGenerator[World, None]:
    """Make a world for a block."""
    made = World(f"{name}-{seed}", cluster, store, Random(seed), scale)
    try:
        yield made
    finally:
        await made.close()
