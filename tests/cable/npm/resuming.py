"""Clients whose TCP is cut again and again, while messages are published: what their applications see.

    python -m tests.cable.npm.resuming --clients 200 --seconds-between-cuts 10

runs @anycable/core on one node and on two, three times each, and prints the figures.
"""

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cable.npm.drivers import Driver, driver
from tests.cable.npm.nodes import Nodes, installed_clients, running_nodes
from tests.cable.npm.proxy import proxied
from tests.services import running_nats, running_redis

_DRIVERS = 2
_AT_ONCE = 20


@dataclass(frozen=True)
class Plan:
    """What is done to the clients.

    Attributes:
        clients: How many.
        messages: How many are published, one after the other.
        seconds_between_messages: How long the publisher waits after each.
        seconds_between_cuts: How long a connection lives, on average; between no time and twice as long.
        seed: Of the lengths of these lives.
    """

    clients: int
    messages: int
    seconds_between_messages: float
    seconds_between_cuts: float
    seed: int


@dataclass(frozen=True)
class Figures:
    """What the applications have seen.

    Attributes:
        expected: Messages times clients.
        lost: Messages that an application never saw.
        duplicates: Messages that it saw again.
        disordered: Messages that came behind a later one.
        cuts: How many connections were cut.
        restored: How many came back as the session they had been.
        resubscribed: How many came back with their positions only.
        told: How often a client was told that messages are lost.
        given_up: How often the library has given a channel up by itself.
    """

    expected: int
    lost: int
    duplicates: int
    disordered: int
    cuts: int
    restored: int
    resubscribed: int
    told: int
    given_up: int


async def run_plan(nodes: Nodes, folder: Path, plan: Plan) -> Figures:
    """Publish to clients that are cut, and return what they have seen when all that can come has come.

    Args:
        nodes: The app.
        folder: Where the drivers are.
        plan: What to do.
    """
    name, lives = uuid.uuid4().hex[:12], random.Random(plan.seed)
    ports = [node.port for node in nodes.all]
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(proxied(*ports))
        libraries = [
            await stack.enter_async_context(driver(folder, "anycable"))
            for _ in range(min(_DRIVERS, plan.clients))
        ]
        clients = {f"client-{each}": libraries[each % len(libraries)] for each in range(plan.clients)}
        gate = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(
            *(_enter(library, client, proxy.cable, name, gate) for client, library in clients.items())
        )
        proxy.lifetime = lambda: lives.uniform(0.0, 2.0 * plan.seconds_between_cuts)
        for link in proxy.links:
            proxy.cut_later(link)
        # From 1: the library drops messages that JavaScript takes for false.
        for number in range(1, plan.messages + 1):
            await nodes.broadcast(f"room:{name}", number, node=nodes.all[number % len(nodes.all)])
            await asyncio.sleep(plan.seconds_between_messages)
        proxy.lifetime = None
        cuts = proxy.cuts
        await _all_seen(clients, plan)
        return _figures(clients, plan, cuts)


async def _enter(library: Driver, client: str, url: str, name: str, gate: asyncio.Semaphore) -> None:
    async with gate:
        await library.do("create", client=client, url=url, protocol="actioncable-v1-ext-json")
        await library.do("connect", client=client)
        room = {"name": "Room", "params": {"name": name}, "persistent": True}
        await library.do("subscribe", client=client, channel="room", **room)


async def _all_seen(clients: dict[str, Driver], plan: Plan) -> None:
    def behind(library: Driver, client: str) -> bool:
        return len(set(library.messages(client=client))) < plan.messages

    try:
        for client, library in clients.items():
            await library.until(lambda seen=library, who=client: not behind(seen, who), seconds=30)
    except AssertionError:
        # Somebody has lost something: the figures tell.
        return


def _figures(clients: dict[str, Driver], plan: Plan, cuts: int) -> Figures:
    seen: list[list[Any]] = [library.messages(client=client) for client, library in clients.items()]
    libraries = set(clients.values())
    back = [event for library in libraries for event in library.seen("connect", reconnect=True)]
    return Figures(
        expected=plan.messages * plan.clients,
        lost=sum(plan.messages - len(set(each)) for each in seen),
        duplicates=sum(len(each) - len(set(each)) for each in seen),
        disordered=sum(after < before for each in seen for before, after in itertools.pairwise(each)),
        cuts=cuts,
        restored=sum(event["restored"] for event in back),
        resubscribed=sum(not event["restored"] for event in back),
        told=sum(len(library.seen("info", type="history_not_found")) for library in libraries),
        given_up=sum(len(library.seen("closed")) for library in libraries),
    )


async def _three_times(where: str, nodes: Nodes, folder: Path, given: argparse.Namespace) -> bool:
    clean = True
    for turn in range(given.times):
        plan = Plan(
            clients=given.clients,
            messages=given.messages,
            seconds_between_messages=given.seconds / given.messages,
            seconds_between_cuts=given.seconds_between_cuts,
            seed=given.seed + turn,
        )
        figures = await run_plan(nodes, folder, plan)
        clean = clean and not (figures.lost or figures.duplicates or figures.disordered)
        print(f"{where}, seed {plan.seed}: {figures}", flush=True)  # noqa: T201 - it is a program, too
    return clean


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the plan on one node and on two; return 1 if anything was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(description="Cut the TCP of resuming clients, and count.")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--messages", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=60.0, help="over how long they are published")
    parser.add_argument("--seconds-between-cuts", type=float, default=10.0)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--on", nargs="+", default=["memory", "redis"], choices=["memory", "redis", "nats"])
    given = parser.parse_args(arguments)
    clean = True
    with tempfile.TemporaryDirectory(prefix="lineside-npm-") as folder, ExitStack() as stack:
        clients = installed_clients(Path(folder))
        for bus in given.on:
            if bus == "memory":
                url, number = "memory://", 1
            else:
                server = running_redis() if bus == "redis" else running_nats()
                url, number = stack.enter_context(server).url, 2
            with running_nodes(url, number) as nodes:
                where = f"{number} node{'s'[: number - 1]} on {bus}"
                clean = asyncio.run(_three_times(where, nodes, clients, given)) and clean
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
