"""Putting a client into a room, or out of it, on whatever node it is connected to."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from lineside.bus import BusUnavailable
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._rooms._room import room_failed

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["RoomErrands"]

_Act = Callable[["Connection", str], Awaitable[None]]


class RoomErrands:
    """Asks the nodes that a client is connected to, this one included.

    Args:
        cable: The cable.
        join: Puts a connection of this node into a room.
        leave: Takes it out.
    """

    def __init__(self, cable: "Cable", *, join: _Act, leave: _Act) -> None:
        self._cable = cable
        self._acts: Mapping[str, _Act] = {"join": join, "leave": leave}
        for action in self._acts:
            cable.questions.on(f"room_{action}", self._here)

    async def run(self, action: Literal["join", "leave"], client_id: str, room: str) -> None:
        """Do it for every connection of a client.

        Args:
            action: What to do.
            client_id: The client's id.
            room: The room's id.

        Raises:
            RequestFailed: There is no such client (4000), or not one of its connections could do it.
            BusUnavailable: A node does not answer.
        """
        nodes = await self._cable.clients.nodes_of(client_id)
        failures: list[RequestFailed] = []
        done = False
        said = {"action": action, "client": client_id, "room": room}
        for node in nodes:
            answer = await self._cable.questions.ask(node, f"room_{action}", said)
            if answer.get("failed"):
                raise BusUnavailable(f"node {node} could not {action} the room; its log says why")
            if answer["done"]:
                done = True
            else:
                failures.append(RequestFailed(int(answer["code"]), str(answer["message"])))
        if not done:
            raise failures[0] if failures else room_failed(ErrorCode.CLIENT_NOT_FOUND)

    async def _here(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        act = self._acts[said["action"]]
        done = False
        failure = room_failed(ErrorCode.CLIENT_NOT_FOUND)
        for connection in self._cable.clients.here(str(said["client"])):
            try:
                await act(connection, str(said["room"]))
                done = True
            except RequestFailed as refused:
                failure = refused
        return {"done": done, "code": failure.code, "message": failure.message}
