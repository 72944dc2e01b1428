"""GoHub's HTTP API: figures, rooms and messages of all nodes, behind a key."""

from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from lineside.cable._cable import Cable
from lineside.cable._core._presence import record
from lineside.cable._core._subscription import check_stream
from lineside.cable._fastapi._api_key import APIGuards
from lineside.cable._fastapi._api_models import (
    BroadcastIn,
    Client,
    Clients,
    PresentUsers,
    Room,
    RoomBroadcastIn,
    RoomIn,
    Stats,
    Status,
)
from lineside.cable._fastapi._api_route import APIRouteOfCable

__all__ = ["MAX_BODY_BYTES", "add_api"]

MAX_BODY_BYTES: Final = 1_048_576
"""The largest body of the HTTP API."""

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "The key is missing or another one"},
    501: {"description": "The bus has no presence"},
    503: {"description": "The bus does not answer"},
}
_Limit = Annotated[int, Query(ge=1, le=1_000)]
_After = Annotated[str | None, Query(max_length=255)]


def add_api(router: APIRouter, cable: Cable, guards: APIGuards) -> None:
    """Add the routes below ``/api``.

    Args:
        router: The cable's router.
        cable: The cable.
        guards: What stands in front of them.
    """
    api = APIRouter(
        prefix="/api",
        route_class=APIRouteOfCable,
        dependencies=[guards.api],
        responses=_ANSWERS,
        max_body_size=MAX_BODY_BYTES,
    )
    endpoints = _Endpoints(cable)
    api.add_api_route("/broadcast", endpoints.broadcast, methods=["POST"], summary="Tell every client")
    api.add_api_route("/broadcast/room", endpoints.broadcast_room, methods=["POST"], summary="Tell a room")
    api.add_api_route("/stats", endpoints.stats, methods=["GET"], summary="Figures of all nodes")
    api.add_api_route("/rooms", endpoints.rooms, methods=["GET"], summary="The rooms")
    api.add_api_route(
        "/rooms", endpoints.create_room, methods=["POST"], status_code=201, summary="Make a room"
    )
    api.add_api_route("/clients", endpoints.clients, methods=["GET"], summary="Who is connected")
    api.add_api_route(
        "/presence/{stream:path}/users", endpoints.present, methods=["GET"], summary="Who is on a stream"
    )
    router.include_router(api)


class _Endpoints:
    def __init__(self, cable: Cable) -> None:
        self._cable = cable

    async def broadcast(self, body: BroadcastIn) -> Status:
        await self._cable.broadcast_all(body.message, type=body.type)
        return Status(status="broadcast initiated")

    async def broadcast_room(self, body: RoomBroadcastIn) -> Status:
        await self._cable.rooms.broadcast(
            body.room_id, body.message, exclude=body.exclude, idempotency_key=body.idempotency_key
        )
        return Status(status="ok")

    async def stats(self) -> Stats:
        cable = self._cable
        membership = cable.bus.membership
        nodes = [] if membership is None else [node.id for node in await membership.nodes()]
        return Stats(
            client_count=await cable.clients.count(),
            room_count=await cable.rooms.total(),
            timestamp=self._now(),
            cluster_mode=not cable.bus.local,
            node=cable.bus.node,
            nodes=nodes,
            connections=len(cable.connections),
        )

    async def rooms(self, after: _After = None, limit: _Limit = 1_000) -> list[Room]:
        found = await self._cable.rooms.list(after=after, limit=limit)
        return [
            Room(id=room.id, name=room.name, member_count=room.members, max_clients=room.max_clients)
            for room in found
        ]

    async def create_room(self, body: RoomIn) -> Room:
        room = await self._cable.rooms.create(body.id, body.name, max_clients=body.max_clients)
        return Room(id=room.id, name=room.name, member_count=0, max_clients=room.max_clients)

    async def clients(self, after: _After = None, limit: _Limit = 100) -> Clients:
        known = await self._cable.clients.list()
        page = islice((each for each in known if after is None or each.id > after), limit)
        shown = [Client(id=each.id, sessions=each.sessions) for each in page]
        return Clients(total_clients=len(known), timestamp=self._now(), clients=shown)

    async def present(self, stream: str) -> PresentUsers:
        check_stream(stream, max_bytes=self._cable.limits.name_bytes)
        members = await self._cable.presence.members(stream)
        return PresentUsers(total=len(members), records=[record(member) for member in members])

    def _now(self) -> int:
        return int(self._cable.clock())
