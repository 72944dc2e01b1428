"""Clients lose their connection, do not read, or send what nobody should."""

import asyncio
import time
from contextlib import suppress
from random import Random

from tests.faults.app import HISTORY
from tests.faults.client import Client, Gap, Shown
from tests.faults.sockets import ClientSocket, connect
from tests.faults.store_rows import kill_and_restart
from tests.faults.world import BoundMissedError, World

_CLOSED_SECONDS = 10.0
_MEBIBYTE = 1024 * 1024
_HOSTILE = (
    b"{" * 2_000,
    b"[" * 60_000,
    b'{"command":' + b'{"a":' * 500 + b"1" + b"}" * 501,
    b'{"command":"subscribe","identifier":"' + b"x" * 3_000 + b'"}',
    b'{"command":"subscribe","identifier":"{\\"channel\\":\\"Room\\",\\"name\\":NaN}"}',
    b'{"command":1e999,"identifier":' + b"9" * 5_000 + b"}",
    b'{"a":1,"a":2,"command":"\\ud800"}',
    ("{" + ",".join(f'"k{number}":{number}' for number in range(5_000)) + "}").encode(),
)


async def cut(world: World) -> None:
    """F14: many short cuts lose nothing; one that outlasts the history is told."""
    await world.populate()
    await world.publish()
    cuts, seconds = world.scale.choose((3, 0.3), (5, 2.0), (50, 0.2))
    for _ in range(cuts):
        some = world.rng.sample(world.clients, len(world.clients) // 2)
        await _away(some, seconds)
        await world.all_live(seconds=10)
    if any(isinstance(entry, Gap) for client in world.clients for entry in client.log):
        raise BoundMissedError("a gap was told within the history's bounds")
    world.may_be_told = True
    some = world.rng.sample(world.clients, max(1, len(world.clients) // 4))
    for client in some:
        client.away = True
        client.cut()
    await world.publishers.burst(world.streams[0], f"{world.streams[0]}/burst", HISTORY + 100)
    for client in some:
        client.away = False
    await world.all_live(seconds=10)
    await world.news(since=time.monotonic(), seconds=10)
    if not all(any(isinstance(entry, Gap) for entry in client.log) for client in some):
        raise BoundMissedError("a client was away for longer than its history, and was not told")


async def slow(world: World) -> None:
    """F15: some never read and some read late: nobody else waits, and they go on where they stopped."""
    await world.populate()
    await world.publish(size=2_000)
    began = time.monotonic()
    await asyncio.sleep(world.scale.choose(0.5, 3.0))
    calm = _p99(world, began, world.clients)
    base = {node: (await world.cluster.figures(node))["rss"] for node in world.cluster.nodes}
    share = world.scale.choose(0.25, 0.01, 0.1, 0.5)
    sleepers = world.rng.sample(world.clients, max(1, round(len(world.clients) * share)))
    awake = [client for client in world.clients if client not in sleepers]
    for client in sleepers:
        client.sleep()
    # More than the kernel takes for a client that does not read, and its outbox; less than the history.
    began = time.monotonic()
    count = world.scale.choose(25, 60)
    for number in range(8):
        producer = f"{world.streams[0]}/burst{number}"
        await world.publishers.burst(world.streams[0], producer, count, size=60_000)
    delay = _p99(world, began, awake)
    world.measure("p99 before", calm)
    world.measure("p99 meanwhile", delay)
    fallen = time.monotonic()
    await world.eventually(
        lambda: _closed(world, len(awake)), seconds=2 * _CLOSED_SECONDS, what="slow clients are closed"
    )
    world.measure("closed after", time.monotonic() - fallen, bound=_CLOSED_SECONDS)
    for node in world.cluster.nodes:
        grown = ((await world.cluster.figures(node))["rss"] - base[node]) / _MEBIBYTE
        world.measure("RSS grown meanwhile, MiB", grown, bound=64 + 2 * len(sleepers))
    for client in sleepers:
        client.wake()
    # The history of this row is 29 MB, which a bus in memory keeps itself.
    world.memory_mebibytes = 160.0
    world.measure("slow ones back", await world.all_live(seconds=20))


async def hostile(world: World) -> None:
    """F27: frames that are deep, long, odd or cut, while the store is killed as well."""
    await world.populate()
    await world.publish()
    stop = asyncio.Event()
    attackers = [asyncio.create_task(_attack(world, stop, Random(world.rng.random()))) for _ in range(3)]
    try:
        await kill_and_restart(world, world.scale.choose(0.3, 1.0))
    finally:
        stop.set()
        await asyncio.gather(*attackers)
    malformed = sum([(await world.cluster.figures(node))["malformed"] for node in world.cluster.nodes])
    if not malformed:
        raise BoundMissedError("no hostile frame has arrived: this row has shown nothing")
    world.measure("hostile frames", malformed)


async def _away(clients: list[Client], seconds: float) -> None:
    for client in clients:
        client.away = True
        client.cut()
    await asyncio.sleep(seconds)
    for client in clients:
        client.away = False


async def _closed(world: World, connections: int) -> bool:
    now = [(await world.cluster.figures(node))["connections"] for node in world.cluster.nodes]
    return sum(now) <= connections


async def _attack(world: World, stop: asyncio.Event, rng: Random) -> None:
    while not stop.is_set():
        over = asyncio.Event()
        with suppress(OSError):
            port = world.cluster.choose().port
            socket = await connect(port, "/cable", lambda _: None, lambda _, over=over: over.set())
            while not stop.is_set() and not over.is_set():
                _throw(socket, rng)
                await asyncio.sleep(0.01)
            socket.abort()


def _throw(socket: ClientSocket, rng: Random) -> None:
    frame = rng.choice(_HOSTILE)
    if rng.random() < 0.3:
        frame = frame[: rng.randint(1, len(frame))] + rng.randbytes(8)
    socket.send_bytes(frame)


def _p99(world: World, began: float, clients: list[Client]) -> float:
    acked = world.ledger.acked
    delays = sorted(
        entry.at - acked[entry.key].began
        for client in clients
        for entry in client.log
        if isinstance(entry, Shown)
        and entry.at > began
        and entry.key in acked
        # A burst's messages have one beginning between them.
        and "/p" in entry.key[0]
    )
    return delays[int(len(delays) * 0.99)] if delays else 0.0
