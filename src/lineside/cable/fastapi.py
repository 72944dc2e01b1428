"""The cable in a FastAPI app, in one line.

    from fastapi import FastAPI

    from lineside.cable import Channel
    from lineside.cable.fastapi import CableDep, cable_router

    class ChatChannel(Channel):
        public = True

        async def subscribed(self, room: int) -> None:
            await self.stream_from(f"room:{room}")

        async def speak(self, text: str) -> None:
            await self.broadcast(f"room:{self.params['room']}", {"text": text})

    app = FastAPI()
    app.include_router(cable_router([ChatChannel], bus="memory://"), prefix="/cable")

    @app.post("/rooms/{room}/announcements")
    async def announce(room: int, text: str, cable: CableDep) -> None:
        await cable.broadcast(f"room:{room}", {"text": text})

Clients of Action Cable, AnyCable, GoHub and Gor connect to ``/cable``.
"""

from lineside.cable._fastapi._health import Health
from lineside.cable._fastapi._identities import MEMBER_PERMISSIONS
from lineside.cable._fastapi._own_streams import EventStream, EventWriter
from lineside.cable._fastapi._router import CableRouter, cable_router
from lineside.cable._fastapi._state import CableDep, IdentityDep, cable_named, get_cable, get_identity

__all__ = [
    "MEMBER_PERMISSIONS",
    "CableDep",
    "CableRouter",
    "EventStream",
    "EventWriter",
    "Health",
    "IdentityDep",
    "cable_named",
    "cable_router",
    "get_cable",
    "get_identity",
]
