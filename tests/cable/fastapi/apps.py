"""Apps with a cable, real servers for them, and clients that speak Action Cable and GoHub."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import websockets
from fastapi import APIRouter, FastAPI

from tests.cable.server.cables import serving

DEADLINE = 10.0
"""Seconds until a test that waits gives up."""


class Client:
    """A client over a real socket."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.welcome: Any = None

    async def next(self) -> Any:
        """Return the next frame that is no ping."""
        while True:
            frame = json.loads(await asyncio.wait_for(self.socket.recv(), DEADLINE))
            if frame.get("type") != "ping":
                return frame

    async def send(self, frame: Mapping[str, Any]) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps(frame))

    async def subscribe(self, channel: str, **params: Any) -> str:
        """Ask for a subscription, and return its identifier."""
        identifier = json.dumps({"channel": channel, **params})
        await self.send({"command": "subscribe", "identifier": identifier})
        return identifier

    async def subscribed(self, channel: str, **params: Any) -> str:
        """Subscribe, and return the identifier when it is confirmed."""
        identifier = await self.subscribe(channel, **params)
        assert await self.next() == {"type": "confirm_subscription", "identifier": identifier}
        return identifier

    async def perform(self, identifier: str, action: str, **data: Any) -> None:
        """Call an action."""
        await self.send(
            {"command": "message", "identifier": identifier, "data": json.dumps({"action": action, **data})}
        )


class Site:
    """A served app."""

    def __init__(self, port: int, http: httpx2.AsyncClient) -> None:
        self.port = port
        self.http = http

    @asynccontextmanager
    async def client(
        self,
        path: str = "/cable",
        *,
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        subprotocol: str | None = "actioncable-v1-json",
    ) -> AsyncIterator[Client]:
        """Connect; Action Cable's welcome has been read."""
        async with websockets.connect(
            f"ws://127.0.0.1:{self.port}{path}",
            subprotocols=None if subprotocol is None else [subprotocol],  # type: ignore[list-item]
            additional_headers=dict(headers or {}),
            origin=origin,  # type: ignore[arg-type]
        ) as socket:
            client = Client(socket)
            if subprotocol is not None and subprotocol.startswith("actioncable"):
                client.welcome = await client.next()
                assert client.welcome["type"] == "welcome"
            yield client

    async def refusal(self, path: str = "/cable", **options: Any) -> tuple[int, Any]:
        """Connect in vain; return the status and the body of the answer."""
        try:
            async with self.client(path, **options):
                raise AssertionError("the connection was let in")
        except websockets.InvalidStatus as refused:
            body = refused.response.body.decode()
            is_json = refused.response.headers.get("content-type") == "application/json"
            return refused.response.status_code, json.loads(body) if is_json else body


@asynccontextmanager
async def site(app: FastAPI, **options: Any) -> AsyncIterator[Site]:
    """Serve an app with uvicorn on a port of its own."""
    async with (
        serving(app, **options) as served,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", timeout=DEADLINE) as http,
    ):
        yield Site(served.port, http)


def app_with(router: APIRouter, prefix: str = "/cable", **options: Any) -> FastAPI:
    """Return an app that includes a cable's router."""
    app = FastAPI()
    app.include_router(router, prefix=prefix, **options)
    return app
