"""The places that the connections of one node have in rooms; each ends with its connection at the latest."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lineside.bus import BusError, BusUnavailable, GroupFullError
from lineside.cable._core._connection import State
from lineside.cable._core._replay import replay
from lineside.cable._core._subscription import Subscription
from lineside.cable._protocol._commands import HistoryRequest
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._rooms._leavings import Leavings
from lineside.cable._rooms._room import Room, group_of, room_failed, stream_of

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["Seats"]

_CHANNEL: Final = "room"

_logger = logging.getLogger("lineside.cable")


@dataclass(frozen=True, slots=True)
class _Seat:
    room: Room
    # The stream, the gate before a replay and the limits of it are those of a subscription.
    subscription: Subscription


class Seats:
    """Who of this node's connections is in which room.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable
        self._leavings = Leavings(cable.bus)
        self._of: dict[str, dict[str, _Seat]] = {}
        self._in: dict[str, dict[str, Connection]] = {}
        self._coming: set[tuple[str, str]] = set()

    def of(self, connection: "Connection") -> Sequence[str]:
        """Return the ids of the rooms that a connection is in."""
        return tuple(self._of.get(connection.id, ()))

    def streams(self, connection: "Connection") -> Iterable[str]:
        """Return the identifiers under which a connection is sent messages of rooms."""
        return [seat.subscription.identifier for seat in self._of.get(connection.id, _NONE).values()]

    def rooms(self) -> Sequence[Room]:
        """Return the rooms that anybody here is in."""
        return tuple(self._of[next(iter(here))][room].room for room, here in self._in.items())

    def anybody_in(self, room: str) -> bool:
        """Tell whether a connection of this node is in a room."""
        return room in self._in

    async def take(self, connection: "Connection", room: Room) -> None:
        """Give a connection a place in a room; its live messages wait for `release`.

        Args:
            connection: The connection.
            room: The room.

        Raises:
            RequestFailed: It has one, or is about to (3004); the room is full (3002); the connection has
                too many (1005) or is gone (4000).
            BusUnavailable: The bus does not answer.
        """
        coming = (connection.id, room.id)
        if coming in self._coming:
            raise room_failed(ErrorCode.ALREADY_IN_ROOM)
        limits = self._cable.limits
        held = len(connection.subscriptions) + len(self._of.get(connection.id, ()))
        if not connection.take_subscription() or held >= limits.subscriptions:
            raise RequestFailed(
                ErrorCode.RATE_LIMITED, "too many subscriptions and rooms; leave one, or wait a little"
            )
        self._coming.add(coming)
        try:
            await self._take(connection, room)
        finally:
            self._coming.discard(coming)
        self._cable.stats.room_joins += 1
        self._cable.events.fire("room_joined", connection=connection, room_id=room.id)

    async def _take(self, connection: "Connection", room: Room) -> None:
        stream = stream_of(room.id)
        subscription = Subscription(connection, stream, _CHANNEL, {"room_id": room.id})
        try:
            await self._join(connection, room)
        except GroupFullError:
            raise room_failed(ErrorCode.ROOM_FULL) from None
        try:
            # An earlier room of this name is none of its members' business.
            await subscription.stream_from(stream, history_since=room.created_at)
        except BaseException:
            await self._leavings.leave(group_of(room.id), connection.client_id, connection.id)
            raise
        if connection.state is State.CLOSED:
            await subscription.stop_all_streams()
            await self._leavings.leave(group_of(room.id), connection.client_id, connection.id)
            raise room_failed(ErrorCode.CLIENT_NOT_FOUND)
        subscription.confirmed = True
        self._of.setdefault(connection.id, {})[room.id] = _Seat(room, subscription)
        self._in.setdefault(room.id, {})[connection.id] = connection

    async def _join(self, connection: "Connection", room: Room) -> None:
        await self._cable.bus.require_presence().join(
            group_of(room.id),
            connection.client_id,
            connection.id,
            node=self._cable.bus.node,
            limit=room.max_clients or None,
        )

    def release(self, connection: "Connection", room: str) -> None:
        """Let a connection's live messages of a room through."""
        seat = self._of.get(connection.id, _NONE).get(room)
        if seat is not None:
            seat.subscription.release()

    async def replay(self, connection: "Connection", room: str, request: HistoryRequest) -> None:
        """Send a connection what it has missed of a room, then let the live messages through.

        Args:
            connection: The connection.
            room: The room's id.
            request: From where on.
        """
        seat = self._of.get(connection.id, _NONE).get(room)
        if seat is not None:
            await replay(seat.subscription, request)
            seat.subscription.release()

    async def give_up(self, connection: "Connection", room: str) -> bool:
        """End a connection's place in a room; tell whether it had one.

        Args:
            connection: The connection.
            room: The room's id.
        """
        seat = self._remove(connection.id, room)
        if seat is None:
            return False
        await self._silence(seat)
        await self._leavings.leave(group_of(room), connection.client_id, connection.id)
        self._left(connection, room)
        return True

    async def ended(self, connection: "Connection") -> None:
        """End every place of a connection that is gone.

        Args:
            connection: The connection.
        """
        for room in self.of(connection):
            await self.give_up(connection, room)

    async def clear(self, room: str) -> Sequence["Connection"]:
        """End every place in a room that was deleted, and return who had one.

        Args:
            room: The room's id.
        """
        cleared = list(self._in.get(room, _NOBODY).values())
        for connection in cleared:
            seat = self._remove(connection.id, room)
            if seat is not None:
                await self._silence(seat)
                self._left(connection, room)
        return cleared

    async def rejoin(self) -> None:
        """Put everybody back where they were: this node was thought dead, or the store was lost.

        Raises:
            BusUnavailable: The bus does not answer.
        """
        await self._leavings.settle()
        for room, here in list(self._in.items()):
            for connection in list(here.values()):
                seat = self._of.get(connection.id, _NONE).get(room)
                if seat is not None:
                    await self._rejoin(connection, seat.room)

    async def _rejoin(self, connection: "Connection", room: Room) -> None:
        try:
            await self._join(connection, room)
        except GroupFullError:
            # Somebody else has the place: others were let in while this node was thought dead.
            await self.give_up(connection, room.id)
            failure = room_failed(ErrorCode.ROOM_FULL)
            connection.fail(failure.code, failure.message, None, stream_of(room.id))
        if connection.state is State.CLOSED:
            await self._leavings.leave(group_of(room.id), connection.client_id, connection.id)

    def _remove(self, connection_id: str, room: str) -> _Seat | None:
        seats, here = self._of.get(connection_id, {}), self._in.get(room, {})
        seat = seats.pop(room, None)
        here.pop(connection_id, None)
        if not seats:
            self._of.pop(connection_id, None)
        if not here:
            self._in.pop(room, None)
        return seat

    async def _silence(self, seat: _Seat) -> None:
        seat.subscription.confirmed, seat.subscription.ended = False, True
        try:
            await seat.subscription.stop_all_streams()
        except BusError as error:
            # The bus forgets the stream by itself; the place is given up all the same.
            level = logging.DEBUG if isinstance(error, BusUnavailable) else logging.WARNING
            _logger.log(level, "the bus did not answer while room %r was left", seat.room.id, exc_info=True)

    def _left(self, connection: "Connection", room: str) -> None:
        self._cable.stats.room_leaves += 1
        self._cable.events.fire("room_left", connection=connection, room_id=room)


_NONE: Final[Mapping[str, _Seat]] = {}
_NOBODY: Final[Mapping[str, "Connection"]] = {}
