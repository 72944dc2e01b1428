"""Publishers over HTTP, through any node, until each message is acknowledged."""

import asyncio
import time
from typing import Any

import httpx2

from tests.faults.ledger import Ledger, Sent
from tests.faults.nodes import Cluster

_ATTEMPT_SECONDS = 10.0


class Publishers:
    """Publishes numbered messages, and writes down what became of them.

    A message that was not acknowledged is published again with the same idempotency key, through any node.

    Args:
        ledger: Where acknowledgements are written.
        cluster: Through which it is published.

    Attributes:
        slowest: The longest time that an attempt took, in seconds.
        unavailable: How many attempts were answered 503.
        refused: How many found nobody listening; a balancer would have gone elsewhere.
        broken: How many requests were under way and got no answer, or a wrong one.
    """

    def __init__(self, ledger: Ledger, cluster: Cluster) -> None:
        self.slowest = 0.0
        self.unavailable = 0
        self.refused = 0
        self.broken = 0
        self._ledger = ledger
        self._cluster = cluster
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def publish(self, stream: str, producer: str, *, pace: float, size: int = 0) -> None:
        """Publish to a stream, one message after the other, until `stop`.

        Args:
            stream: The stream.
            producer: Its name in the ledger.
            pace: Seconds between two messages.
            size: Bytes of padding in each.
        """
        self._tasks.append(asyncio.create_task(self._publish(stream, producer, pace, size)))

    @property
    def publishing(self) -> bool:
        """It has begun, and nobody has stopped it."""
        return bool(self._tasks) and not self._stop.is_set()

    async def burst(self, stream: str, producer: str, count: int, *, size: int = 0) -> None:
        """Publish many messages through one node at once.

        Args:
            stream: The stream.
            producer: A name that has published nothing yet.
            count: How many.
            size: Bytes of padding in each.
        """
        began = time.monotonic()
        self._ledger.unknown.update((producer, number) for number in range(count))
        wanted = {"stream": stream, "producer": producer, "count": count, "size": size}
        answer = await self._cluster.http.post(f"{self._cluster.choose().url}/burst", json=wanted)
        acked = time.monotonic()
        for number, (epoch, offset) in enumerate(answer.raise_for_status().json()):
            sent = Sent(stream, producer, number, epoch, offset, began, acked)
            self._ledger.acked[sent.key] = sent
            self._ledger.unknown.discard(sent.key)

    async def stop(self, *, seconds: float = 15.0) -> None:
        """Let each publisher finish its message, and give up what has no answer by then."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _publish(self, stream: str, producer: str, pace: float, size: int) -> None:
        number = 0
        while not self._stop.is_set():
            message = {"p": producer, "n": number, "x": "x" * size}
            self._ledger.unknown.add((producer, number))
            await self._until_acked({"stream": stream, "message": message, "key": f"{producer}:{number}"})
            number += 1
            await asyncio.sleep(pace)

    async def _until_acked(self, wanted: dict[str, Any]) -> None:
        began = time.monotonic()
        while True:
            position = await self._attempt(wanted)
            if position is not None:
                break
            await asyncio.sleep(0.05)
        message = wanted["message"]
        sent = Sent(
            wanted["stream"],
            message["p"],
            message["n"],
            position["epoch"],
            position["offset"],
            began,
            time.monotonic(),
        )
        self._ledger.acked[sent.key] = sent
        self._ledger.unknown.discard(sent.key)

    async def _attempt(self, wanted: dict[str, Any]) -> Any:
        node, began = self._cluster.choose(), time.monotonic()
        try:
            answer = await self._cluster.http.post(
                f"{node.url}/publish",
                json=wanted,
                # A connection that is kept may be closed by the node just as it is used again.
                headers={"Connection": "close"},
                timeout=_ATTEMPT_SECONDS,
            )
        except httpx2.ConnectError:
            self.refused += 1
            return None
        except httpx2.TransportError:
            self.broken += 1
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        if answer.status_code == 200:
            return answer.json()
        if answer.status_code == 503:
            self.unavailable += 1
        else:
            self.broken += 1
        return None
