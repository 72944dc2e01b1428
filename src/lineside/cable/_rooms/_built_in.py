"""GoHub's built-in messages, and those that its rooms lacked. What may do what: `REQUIRED_PERMISSIONS`."""

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from lineside.bus import Position
from lineside.cable._auth._expiry import refreshed
from lineside.cable._auth._refusals import AccessRefused
from lineside.cable._protocol._commands import HistoryRequest
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._rooms._handlers import Answer
from lineside.cable._rooms._room import Room, stream_of
from lineside.strict_json import loads

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["register_built_in"]

_MOST_LISTED: Final = 1_000


class _Payload(BaseModel):
    # JSON has numbers and texts; taking one for the other would hide a client's mistake.
    model_config = ConfigDict(strict=True)


class _Ping(_Payload):
    ts: int = 0


class _InRoom(_Payload):
    room_id: str


class _JoinRoom(_InRoom):
    since: float | None = Field(default=None, ge=0)
    epoch: str | None = None
    offset: int | None = Field(default=None, ge=0)


class _CreateRoom(_InRoom):
    name: str | None = None
    max_clients: int = Field(default=0, ge=0)


class _RoomMessage(_InRoom):
    content: Any = None


class _DirectMessage(_Payload):
    target_id: str
    content: Any = None


class _ListRooms(_Payload):
    after: str | None = None
    limit: int = Field(default=100, ge=1, le=_MOST_LISTED)


class _RoomHistory(_JoinRoom):
    limit: int = Field(default=100, ge=1, le=_MOST_LISTED)


class _Refresh(_Payload):
    token: str = Field(max_length=16_384, repr=False)


def register_built_in(cable: "Cable") -> None:
    """Let a cable answer the built-in messages.

    Args:
        cable: The cable.
    """
    answers = _BuiltIn(cable)
    messages = cable.messages
    messages.register_built_in("ping", answers.ping, reply="pong")
    messages.register_built_in("join_room", answers.join_room, reply="room_joined")
    messages.register_built_in("leave_room", answers.leave_room, reply="room_left")
    messages.register_built_in("room_message", answers.room_message)
    messages.register_built_in("direct_message", answers.direct_message)
    messages.register_built_in("create_room", answers.create_room, reply="room_created")
    messages.register_built_in("delete_room", answers.delete_room, reply="room_deleted")
    messages.register_built_in("list_rooms", answers.list_rooms, reply="rooms")
    messages.register_built_in("room_members", answers.room_members)
    messages.register_built_in("room_history", answers.room_history)
    messages.register_built_in("refresh", answers.refresh, reply="refreshed")


class _BuiltIn:
    def __init__(self, cable: "Cable") -> None:
        self._cable = cable

    async def ping(self, message: _Ping) -> Any:
        now = self._milliseconds()
        meter = self._cable.meter
        if meter is not None and message.ts:
            meter.latency((now - message.ts) / 1_000)
        return {"ts": message.ts, "server_ts": now, "rtt": now - message.ts}

    async def join_room(self, connection: Any, message: _JoinRoom) -> Any:
        rooms, room = self._cable.rooms, message.room_id
        await rooms.enter(connection, room)
        wanted = _history(message)

        async def go_live() -> None:
            if wanted is not None:
                await rooms.seats.replay(connection, room, wanted)
            else:
                rooms.seats.release(connection, room)

        # What comes of the room comes behind the answer.
        return Answer("room_joined", {"room_id": room, "status": "joined"}, go_live)

    async def leave_room(self, connection: Any, message: _InRoom) -> Any:
        await self._cable.rooms.leave(connection, message.room_id)
        return {"room_id": message.room_id, "status": "left"}

    async def room_message(self, connection: Any, message: _RoomMessage) -> None:
        rooms, room = self._cable.rooms, message.room_id
        await rooms.require_member(connection, room)
        said = {
            "room_id": room,
            "content": message.content,
            "sender_id": connection.client_id,
            "timestamp": self._milliseconds(),
        }
        await rooms.broadcast(room, said, exclude=connection)
        self._cable.events.fire("room_message", connection=connection, room_id=room, message=message.content)

    async def direct_message(self, connection: Any, message: _DirectMessage) -> None:
        said = {
            "content": message.content,
            "sender_id": connection.client_id,
            "timestamp": self._milliseconds(),
        }
        found = await self._cable.send_to(message.target_id, said)
        if found == "unknown":
            raise _undelivered(ErrorCode.CLIENT_NOT_FOUND, "client not found")
        if found == "offline":
            raise _undelivered(ErrorCode.CLIENT_OFFLINE, "client offline")

    async def create_room(self, message: _CreateRoom) -> Any:
        made = await self._cable.rooms.create(message.room_id, message.name, max_clients=message.max_clients)
        return _shown(made)

    async def delete_room(self, message: _InRoom) -> Any:
        await self._cable.rooms.delete(message.room_id)
        return {"room_id": message.room_id, "status": "deleted"}

    async def list_rooms(self, message: _ListRooms | None) -> Any:
        wanted = message or _ListRooms()
        rooms = await self._cable.rooms.list(after=wanted.after, limit=wanted.limit)
        return {"rooms": [_shown(room) for room in rooms]}

    async def room_members(self, message: _InRoom) -> Any:
        members = await self._cable.rooms.members(message.room_id)
        return {
            "room_id": message.room_id,
            "members": [each.id for each in members[:_MOST_LISTED]],
            "total": len(members),
        }

    async def room_history(self, connection: Any, message: _RoomHistory) -> Any:
        if not connection.identity.may("admin:room"):
            await self._cable.rooms.require_member(connection, message.room_id)
        made = await self._cable.rooms.definition(message.room_id)
        wanted = _history(message)
        position = None if wanted is None else wanted.positions.get(stream_of(message.room_id))
        found = await self._cable.bus.read(
            stream_of(message.room_id),
            after=position,
            since=message.since,
            limit=message.limit if wanted is None else None,
        )
        if not found.complete:
            raise RequestFailed(
                ErrorCode.INVALID_FORMAT, "what was missed cannot be brought back; ask without a position"
            )
        kept = [each for each in found.messages if each.published_at >= made.created_at][-message.limit :]
        return {
            "room_id": message.room_id,
            "epoch": found.epoch,
            "messages": [
                {"offset": each.position.offset, "data": loads(each.data, max_bytes=None)}
                for each in kept
                if each.position is not None
            ],
        }

    async def refresh(self, connection: Any, message: _Refresh) -> Any:
        check = self._cable.refresh
        if check is None:
            raise RequestFailed(ErrorCode.INVALID_FORMAT, "tokens are not refreshed here; connect anew")
        try:
            connection.identity = refreshed(connection.identity, await check(connection, message.token))
        except AccessRefused as refused:
            raise RequestFailed(refused.code, refused.message) from None
        return {"expires_at": connection.identity.expires_at}

    def _milliseconds(self) -> int:
        return int(self._cable.clock() * 1_000)


def _history(message: _JoinRoom) -> HistoryRequest | None:
    if message.epoch is not None and message.offset is not None:
        return HistoryRequest(positions={stream_of(message.room_id): Position(message.epoch, message.offset)})
    return None if message.since is None else HistoryRequest(since=message.since)


def _shown(room: Room) -> dict[str, Any]:
    return {
        "id": room.id,
        "name": room.name,
        "member_count": room.members,
        "max_clients": room.max_clients,
    }


def _undelivered(code: ErrorCode, why: str) -> RequestFailed:
    return RequestFailed(code, f"Failed to deliver message: {why}")
