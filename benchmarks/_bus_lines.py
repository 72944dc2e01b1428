"""Ways for a message from one process to another: the bus, and the plain clients that it is compared with.

As a program it is the publishing process: ``python -m benchmarks._bus_lines REDIS_URL NATS_URL``. Each line
that it reads is the name of a way and how many messages it is to publish, at an even pace.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import nats
import redis.asyncio
import uvloop

from lineside.bus import Bus, Discontinuity, HistoryLimits, Message

__all__ = ["STREAM", "Line", "lines"]

STREAM = "benchmark"
PER_SECOND = 500

Received = Callable[[bytes], None]
Publish = Callable[[bytes], Awaitable[object]]


class Line:
    """One way between two processes; each end is opened in its own.

    Args:
        receive: Hands on what comes, while it is open.
        publish: Gives the function that sends, while it is open.
    """

    def __init__(
        self,
        receive: Callable[[Received], AbstractAsyncContextManager[None]],
        publish: Callable[[], AbstractAsyncContextManager[Publish]],
    ) -> None:
        self.receive = receive
        self.publish = publish


def lines(redis_url: str, nats_url: str) -> Mapping[str, Line]:
    """Return the ways by name.

    Args:
        redis_url: A Redis.
        nats_url: A NATS server with JetStream.
    """
    kept = HistoryLimits()
    return {
        "redis-py": Line(partial(_receive_redis, redis_url), partial(_publish_redis, redis_url)),
        "nats-py": Line(partial(_receive_nats, nats_url), partial(_publish_nats, nats_url)),
        "redis": Line(partial(_receive_bus, redis_url, None), partial(_publish_bus, redis_url, None)),
        "nats": Line(partial(_receive_bus, nats_url, None), partial(_publish_bus, nats_url, None)),
        "redis, kept": Line(partial(_receive_bus, redis_url, kept), partial(_publish_bus, redis_url, kept)),
        "nats, kept": Line(partial(_receive_bus, nats_url, kept), partial(_publish_bus, nats_url, kept)),
    }


@asynccontextmanager
async def _receive_redis(url: str, received: Received) -> AsyncGenerator[None]:
    client = redis.asyncio.from_url(url)
    pubsub = client.pubsub()
    await pubsub.subscribe(STREAM)

    async def read() -> None:
        async for message in pubsub.listen():
            if message["type"] == "message":
                received(message["data"])

    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await pubsub.aclose()
        await client.aclose()


@asynccontextmanager
async def _publish_redis(url: str) -> AsyncGenerator[Publish]:
    client = redis.asyncio.from_url(url)
    try:
        yield partial(client.publish, STREAM)
    finally:
        await client.aclose()


@asynccontextmanager
async def _receive_nats(url: str, received: Received) -> AsyncGenerator[None]:
    client = await nats.connect(url)

    async def take(message: Any) -> None:
        received(message.data)

    await client.subscribe(STREAM, cb=take)
    await client.flush()
    try:
        yield
    finally:
        await client.close()


@asynccontextmanager
async def _publish_nats(url: str) -> AsyncGenerator[Publish]:
    client = await nats.connect(url)
    try:
        yield partial(client.publish, STREAM)
    finally:
        await client.close()


@asynccontextmanager
async def _receive_bus(url: str, history: HistoryLimits | None, received: Received) -> AsyncGenerator[None]:
    def listen(message: Message | Discontinuity) -> None:
        assert isinstance(message, Message)
        received(message.data)

    async with Bus(url, namespace=_namespace(history)) as bus:
        await bus.subscribe(STREAM, listen, history=history is not None)
        yield


@asynccontextmanager
async def _publish_bus(url: str, history: HistoryLimits | None) -> AsyncGenerator[Publish]:
    async with Bus(url, namespace=_namespace(history)) as bus:

        async def publish(data: bytes) -> None:
            await bus.publish(STREAM, data, history=history)

        yield publish


def _namespace(history: HistoryLimits | None) -> str:
    return "live" if history is None else "kept"


async def main(redis_url: str, nats_url: str) -> None:
    """Publish what each line of the input asks for; each message is the time at which it left."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        publish = {
            name: await stack.enter_async_context(line.publish())
            for name, line in lines(redis_url, nats_url).items()
        }
        print("ready", flush=True)
        while asked := await loop.run_in_executor(None, sys.stdin.readline):
            name, count = asked.rsplit(" ", 1)
            began = time.monotonic()
            for number in range(int(count)):
                await asyncio.sleep(began + number / PER_SECOND - time.monotonic())
                await publish[name](b"%d" % time.monotonic_ns())


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:3]))
