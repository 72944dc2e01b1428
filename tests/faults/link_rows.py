"""The link between a node and the store fails, in each of the ways in which links fail."""

import asyncio
import time
from contextlib import suppress

from lineside.testing._bus_nodes import until
from tests.faultproxy import FaultProxy, proxied
from tests.faults.client import Shown
from tests.faults.nodes import Node
from tests.faults.world import BoundMissedError, World

_NOTICED_SECONDS = 5.0
_PRESENCE_SECONDS = 15.0


async def black_hole(world: World) -> None:
    """F5: nothing passes, and nobody is told: it is noticed, knocked at gently, and costs nothing."""
    node, link = await _on_a_link(world)
    began, knocked = time.monotonic(), link.accepted
    link.black_hole()
    await _noticed(world, node)
    await asyncio.sleep(world.scale.choose(0.0, 1.0, 10.0, 1.0, 1.0, 10.0, 1.0, 1.0, 10.0, 1.0, 60.0))
    # One connection listens, and publishing has as many as it is asked for at a time.
    knocks = (link.accepted - knocked) / max(1.0, time.monotonic() - began)
    world.measure("knocks in a second", knocks, bound=4.0)
    link.heal()
    await _healed(world)


async def one_way(world: World) -> None:
    """F6: requests arrive without an answer, or the other way round; nothing is published twice."""
    node, link = await _on_a_link(world)
    if world.rng.random() < 0.5:
        link.swallow_up = True
    else:
        link.swallow_down = True
    await _noticed(world, node)
    link.heal()
    link.reset()
    await _healed(world)


async def slow(world: World) -> None:
    """F8: 200 ms, more or less 150, and 64 kB in a second: it takes time, and nothing else."""
    await world.populate()
    links = list(world.cluster.links.values())
    for link in links:
        link.latency, link.jitter, link.bytes_per_second = 0.2, 0.15, 64_000
    began = time.monotonic()
    await world.publish(pace=0.1)
    nodes = len(world.cluster.nodes)
    await asyncio.sleep(world.scale.choose(1.0, 10.0, 20.0))
    alive = await world.cluster.http.get(f"{world.cluster.choose().url}/nodes")
    if len(alive.json()) < nodes:
        raise BoundMissedError(f"a lease has ended: {len(alive.json())} of {nodes} nodes are left")
    delays = sorted(_delays(world, began))
    world.measure("p50 after the answer", delays[len(delays) // 2])
    world.measure("p99 after the answer", delays[int(len(delays) * 0.99)], bound=0.7 + 0.05 + 0.5)
    for link in links:
        link.heal()


async def reset(world: World) -> None:
    """F9: cut after any number of bytes, between clients and nodes and between nodes and store."""
    sizes = [1, 4_096, *(world.rng.randint(2, 4_095) for _ in range(world.scale.choose(3, 20, 40)))]
    first = world.cluster.nodes[0]
    async with proxied(first.port) as front:
        await world.populate()
        for number in range(4):
            world.clients.append(world.client(1_000 + number, through=lambda: front.port))
        await world.all_live(seconds=20)
        await world.publish(size=300)
        behind = [front, *([world.cluster.links[first]] if first in world.cluster.links else [])]
        for size in sizes:
            for proxy in behind:
                proxy.cut_after, proxy.cut_up_after = size, world.rng.randint(1, 4_096)
                proxy.reset()
            for _ in range(5):
                for client in world.clients[-4:]:
                    client.say("x" * world.rng.randint(1, 2_000))
                await asyncio.sleep(0.03)
            for proxy in behind:
                proxy.heal()
            await world.news(since=time.monotonic(), seconds=10)
        await world.all_live(seconds=10)
        await _finish_here(world)


async def partition(world: World) -> None:
    """F30: a node that reaches nobody but its clients: everybody is there once, in the end."""
    node, link = await _on_a_link(world)
    its = [client for client in world.clients if client.port == node.port]
    pings = {client: client.pings for client in its}
    link.black_hole()
    await asyncio.sleep(world.scale.choose(4.5, 10.0, 30.0))
    if any(client.port == node.port and client.pings <= pings[client] for client in its):
        raise BoundMissedError("a node has left its clients alone while it could not reach the store")
    healed = time.monotonic()
    link.heal()
    await _healed(world)
    await everybody_once(world, seconds=_PRESENCE_SECONDS)
    world.measure("presence whole after", time.monotonic() - healed, bound=_PRESENCE_SECONDS)


async def everybody_once(world: World, *, seconds: float) -> float:
    """Wait until every node sees each client once, and nobody else; return how long that took."""
    wanted = {client.name: 1 for client in world.clients if client.present}

    async def whole() -> bool:
        return all(
            [
                await world.cluster.presence(node, stream) == wanted
                for node in world.cluster.nodes
                if not node.ended
                for stream in world.streams
            ]
        )

    return await world.eventually(whole, seconds=seconds, what="each client is present once, and nobody else")


async def _on_a_link(world: World) -> tuple[Node, FaultProxy]:
    await world.populate()
    await world.publish()
    node = world.rng.choice(world.cluster.nodes)
    return node, world.cluster.links[node]


async def _noticed(world: World, node: Node) -> None:
    async def lost() -> bool:
        return not (await world.cluster.figures(node))["connected"]

    took = await world.eventually(lost, seconds=_NOTICED_SECONDS + 2.0, what="the fault is noticed")
    world.measure("noticed after", took, bound=_NOTICED_SECONDS + 1.0)


async def _healed(world: World) -> None:
    healed = time.monotonic()
    world.measure("first news", await world.news(since=healed, seconds=20), bound=5.0)
    world.measure("all back", await world.all_live(seconds=20))


def _delays(world: World, began: float) -> list[float]:
    return [
        max(0.0, entry.at - world.ledger.acked[entry.key].acked)
        for client in world.clients
        for entry in client.log
        if isinstance(entry, Shown) and entry.key in world.ledger.acked and entry.at > began
    ]


async def _finish_here(world: World) -> None:
    # Clients behind the proxy must have everything before it goes.
    await world.publishers.stop()
    with suppress(AssertionError):  # the ledger says what is missing
        await until(lambda: not any(world.ledger.missing(each) for each in world.clients))
