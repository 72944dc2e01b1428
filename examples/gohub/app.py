"""What GoHub's README shows, on a FastAPI app: rooms, messages, tokens and the HTTP API.

lineside server examples.gohub.app:app

GOHUB_SECRET signs the tokens, GOHUB_API_KEY turns the HTTP API on, GOHUB_BUS connects several nodes.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, StringConstraints

from lineside.cable import (
    AnonymousRights,
    Cable,
    ConnectionPort,
    JWTAuthentication,
    RequestFailed,
    ServerEvent,
)
from lineside.cable.fastapi import CableDep, cable_router
from lineside.signing import check_secret

logger = logging.getLogger("gohub")

PERMISSIONS = {
    "member": ["read:message", "send:message", "join:room", "leave:room"],
    "admin": ["admin:system"],
}


class Login(BaseModel):
    user_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,40}$")]
    role: Literal["member", "admin"] = "member"


class Token(BaseModel):
    token: str


class Uppercase(BaseModel):
    text: Annotated[str, StringConstraints(max_length=2_000)]


def add_messages(cable: Cable) -> None:
    """A message type of our own, beside ping, join_room, leave_room, room_message and direct_message."""

    @cable.on("uppercase", reply="uppercased")
    async def uppercase(connection: ConnectionPort, message: Uppercase) -> Uppercase:
        return Uppercase(text=message.text.upper())


def add_events(cable: Cable) -> None:
    @cable.on("client_connected")
    @cable.on("client_disconnected")
    @cable.on("room_joined")
    async def note(event: ServerEvent) -> None:
        logger.info("%s: %s %s, on node %s", event.type, event.client_id, event.room_id or "", event.node)


def lobby_of(cable: Cable) -> APIRouter:
    """Make the first room; included behind the cable, because that starts in the order of inclusion."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with suppress(RequestFailed):  # another node has made it
            await cable.rooms.create("lobby", "The lobby", max_clients=100)
        yield

    return APIRouter(lifespan=lifespan)


def create_app(secret: str, *, api_key: str | None = None, bus: str = "memory://") -> FastAPI:
    tokens = JWTAuthentication(secret, issuer="gohub")
    router = cable_router(
        bus=bus,
        authenticate=tokens,
        anonymous=AnonymousRights(["read:message", "join:room", "leave:room"]),
        api_key=api_key,
    )
    add_messages(router.cable)
    add_events(router.cable)

    app = FastAPI(title="GoHub")
    app.include_router(router, prefix="/ws")
    app.include_router(lobby_of(router.cable))

    @app.post("/login")
    async def login(who: Login) -> Token:
        """Stand for your own: it believes everybody."""
        return Token(token=tokens.generate_token(who.user_id, who.user_id.title(), PERMISSIONS[who.role]))

    @app.post("/announcements", status_code=204)
    async def announce(text: str, cable: CableDep) -> None:
        """Tell a room, from any endpoint of the app."""
        await cable.rooms.broadcast("lobby", {"text": text}, type="announcement")

    return app


app = create_app(
    check_secret(
        os.environ.get("GOHUB_SECRET"),
        environment=os.environ.get("LINESIDE_ENV", "development"),
        name="GOHUB_SECRET",
    ),
    api_key=os.environ.get("GOHUB_API_KEY"),
    bus=os.environ.get("GOHUB_BUS", "memory://"),
)
