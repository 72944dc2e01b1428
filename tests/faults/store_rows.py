"""The store behind the nodes is killed, paused, or comes back with nothing."""

import asyncio
import time

from lineside.testing._bus_nodes import until
from tests.faults.app import PUBLISH_SECONDS
from tests.faults.client import Client, Gap
from tests.faults.world import World
from tests.services import Nats, Server

_SPARE_SECONDS = 1.0
"""What a machine with two cores adds to every bound, while it also runs the nodes and their clients."""


async def killed(world: World) -> None:
    """F1: SIGKILL, and back with what it has kept; some clients lose their connection meanwhile."""
    await world.populate()
    await world.publish()
    await kill_and_restart(world, world.scale.choose(0.5, 0.2, 1.0, 0.2, 5.0, 1.0, 0.2, 1.0, 5.0, 0.2, 30.0))


async def kill_and_restart(world: World, outage: float) -> None:
    """Kill the store for some seconds, and look how soon everybody has news again."""
    store = _store(world)
    await asyncio.to_thread(store.kill)
    await _lose_some(world, outage)
    await asyncio.to_thread(store.restart)
    await _recovered(world, time.monotonic())


async def paused(world: World) -> None:
    """F2: SIGSTOP: nobody waits beyond the deadline, and the event loops go on."""
    await world.populate()
    await world.publish()
    for node in world.cluster.nodes:
        await world.cluster.figures(node)
    store = _store(world)
    store.pause()
    try:
        await _lose_some(world, world.scale.choose(1.0, 2.0, 5.0, 2.0, 5.0, 15.0))
    finally:
        store.resume()
    await _recovered(world, time.monotonic())
    for node in world.cluster.nodes:
        world.measure("loop stall", (await world.cluster.figures(node))["stall"])


async def emptied(world: World) -> None:
    """F3: everybody is told at once that their place is gone, and goes on live."""
    world.may_be_told = True
    await world.populate()
    await world.publish()
    store = _store(world)
    await asyncio.to_thread(store.kill)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(store.start_empty)
    back = time.monotonic()
    await until(
        lambda: all(_told(client) >= set(world.streams) for client in world.clients),
        seconds=10,
        what="every client is told for each stream",
    )
    world.measure("told after", time.monotonic() - back, bound=2.0 + _SPARE_SECONDS)
    await world.news(since=time.monotonic(), seconds=10)


async def _lose_some(world: World, outage: float) -> None:
    await asyncio.sleep(outage / 2)
    for client in world.rng.sample(world.clients, len(world.clients) // 4):
        client.cut()
    await asyncio.sleep(outage / 2)


async def _recovered(world: World, back: float) -> None:
    bound = 2.0 if isinstance(world.store, Nats) else 1.0
    stayed = [client for client in world.clients if client.live]
    took = await world.news(since=back, seconds=20, clients=stayed)
    world.measure("first news", took, bound=bound + _SPARE_SECONDS)
    world.measure("all back", await world.all_live(seconds=20))
    world.measure("slowest publish", world.publishers.slowest, bound=PUBLISH_SECONDS + 1.5)


def _told(client: Client) -> set[str]:
    return {entry.stream for entry in client.log if isinstance(entry, Gap)}


def _store(world: World) -> Server:
    assert world.store is not None
    return world.store
