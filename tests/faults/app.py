"""The app that the faults happen to; one process is one node, served as ``lineside server`` serves it.

    python -m tests.faults.app redis://127.0.0.1:6379/0 3 15

serves it on the socket with that descriptor, and has so many seconds to stop in.
"""

import asyncio
import hashlib
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from lineside.bus import BackendOptions, BusUnavailable, HistoryLimits
from lineside.bus._urls import backend_of_url
from lineside.cable import CableLimits, Channel
from lineside.cable.fastapi import CableRouter, cable_router
from lineside.cli._graceful import GracefulServer
from lineside.cli._header_timeout import PatientProtocol
from lineside.cli._server_config import ServerConfig

HISTORY = 1_000
"""How many messages of a stream are kept."""
PING_SECONDS = 1.0
PRESENCE_SECONDS = 2.0
PUBLISH_SECONDS = 2.0
"""The bus' deadline."""
_TICK = 0.02


def check_of(text: str) -> str:
    """Return what a text's receiver compares, to know that it has all of it."""
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


def resources() -> dict[str, int]:
    """Return what this process has of memory, in bytes, and of open files."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"rss": pages * resource.getpagesize(), "fds": len(list(Path("/proc/self/fd").iterdir()))}


class Counts:
    """What this node has seen that no figure of the cable shows.

    Attributes:
        broken: Commands that arrived in part.
        heard: Commands that arrived whole.
        stall: The longest time that the event loop did nothing for anybody, in seconds.
    """

    def __init__(self) -> None:
        self.broken = 0
        self.heard = 0
        self.stall = 0.0

    async def watch(self) -> None:
        """Measure how late the event loop comes."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_TICK)
            self.stall = max(self.stall, time.monotonic() - began - _TICK)


COUNTS = Counts()


class Room(Channel):
    """A stream with history and presence, and an action that knows whether it was called with all of it."""

    public = True

    async def subscribed(self, name: str, me: str) -> None:
        await self.stream_from(name, whisper=True, presence={"id": me, "info": {}})

    async def say(self, text: str, check: str) -> None:
        if check_of(text) == check:
            COUNTS.heard += 1
        else:
            COUNTS.broken += 1


class Publication(BaseModel):
    """What is published over HTTP."""

    stream: str
    message: dict[str, Any]
    key: str


class Burst(BaseModel):
    """Many messages at once, numbered."""

    stream: str
    producer: str
    count: int
    size: int = 0


def make_app(bus: str) -> FastAPI:
    """Return the app of one node."""
    limits = CableLimits(
        ping_seconds=PING_SECONDS,
        presence_seconds=PRESENCE_SECONDS,
        close_seconds=2.0,
        history=HistoryLimits(messages=HISTORY, age_seconds=300.0),
    )
    backend = backend_of_url(bus, BackendOptions(deadline_seconds=PUBLISH_SECONDS))
    router = cable_router([Room], bus=backend, limits=limits, public_streams=["*"])
    if "LINESIDE_FAULTS_LEASE" in os.environ:
        # The short form has no time for the lease that nodes have.
        router.cable.cluster._lease_seconds = float(os.environ["LINESIDE_FAULTS_LEASE"])
        router.cable.cluster._beat_seconds = router.cable.cluster._lease_seconds / 6
    app = FastAPI(lifespan=_measured)
    app.include_router(router, prefix="/cable")
    _add_doors(app, router)
    return app


def make_app_in_memory() -> FastAPI:
    """Return an app whose nodes would know nothing of each other."""
    return make_app("memory://")


@asynccontextmanager
async def _measured(app: FastAPI) -> AsyncGenerator[None]:
    task = asyncio.create_task(COUNTS.watch())
    yield
    task.cancel()


def _add_doors(app: FastAPI, router: CableRouter) -> None:
    cable = router.cable

    @app.post("/publish")
    async def publish(given: Publication) -> dict[str, Any]:
        try:
            done = await cable.broadcast(given.stream, given.message, idempotency_key=given.key)
        except BusUnavailable as error:
            raise HTTPException(503, str(error)) from error
        assert done.position is not None
        return {"epoch": done.position.epoch, "offset": done.position.offset}

    @app.post("/burst")
    async def burst(given: Burst) -> list[tuple[str, int]]:
        positions: list[tuple[str, int]] = []
        for number in range(given.count):
            message = {"p": given.producer, "n": number, "x": "x" * given.size}
            done = await cable.broadcast(given.stream, message)
            assert done.position is not None
            positions.append((done.position.epoch, done.position.offset))
        return positions

    @app.get("/presence")
    async def presence(stream: str) -> dict[str, int]:
        return {member.id: len(member.sessions) for member in await cable.presence.members(stream)}

    @app.get("/slow")
    async def slow(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @app.get("/figures")
    async def figures() -> dict[str, Any]:
        said = {
            "connected": cable.bus.connected,
            "connections": len(cable.connections),
            "streams": len(cable.hub.streams),
            "rejected": cable.stats.history_rejected,
            "slow": cable.stats.slow_clients,
            "malformed": cable.stats.malformed,
            "broken": COUNTS.broken,
            "heard": COUNTS.heard,
            "stall": COUNTS.stall,
            **resources(),
            "tasks": len(asyncio.all_tasks()),
        }
        COUNTS.stall = 0.0
        return said

    @app.get("/nodes")
    async def nodes() -> list[str]:
        membership = cable.bus.require_membership()
        return [node.id for node in await membership.nodes()]


def _serve(bus: str, descriptor: int, graceful: int) -> None:
    logging.basicConfig(
        level=os.environ.get("LINESIDE_FAULTS_LOG", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    listening = socket.socket(fileno=descriptor)
    config = ServerConfig(
        make_app(bus),
        timeout_headers=10.0,
        http=PatientProtocol,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=graceful,
        log_config=None,
        access_log=False,
    )
    GracefulServer(config).run([listening])


if __name__ == "__main__":
    # As `lineside server`: uvicorn raises the signal again when it has stopped gracefully.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
