"""The clients of all nodes, and where each one is connected.

A client is known by its id; it may have several connections, on several nodes.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from lineside.bus import BusError, Departed, GroupFullError, Member
from lineside.cable._auth._close_codes import CloseCode
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._rooms._leavings import Leavings
from lineside.cable._rooms._replacing import Replacing

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["Clients"]

_CLIENTS: Final = "clients"
_ONE_IDENTITY: Final = "connections:"
_SEEN: Final = "cable-client-seen:"

_logger = logging.getLogger("lineside.cable")


class Clients:
    """Who is connected, over all nodes.

    Args:
        cable: The cable.
        replace: A client that connects again takes the place of its earlier connections, as in GoHub;
            by default it has several.
        seen_seconds: How long a client that has gone is ``"offline"``, and not ``"unknown"``.
    """

    def __init__(self, cable: "Cable", *, replace: bool = False, seen_seconds: float = 300.0) -> None:
        self._cable = cable
        self._seen_seconds = seen_seconds
        self._leavings = Leavings(cable.bus)
        self._here: dict[str, dict[str, Connection]] = {}
        self._replacing = Replacing(cable) if replace else None

    def here(self, client_id: str) -> Sequence["Connection"]:
        """Return a client's connections to this node.

        Args:
            client_id: The client's id.
        """
        return tuple(self._here.get(client_id, {}).values())

    async def get(self, client_id: str) -> Member | None:
        """Return a client that is connected to any node, or None.

        Args:
            client_id: The client's id.

        Returns:
            Its id, and the node of each of its connections (``sessions``).
        """
        return await self._cable.bus.require_presence().member(_CLIENTS, client_id)

    async def nodes_of(self, client_id: str) -> Sequence[str]:
        """Return the ids of the nodes that a client is connected to, this one first."""
        own = self._cable.bus.node
        nodes = {own} if client_id in self._here else set[str]()
        if self._cable.bus.presence is not None:
            known = await self.get(client_id)
            nodes |= set(known.sessions.values()) if known is not None else set()
        return sorted(nodes, key=lambda node: (node != own, node))

    async def was_here(self, client_id: str) -> bool:
        """Tell whether a client was connected within the last minutes.

        Args:
            client_id: The client's id.
        """
        membership = self._cable.bus.membership
        return membership is not None and await membership.get(_SEEN + client_id) is not None

    async def count(self) -> int:
        """Return how many clients are connected, to all nodes."""
        return await self._cable.bus.require_presence().count(_CLIENTS)

    async def list(self) -> Sequence[Member]:
        """Return every client of all nodes, sorted by id."""
        return await self._cable.bus.require_presence().members(_CLIENTS)

    async def enter(self, connection: "Connection") -> None:
        """Let the other nodes know of a connection, before its client is welcomed.

        Args:
            connection: The connection.

        Raises:
            RequestFailed: Its identity has as many connections as it may have (1005).
        """
        self._here.setdefault(connection.client_id, {})[connection.id] = connection
        if self._cable.bus.presence is None or not self._cable.bus.connected:
            return  # `rejoin` tells the others when the bus is back
        try:
            await self._join(connection)
            if connection.id not in self._here.get(connection.client_id, {}):
                # It hung up meanwhile, when the others did not know of it yet.
                await self._depart(connection)
            elif self._replacing is not None:
                await self._replacing.end_others(connection, await self.get(connection.client_id))
        except GroupFullError:
            self._forget(connection)
            raise RequestFailed(
                ErrorCode.RATE_LIMITED, "you have too many connections; close one first"
            ) from None
        except BusError:
            _logger.warning("the other nodes do not know of connection %s yet", connection.id, exc_info=True)

    async def _join(self, connection: "Connection") -> None:
        presence, node = self._cable.bus.require_presence(), self._cable.bus.node
        limit = self._cable.limits.connections_per_identity
        if limit is not None and connection.identity.id is not None:
            # A group of its own, whose members are connections: so the limit holds over all nodes.
            group = _ONE_IDENTITY + connection.identity.id
            await presence.join(group, connection.id, connection.id, node=node, limit=limit)
        info: Mapping[str, int] | None = None
        if self._replacing is not None:
            info = self._replacing.take_number(connection, await self.get(connection.client_id))
        await presence.join(_CLIENTS, connection.client_id, connection.id, node=node, info=info)

    async def left(self, connection: "Connection") -> None:
        """Let the other nodes know that a connection is gone.

        Args:
            connection: The connection.
        """
        if self._replacing is not None:
            self._replacing.forget(connection)
        if not self._forget(connection) or self._cable.bus.presence is None:
            return
        await self._depart(connection)

    async def _depart(self, connection: "Connection") -> None:
        left = await self._leavings.leave(_CLIENTS, connection.client_id, connection.id)
        if self._cable.limits.connections_per_identity is not None and connection.identity.id is not None:
            group = _ONE_IDENTITY + connection.identity.id
            await self._leavings.leave(group, connection.id, connection.id)
        if left is not None and left.last:
            await self._remember(connection.client_id)

    async def departed(self, gone: Departed) -> None:
        """Take notice of a client whose node has died.

        Args:
            gone: What the bus has dropped; that of other groups is ignored.
        """
        if gone.group == _CLIENTS:
            await self._remember(gone.member)
            self._cable.events.fire("client_disconnected", client_id=gone.member)

    async def rejoin(self) -> None:
        """Tell the other nodes of everybody here, after this node was thought dead or the store was lost.

        Raises:
            BusUnavailable: The bus does not answer.
        """
        if self._cable.bus.presence is None:
            return
        await self._leavings.settle()
        for connections in list(self._here.values()):
            for connection in list(connections.values()):
                try:
                    await self._join(connection)
                except GroupFullError:
                    connection.disconnect(
                        "too_many_connections", reconnect=False, code=CloseCode.RATE_LIMITED
                    )
                if connection.id not in self._here.get(connection.client_id, {}):
                    await self._depart(connection)

    def _forget(self, connection: "Connection") -> bool:
        connections = self._here.get(connection.client_id, {})
        known = connections.pop(connection.id, None) is not None
        if not connections:
            self._here.pop(connection.client_id, None)
        return known

    async def _remember(self, client_id: str) -> None:
        membership = self._cable.bus.membership
        if membership is None:
            return
        try:
            await membership.put(_SEEN + client_id, b"", ttl_seconds=self._seen_seconds)
        except BusError:
            _logger.warning("client %s counts as unknown: the bus does not answer", client_id)
