"""A chat: rooms, who is there, who is typing, and nothing that is lost when the line is cut.

lineside server examples.chat.app:app

CHAT_BUS connects several of them: redis://..., nats://...
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints
from starlette.staticfiles import StaticFiles

from lineside.bus import Bus
from lineside.cable import Cable, Channel
from lineside.cable.fastapi import cable_router

STATIC = Path(__file__).parent / "static"
# The page's own files and its own socket, and nothing else.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"

RoomName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class Said(BaseModel):
    """What everybody in a room is sent."""

    id: str
    name: str
    text: str
    at: datetime


class ChatChannel(Channel):
    """One room, for one reader."""

    public = True
    message_types = (Said,)

    async def subscribed(self, room: RoomName, name: Name) -> None:
        self.stream, self.name = f"chat:{room}", name
        await self.stream_from(
            self.stream,
            whisper=True,  # who is typing
            presence={"id": self.connection.client_id, "info": {"name": name}},
        )

    async def speak(self, text: Text) -> None:
        said = Said(id=uuid4().hex, name=self.name, text=text, at=datetime.now(UTC))
        await self.broadcast(self.stream, said)


pages = APIRouter(include_in_schema=False)


@pages.get("/chat")
async def show_chat() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"Content-Security-Policy": POLICY})


def add_chat(app: FastAPI, *, bus: str | Bus = "memory://") -> Cable:
    """Give an app the chat: a page at /chat, its files and its cable below it."""
    router = cable_router([ChatChannel], bus=bus, name="chat")
    app.include_router(router, prefix="/chat/cable")
    app.include_router(pages)
    app.mount("/chat/static", StaticFiles(directory=STATIC))
    return router.cable


def create_app(bus: str = "memory://") -> FastAPI:
    app = FastAPI(title="Chat")
    add_chat(app, bus=bus)
    app.add_api_route("/", lambda: RedirectResponse("/chat"), include_in_schema=False)
    return app


app = create_app(os.environ.get("CHAT_BUS", "memory://"))
