"""A cable under uvicorn's own WebSocket class, with history, metrics, pings and every protocol on."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from benchmarks._cable_servers._serving import serve
from lineside.cable import CableLimits, Channel
from lineside.cable.fastapi import cable_router
from lineside.instrumentation import Metrics


class Lobby(Channel):
    """Whoever subscribes is in the room."""

    public = True

    async def subscribed(self) -> None:
        """Join the room."""
        await self.stream_from("lobby")

    async def speak(self, data: Mapping[str, Any]) -> None:
        """Send a client's message to everybody."""
        await self.broadcast("lobby", data)


def make_app() -> FastAPI:
    """Return the app; its only unusual setting lets one client publish as fast as it can."""
    limits = CableLimits(messages_per_second=1e6, messages_burst=1_000_000)
    app = FastAPI()
    app.include_router(cable_router([Lobby], limits=limits, metrics=Metrics()), prefix="/cable")
    return app


if __name__ == "__main__":
    serve(make_app())
