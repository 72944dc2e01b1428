"""A client that connects again takes the place of its earlier connections, on whatever node they are.

Connections of one client have an order that every node agrees on: each takes a number above the one that
it found, and among equal numbers the ids decide. Of several that come at the same time exactly one stays.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import Member
from lineside.cable._auth._close_codes import CloseCode

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["Replacing"]

_REPLACE: Final = "replace_sessions"
_NUMBER: Final = "number"


class Replacing:
    """Ends the earlier connections of clients.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable
        self._numbers: dict[str, int] = {}
        cable.cluster.on(_REPLACE, self._replace_here)

    def take_number(self, connection: "Connection", known: Member | None) -> Mapping[str, int]:
        """Put a connection behind those that are known.

        Args:
            connection: One that is about to join.
            known: What the bus has of its client.

        Returns:
            What the bus shall have of it from now on.
        """
        last: Any = 0 if known is None else known.info.get(_NUMBER, 0)
        number = self._numbers.setdefault(connection.id, int(last) + 1)
        return {_NUMBER: number}

    def forget(self, connection: "Connection") -> None:
        """Forget the number of a connection that is gone."""
        self._numbers.pop(connection.id, None)

    async def end_others(self, connection: "Connection", known: Member | None) -> None:
        """End the other connections of a client.

        Args:
            connection: One that has joined.
            known: What the bus has of its client now.

        Raises:
            BusUnavailable: The bus does not answer.
        """
        sessions = {} if known is None else dict(known.sessions)
        sessions.pop(connection.id, None)
        for node in sorted(set(sessions.values())):
            there = [session for session, its in sessions.items() if its == node]
            await self._tell(connection, there, node=node)

    async def _tell(self, connection: "Connection", sessions: list[str], *, node: str) -> None:
        said = {
            "client": connection.client_id,
            "by": connection.id,
            "number": self._numbers.get(connection.id, 0),
            "node": self._cable.bus.node,
            "sessions": sessions,
        }
        await self._cable.cluster.tell(_REPLACE, said, node=node)

    async def _replace_here(self, said: Mapping[str, Any]) -> None:
        by = (int(said["number"]), str(said["by"]))
        for connection in self._cable.clients.here(str(said["client"])):
            if connection.id not in said["sessions"]:
                continue
            if (self._numbers.get(connection.id, 0), connection.id) < by:
                connection.disconnect("replaced", reconnect=False, code=CloseCode.CLIENT_ID_TAKEN)
            else:
                # It may not have seen the other one, which has to learn that it is the earlier.
                await self._tell(connection, [by[1]], node=str(said["node"]))
