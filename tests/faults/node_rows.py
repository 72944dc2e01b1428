"""Nodes are killed, paused, drained and replaced under load."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import httpx2

from tests.faults.client import Client
from tests.faults.link_rows import everybody_once
from tests.faults.nodes import ROOT, Node
from tests.faults.world import BoundMissedError, World

_BACK_SECONDS = 5.0
_GHOST_SECONDS = 15.0
_EXIT_SECONDS = 15.0


async def killed(world: World) -> None:
    """F10: SIGKILL of a node; its clients go on elsewhere, and those that never come back are gone."""
    node = await _under_load(world)
    its = _clients_of(world, node)
    # They die with their node.
    ghosts = [] if world.cluster.local else its[: len(its) // 4]
    for ghost in ghosts:
        ghost.away = True
    node.kill()
    began = time.monotonic()
    if world.cluster.local:
        # What only its memory had is gone, and is told.
        world.may_be_told = True
        await world.cluster.repair(1)
        began = time.monotonic()
    for ghost in ghosts:
        world.clients.remove(ghost)
        await ghost.close()
    survivors = [client for client in its if client not in ghosts]
    await world.all_live(survivors, seconds=_BACK_SECONDS + 5.0)
    world.measure("clients back", time.monotonic() - began, bound=_BACK_SECONDS)
    await world.news(since=time.monotonic(), seconds=10)
    await everybody_once(world, seconds=_GHOST_SECONDS)
    world.measure("ghosts gone", time.monotonic() - began, bound=_GHOST_SECONDS)


async def zombie(world: World) -> None:
    """F11: SIGSTOP for longer than its lease, and then it goes on as if nothing had happened."""
    node = await _under_load(world)
    its = _clients_of(world, node)
    node.pause()
    try:
        node.ready = False
        began = time.monotonic()
        await world.all_elsewhere(its, node, seconds=10)
        world.measure("clients elsewhere", time.monotonic() - began, bound=2 * _BACK_SECONDS)
        await asyncio.sleep(max(0.0, world.scale.choose(4.5, 10.0, 20.0) - (time.monotonic() - began)))
    finally:
        node.resume()
    resumed = time.monotonic()
    await everybody_once(world, seconds=_GHOST_SECONDS)
    world.measure("presence whole after", time.monotonic() - resumed, bound=_GHOST_SECONDS)
    node.ready = True
    await world.news(since=time.monotonic(), seconds=10)


async def drained(world: World) -> None:
    """F12: SIGTERM with open sockets, event streams and requests: nobody is cut off, nothing is lost."""
    node = await _under_load(world)
    its = _clients_of(world, node)
    streams, requests = (100, 20) if world.scale.long else (5, 3)
    async with _event_streams(world, node, streams) as ends:
        slow = [
            asyncio.create_task(world.cluster.http.get(f"{node.url}/slow", params={"seconds": 1.0}))
            for _ in range(requests)
        ]
        await asyncio.sleep(0.3)
        before = {client: len(client.codes) for client in its}
        fresh = None
        if world.cluster.local:
            world.may_be_told = True
        else:
            fresh = asyncio.create_task(world.cluster.grow(1))
        node.terminate()
        began = time.monotonic()
        code = await node.exit_code()
        world.measure("exit", time.monotonic() - began, bound=_EXIT_SECONDS + 1.0)
        if code != 0:
            raise BoundMissedError(f"it has exited with {code}")
        if [answer.status_code for answer in await asyncio.gather(*slow)] != [200] * requests:
            raise BoundMissedError("requests that were under way have not been answered")
        clean = await asyncio.gather(*ends)
        if not all(clean):
            raise BoundMissedError(f"{clean.count(False)} event streams were torn off")
    await (fresh if fresh is not None else world.cluster.repair(1))
    codes = {code for client in its for code in client.codes[before[client] : before[client] + 1]}
    if not codes <= {1012}:
        raise BoundMissedError(f"clients were closed with {codes}, and not with 1012")
    if not all("server_restart" in client.reasons for client in its):
        raise BoundMissedError("clients were not told why they are sent away")
    world.measure("all back", await world.all_live(seconds=10), bound=_BACK_SECONDS)
    await world.news(since=time.monotonic(), seconds=10)
    if not world.cluster.local:
        await world.cluster.forget(node)


async def rolling(world: World) -> None:
    """F13: each node in turn is drained and replaced; publishers see no error at all."""
    await world.populate()
    await world.publish()
    for node in list(world.cluster.nodes):
        (fresh,) = await world.cluster.grow(1)
        node.terminate()
        began = time.monotonic()
        if (code := await node.exit_code()) != 0:
            raise BoundMissedError(f"a node has exited with {code}")
        world.measure("exit", time.monotonic() - began, bound=_EXIT_SECONDS + 1.0)
        await world.cluster.forget(node)
        world.measure("all back", await world.all_live(seconds=10), bound=_BACK_SECONDS)
        assert fresh.ready
    world.measure("HTTP errors", world.publishers.broken + world.publishers.unavailable, bound=0.0)
    await everybody_once(world, seconds=_GHOST_SECONDS)


async def several_in_memory(world: World) -> None:
    """F29: an app that would be split silently does not start, and says why."""
    for name in ("LINESIDE_WORKERS", "WEB_CONCURRENCY"):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "uvicorn", "--factory", "tests.faults.app:make_app_in_memory", "--port", "0"),
            cwd=ROOT,
            env={**os.environ, name: "2", "UVICORN_WORKERS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(20):
                said = await process.stderr.read()
                code = await process.wait()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        if code == 0 or b"reaches one process only" not in said:
            raise BoundMissedError(f"{name}=2 with a bus in memory has started; it said {said[-300:]!r}")


@asynccontextmanager
async def _event_streams(
    world: World, node: Node, number: int
) -> AsyncGenerator[list["asyncio.Task[bool]"], None]:
    """Open event streams to a node; each task tells whether the stream ended and was not torn off."""
    opened = [asyncio.Event() for _ in range(number)]

    async def listen(ready: asyncio.Event, http: httpx2.AsyncClient) -> bool:
        try:
            async with http.stream("GET", f"{node.url}/cable/events?stream={world.streams[0]}") as answer:
                async for line in answer.aiter_lines():
                    if line:
                        ready.set()
        except httpx2.TransportError:
            return False
        return True

    async with httpx2.AsyncClient(timeout=30, limits=httpx2.Limits(max_connections=number + 1)) as http:
        tasks = [asyncio.create_task(listen(ready, http)) for ready in opened]
        async with asyncio.timeout(20):
            await asyncio.gather(*(ready.wait() for ready in opened))
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _under_load(world: World) -> Node:
    await world.populate()
    await world.publish()
    return world.rng.choice(world.cluster.nodes)


def _clients_of(world: World, node: Node) -> list[Client]:
    return [client for client in world.clients if client.port == node.port]
