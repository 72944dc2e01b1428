"""Rooms: who is together, over all nodes, and what they tell each other.

That a room exists and who is in it stands with the bus, so that a limit holds across nodes and every node
sees the same at once. A room's messages are the stream ``room:<id>``: kept, ordered and sent once, as
those of every stream.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import Departed, Published
from lineside.cable._protocol._errors import ErrorCode
from lineside.cable._protocol._events import Reply
from lineside.cable._rooms._room import group_of, room_failed, stream_of
from lineside.cable._rooms._room_directory import RoomDirectory
from lineside.cable._rooms._room_errands import RoomErrands
from lineside.cable._rooms._seats import Seats

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["Rooms"]

_DELETED: Final = "room_deleted"


class Rooms(RoomDirectory):
    """The rooms of one cable (GoHub's room manager, true on every node).

    Args:
        cable: The cable.

    Attributes:
        seats: The places that the connections of this node have.
    """

    def __init__(self, cable: "Cable") -> None:
        super().__init__(cable)
        self.seats: Seats = Seats(cable)
        cable.cluster.on(_DELETED, self._deleted)
        self._errands = RoomErrands(cable, join=self.join, leave=self.leave)

    async def delete(self, room: str) -> None:
        """End a room: nobody is in it any more, on any node, and its members are told ``room_deleted``.

        Args:
            room: Its id.

        Raises:
            RequestFailed: There is none (3000).
            BusUnavailable: The bus does not answer; delete it again.
        """
        existed = await self.undefine(room)
        await self._cable.cluster.tell(_DELETED, {"room": room})
        had_members = await self.empty(room)
        # Members without a room are what is left of a deletion that failed half-way.
        if not existed and not had_members:
            raise room_failed(ErrorCode.ROOM_NOT_FOUND)
        self._cable.events.fire(_DELETED, room_id=room)

    async def join(self, client: "Connection | str", room: str) -> None:
        """Put a client into a room.

        Args:
            client: A connection of this node, or the id of a client anywhere: all its connections join.
            room: The room's id.

        Raises:
            RequestFailed: The client is in it already (3004), there is no such room (3000), it is full
                (3002), or there is no such client (4000).
            BusUnavailable: The bus, or the client's node, does not answer.
        """
        if isinstance(client, str):
            await self._errands.run("join", client, room)
            return
        await self.enter(client, room)
        self.seats.release(client, room)

    async def leave(self, client: "Connection | str", room: str) -> None:
        """Take a client out of a room.

        Args:
            client: As for `join`.
            room: The room's id.

        Raises:
            RequestFailed: There is no such room (3000), client (4000), or the client is not in it (3003).
            BusUnavailable: The client's node does not answer.
        """
        if isinstance(client, str):
            await self._errands.run("leave", client, room)
            return
        if await self.seats.give_up(client, room):
            return
        raise room_failed(await self._absence(room))

    async def enter(self, connection: "Connection", room: str) -> None:
        """Put a connection of this node into a room, its live messages held until `Seats.release`.

        Args:
            connection: The connection.
            room: The room's id.

        Raises:
            RequestFailed: As for `join`.
            BusUnavailable: The bus does not answer.
        """
        if room in self.seats.of(connection):
            raise room_failed(ErrorCode.ALREADY_IN_ROOM)
        found = await self.definition(room)
        await self.seats.take(connection, found)
        if not await self.still_there(found):
            # It was deleted meanwhile, by somebody who could not know of this member.
            await self.seats.give_up(connection, room)
            raise room_failed(ErrorCode.ROOM_NOT_FOUND)

    async def broadcast(
        self,
        room: str,
        message: Any,
        *,
        exclude: "Connection | str | None" = None,
        type: str = "room_message",  # noqa: A002 - GoHub's word
        idempotency_key: str | None = None,
    ) -> Published:
        """Send a message to everybody in a room, on every node, once each.

        Args:
            room: The room's id.
            message: A JSON value.
            exclude: A connection, or its id, that is not sent it.
            type: GoHub's ``message_type``.
            idempotency_key: As for `Cable.broadcast`.

        Raises:
            RequestFailed: There is no such room (3000).
            BusUnavailable: The bus did not take it.
        """
        if not self.seats.anybody_in(room) and not await self.exists(room):
            raise room_failed(ErrorCode.ROOM_NOT_FOUND)
        published = await self._cable.broadcast(
            stream_of(room),
            message,
            type=type,
            exclude=exclude if exclude is None or isinstance(exclude, str) else exclude.id,
            idempotency_key=idempotency_key,
        )
        self._cable.stats.room_messages += 1
        return published

    async def require_member(self, connection: "Connection", room: str) -> None:
        """Refuse a connection that is not in a room.

        Raises:
            RequestFailed: It is not in it (3003), or there is no such room (3000).
        """
        if room not in self.seats.of(connection):
            raise room_failed(await self._absence(room))

    # -- what the cable tells -----------------------------------------------------

    async def departed(self, gone: Departed) -> None:
        """Take notice of a member whose node has died.

        Args:
            gone: What the bus has dropped; that of other groups is ignored.
        """
        if gone.group.startswith(group_of("")):
            self._cable.events.fire(
                "room_left", client_id=gone.member, room_id=gone.group.removeprefix(group_of(""))
            )

    async def rejoin(self) -> None:
        """Put the rooms and the members of this node back, after the store was lost."""
        if self._cable.bus.presence is None:
            return
        for room in self.seats.rooms():
            if not await self.redefine(room):
                await self._deleted({"room": room.id})
        await self.seats.rejoin()

    async def _absence(self, room: str) -> ErrorCode:
        return ErrorCode.NOT_IN_ROOM if await self.exists(room) else ErrorCode.ROOM_NOT_FOUND

    async def _deleted(self, said: Mapping[str, Any]) -> None:
        room = str(said["room"])
        for connection in await self.seats.clear(room):
            connection.send(Reply(_DELETED, {"room_id": room}))
