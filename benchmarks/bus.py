"""How long a message takes from one process to another over the bus, beside the plain clients of its servers.

Run it with ``python -m benchmarks.bus``; ``--check`` exits 1 when a bound is missed. It starts a Redis and a
NATS server of its own. 500 messages a second are published in another process; a number is the median of
the microseconds from before publishing to the listener. With history, as the cable publishes, a message gets
its position and its place in the log on the way; the plain clients it is compared with do not do that.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import uvloop

from benchmarks._bus_lines import Line, lines
from benchmarks._harness import Bound, Figure, Result, main
from tests.services import running_nats, running_redis

_MESSAGES = 250
_WARM_UP = 50
_PATIENCE = 30.0

_BOUND = Bound(1.5)
_FIGURES = (
    Figure("Redis, p50 (us)", "redis", "redis-py", _BOUND),
    Figure("Redis with history, p50 (us)", "redis, kept", "redis-py", _BOUND),
    Figure("NATS, p50 (us)", "nats", "nats-py", _BOUND),
    Figure("NATS with history, p50 (us)", "nats, kept", "nats-py", _BOUND),
)


class _Arrivals:
    """Takes messages, and how long each was on its way."""

    def __init__(self) -> None:
        self._waits: list[float] = []
        self._wanted = 0
        self._all = asyncio.Event()

    def take(self, data: bytes) -> None:
        """Take a message."""
        self._waits.append((time.monotonic_ns() - int(data)) / 1e3)
        if len(self._waits) == self._wanted:
            self._all.set()

    async def of(self, publisher: "subprocess.Popen[str]", name: str, count: int) -> list[float]:
        """Have so many messages published, and return how long each took."""
        assert publisher.stdin is not None
        self._waits, self._wanted = [], count
        self._all.clear()
        publisher.stdin.write(f"{name} {count}\n")
        async with asyncio.timeout(_PATIENCE):
            await self._all.wait()
        return self._waits


@contextmanager
def _publishing(*urls: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "benchmarks._bus_lines", *urls],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the publishing process has ended; it has said why")
        yield process
    finally:
        process.kill()
        process.communicate()


async def _medians(
    ways: dict[str, Line], publisher: "subprocess.Popen[str]", rounds: int
) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    async with AsyncExitStack() as stack:
        arrivals = {name: _Arrivals() for name in ways}
        for name, way in ways.items():
            await stack.enter_async_context(way.receive(arrivals[name].take))
            await arrivals[name].of(publisher, name, _WARM_UP)
        for _ in range(rounds):
            for name in order:
                taken[name].append(statistics.median(await arrivals[name].of(publisher, name, _MESSAGES)))
            order.reverse()
    return {name: statistics.median(each) for name, each in taken.items()}


def _measure(rounds: int) -> list[Result]:
    with running_redis() as redis, running_nats() as nats, _publishing(redis.url, nats.url) as publisher:
        medians = uvloop.run(_medians(dict(lines(redis.url, nats.url)), publisher, rounds))
    return [Result(figure, medians[figure.ours], medians[figure.peer]) for figure in _FIGURES]


if __name__ == "__main__":
    main(__doc__ or "", _measure, rounds=9)
