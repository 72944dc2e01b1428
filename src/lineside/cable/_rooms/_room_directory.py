"""Which rooms there are and who is in them, over all nodes: it stands with the bus, and nowhere else."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lineside.bus import AlreadyJoinedError, GroupFullError, Member
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._rooms._room import Room, check_room_id, check_room_name, group_of, room_failed, room_of

if TYPE_CHECKING:
    from lineside.bus import Presence
    from lineside.cable._cable import Cable

__all__ = ["RoomDirectory"]

_ROOMS: Final = "rooms"
_MOST_ROOMS: Final = 100_000
_AT_A_TIME: Final = 50
_GONE: Final = "cable-room-gone:"
_GONE_SECONDS: Final = 3_600.0


class RoomDirectory:
    """The rooms of all nodes, as the bus has them.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable

    async def create(self, room: str, name: str | None = None, *, max_clients: int = 0) -> Room:
        """Make a room; it stays until it is deleted, also without members.

        Args:
            room: Its id.
            name: What people call it; default: its id.
            max_clients: How many clients it takes, over all nodes; 0 for any number.

        Raises:
            RequestFailed: There is such a room (3001), or it cannot be one (1001).
            BusUnavailable: The bus does not answer.
            UnsupportedByBackendError: The bus has no presence.
        """
        check_room_id(room, max_bytes=self._cable.limits.name_bytes)
        made = Room(room, name or room, max_clients, 0, self._cable.clock())
        check_room_name(made.name)
        if max_clients < 0:
            raise RequestFailed(ErrorCode.INVALID_FORMAT, "max_clients is 0, for any number, or more")
        try:
            await self.define(made, exclusive=True)
        except AlreadyJoinedError:
            raise room_failed(ErrorCode.ROOM_ALREADY_EXISTS) from None
        except GroupFullError:
            raise RequestFailed(
                ErrorCode.RATE_LIMITED, f"there are {_MOST_ROOMS} rooms; delete one first"
            ) from None
        self._cable.events.fire("room_created", room_id=room)
        return made

    async def get(self, room: str) -> Room | None:
        """Return a room, or None.

        Args:
            room: Its id.
        """
        definition = await self._presence.member(_ROOMS, room)
        return None if definition is None else room_of(definition, await self.count(room))

    async def list(self, *, after: str | None = None, limit: int = 1_000) -> Sequence[Room]:
        """Return the rooms of all nodes, sorted by id.

        Args:
            after: Begin behind this id.
            limit: At most so many.
        """
        known = await self._presence.members(_ROOMS)
        page = [each for each in known if after is None or each.id > after][:limit]
        rooms: list[Room] = []
        for start in range(0, len(page), _AT_A_TIME):
            part = page[start : start + _AT_A_TIME]
            counts = await asyncio.gather(*(self.count(each.id) for each in part))
            rooms += [room_of(each, count) for each, count in zip(part, counts, strict=True)]
        return rooms

    async def total(self) -> int:
        """Return how many rooms there are."""
        return await self._presence.count(_ROOMS)

    async def members(self, room: str) -> Sequence[Member]:
        """Return who is in a room, from every node, sorted by id.

        Args:
            room: Its id.

        Raises:
            RequestFailed: There is none (3000).
        """
        if await self._presence.member(_ROOMS, room) is None:
            raise room_failed(ErrorCode.ROOM_NOT_FOUND)
        return await self._presence.members(group_of(room))

    async def count(self, room: str) -> int:
        """Return how many clients are in a room, on all nodes; 0 where there is none."""
        return await self._presence.count(group_of(room))

    async def has(self, room: str, client_id: str) -> bool:
        """Tell whether a client is in a room, on any node."""
        return await self._presence.member(group_of(room), client_id) is not None

    @property
    def _presence(self) -> "Presence":
        return self._cable.bus.require_presence()

    async def define(self, room: Room, *, exclusive: bool) -> None:
        """Write down that there is a room.

        Args:
            room: The room.
            exclusive: Refuse one that is there already.

        Raises:
            AlreadyJoinedError: It is there.
            GroupFullError: There are as many rooms as there may be.
        """
        await self._presence.join(
            _ROOMS,
            room.id,
            _definition(room.id),
            node="",
            info={"name": room.name, "max_clients": room.max_clients, "created_at": room.created_at},
            limit=_MOST_ROOMS,
            exclusive=exclusive,
        )

    async def redefine(self, room: Room) -> bool:
        """Write down again that there is a room, if it was lost with the store.

        Args:
            room: One that this node knows.

        Returns:
            Whether it is still there: False when it was deleted while this node was away.
        """
        if await self.exists(room.id):
            return await self.still_there(room)
        membership = self._cable.bus.membership
        if membership is not None and await membership.get(_GONE + room.id) is not None:
            return False
        await self.define(room, exclusive=False)
        return True

    async def undefine(self, room: str) -> bool:
        """Write down that there is a room no more; tell whether there was.

        Args:
            room: Its id.
        """
        if not await self.exists(room):
            return False
        membership = self._cable.bus.membership
        if membership is not None:
            await membership.put(_GONE + room, b"", ttl_seconds=_GONE_SECONDS)
        left = await self._presence.leave(_ROOMS, room, _definition(room))
        return left.existed

    async def exists(self, room: str) -> bool:
        """Tell whether there is a room."""
        return await self._presence.member(_ROOMS, room) is not None

    async def still_there(self, room: Room) -> bool:
        """Tell whether a room is the one it was, and not deleted, or another one of its name."""
        known = await self._presence.member(_ROOMS, room.id)
        return known is not None and room_of(known, 0).created_at == room.created_at

    async def definition(self, room: str) -> Room:
        """Return a room without counting its members.

        Raises:
            RequestFailed: There is none (3000).
        """
        known = await self._presence.member(_ROOMS, room)
        if known is None:
            raise room_failed(ErrorCode.ROOM_NOT_FOUND)
        return room_of(known, 0)

    async def empty(self, room: str) -> bool:
        """Forget the members of a room; tell whether it had any."""
        return await self._presence.remove(group_of(room))


def _definition(room: str) -> str:
    # One session for each room, the same from every node: whoever deletes it ends it.
    return f"room.{room}"
