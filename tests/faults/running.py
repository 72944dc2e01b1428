"""A stand for faults: one store of its own, nodes on it, and rows that happen to both."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.faults.nodes import Cluster
from tests.faults.rows import ROWS
from tests.faults.world import Figures, Scale, world
from tests.services import Server, running_nats, running_redis

_STORES = {"redis": running_redis, "nats": running_nats}


class Stand:
    """Nodes on a store, one row after the other.

    Args:
        name: What the store is.
        store: The store; None for nodes in memory.
        cluster: The nodes.
    """

    def __init__(self, name: str, store: Server | None, cluster: Cluster) -> None:
        self.name = name
        self.cluster = cluster
        self._store = store

    async def prepare(self, nodes: int) -> None:
        """Have so many nodes that answer."""
        await self.cluster.repair(nodes)

    async def run(self, row: str, *, seed: int, scale: Scale, kept: Path | None = None) -> Figures:
        """Let one fault happen, and judge what came of it.

        Args:
            row: Its name in `ROWS`.
            seed: Decides what is random.
            scale: How large to make everything.
            kept: Where the ledger is written when the row fails.

        Raises:
            AssertionError: The row does not hold what it must hold.
        """
        wanted = ROWS[row]
        nodes = 1 if self._store is None else wanted.nodes if scale.long else 2
        await self.prepare(nodes)
        scale = replace(scale, clients=wanted.clients) if scale.long and not scale.clients else scale
        async with world(f"{row}-{self.name}", self.cluster, self._store, seed=seed, scale=scale) as made:
            try:
                await wanted.run(made)
                return await made.finish()
            except BaseException:
                if kept is not None:
                    made.write(kept)
                await self._mend()
                raise

    async def _mend(self) -> None:
        """Bring back what a row that failed has left broken."""
        if self._store is not None:
            self._store.ensure_running()
        for node in self.cluster.nodes:
            node.resume()


@asynccontextmanager
async def standing(store: str, *, short: bool = True) -> AsyncGenerator[Stand, None]:
    """Start a store and what is needed for nodes, for a block.

    Args:
        store: ``"redis"``, ``"nats"`` or ``"memory"``.
        short: Nodes have less time to stop in, and a shorter lease.
    """
    async with AsyncExitStack() as stack:
        server = stack.enter_context(_STORES[store]()) if store in _STORES else None
        cluster = Cluster(None if server is None else (server.url, server.port), Random(0), short=short)
        stack.push_async_callback(cluster.close)
        yield Stand(store, server, cluster)
