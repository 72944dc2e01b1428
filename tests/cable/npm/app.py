"""The app that the client libraries connect to; one process is one node.

    python -m tests.cable.npm.app memory:// 3

serves it on the listening socket with that descriptor.
"""

import sys
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from lineside.bus import HistoryLimits
from lineside.cable import AnonymousRights, CableLimits, Channel, JWTAuthentication, SignedStreams
from lineside.cable.fastapi import CableRouter, cable_router

TOKENS = JWTAuthentication("the-secret-of-the-tests-that-is-long-enough", leeway_seconds=0.0)
SIGNED = SignedStreams("another-secret-of-the-tests-that-is-long-enough")

HISTORY = 100
"""How many messages of each stream are kept."""


class Echo(Channel):
    """Answers whoever asks."""

    public = True

    async def echo(self, text: str) -> None:
        self.transmit({"echo": text})


class Picky(Channel):
    """Takes nobody."""

    def subscribed(self) -> None:
        self.reject()


class Room(Channel):
    """A stream with everything: history, whispers and presence."""

    public = True
    turns: ClassVar[dict[str, list[int]]] = {}

    async def subscribed(self, name: str) -> None:
        self.turns.setdefault(name, [0, 0])[0] += 1
        me = self.connection.client_id
        await self.stream_from(
            f"room:{name}", whisper=True, presence={"id": me, "info": {"name": me.upper()}}
        )

    async def unsubscribed(self) -> None:
        self.turns[str(self.params["name"])][1] += 1

    async def speak(self, text: str) -> None:
        await self.broadcast(f"room:{self.params['name']}", {"text": text})

    async def tell_others(self, text: str) -> None:
        await self.broadcast_from(f"room:{self.params['name']}", {"text": text})


class Broadcast(BaseModel):
    """What is published over HTTP: messages of one stream, in order."""

    stream: str
    messages: list[Any]


def make_app(bus: str) -> FastAPI:
    """Return the app of one node."""
    limits = CableLimits(
        ping_seconds=1.0,
        presence_seconds=1.0,
        history=HistoryLimits(messages=HISTORY, age_seconds=300.0),
    )
    router = cable_router(
        [Echo, Picky, Room],
        bus=bus,
        authenticate=TOKENS,
        anonymous=AnonymousRights([]),
        limits=limits,
        signed_streams=SIGNED,
        public_streams=["open:*"],
    )
    app = FastAPI()
    app.include_router(router, prefix="/cable")
    _add_doors(app, router)
    return app


def _add_doors(app: FastAPI, router: CableRouter) -> None:
    cable = router.cable

    @app.get("/stats")
    async def stats() -> Any:
        subscriptions: dict[str, int] = {}
        for stream in cable.hub.streams.values():
            subscriptions[stream.name] = sum(1 for _ in stream.attachments())
        return {
            "connections": len(cable.connections),
            "subscriptions": sum(len(each.subscriptions) for each in cable.connections.values()),
            "streams": subscriptions,
            "turns": Room.turns,
            "restored": cable.stats.sessions_restored,
            "history": {
                "confirmed": cable.stats.history_confirmed,
                "rejected": cable.stats.history_rejected,
            },
        }

    @app.post("/broadcast")
    async def broadcast(given: Broadcast) -> list[int]:
        made = [await cable.broadcast(given.stream, message) for message in given.messages]
        return [each.position.offset for each in made if each.position is not None]

    @app.post("/disconnect/{user}")
    async def disconnect(user: str, reconnect: bool = True) -> None:
        await cable.disconnect({"client_id": user}, reconnect=reconnect)


def main(bus: str, descriptor: str, *options: str) -> None:
    """Serve one node; with ``--lean`` by the cable's own protocol class."""
    ws: Any = "lineside.cable.uvicorn:LeanProtocol" if "--lean" in options else "auto"
    uvicorn.run(make_app(bus), fd=int(descriptor), ws=ws, log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
