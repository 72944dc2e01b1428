"""Messages for one client, wherever it is connected, and for all of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from lineside.bus import BusUnavailable
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._events import Reply
from lineside.cable._protocol._frame import Frame

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["Delivery", "DirectMessages"]

Delivery = Literal["delivered", "offline", "unknown"]
"""What became of a message for one client."""

_PUSH: Final = "push"
_PUSH_ALL: Final = "push_all"


class DirectMessages:
    """Hands messages to clients; nothing is kept for those who are not there.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable
        cable.cluster.on(_PUSH_ALL, self._push_all)
        cable.questions.on(_PUSH, self._push)

    async def send_to(
        self,
        client_id: str,
        message: Any,
        *,
        type: str = "direct_message",  # noqa: A002 - GoHub's word
    ) -> Delivery:
        """Send a message to every connection of one client, on whatever node.

        Args:
            client_id: The client's id.
            message: A JSON value.
            type: GoHub's ``message_type``.

        Returns:
            ``"delivered"`` when a node handed it to at least one connection; ``"offline"`` when the client
            was connected within the last minutes, or its protocols have no messages of this kind;
            ``"unknown"`` otherwise.

        Raises:
            BusUnavailable: A node did not answer, and nobody else delivered: whether it has is unknown.
        """
        nodes = await self._cable.clients.nodes_of(client_id)
        said = {"client": client_id, "type": type, "message": message}
        delivered, silent = 0, None
        for node in nodes:
            if node == self._cable.bus.node:
                delivered += self._deliver(self._cable.clients.here(client_id), type, message)
                continue
            try:
                answer = await self._cable.questions.ask(node, _PUSH, said)
                delivered += int(answer.get("delivered", 0))
            except BusUnavailable as error:
                silent = error
        if delivered:
            return "delivered"
        if silent is not None:
            raise silent
        return "offline" if nodes or await self._cable.clients.was_here(client_id) else "unknown"

    async def broadcast_all(
        self,
        message: Any,
        *,
        type: str = "broadcast",  # noqa: A002 - GoHub's word
    ) -> None:
        """Send a message to every client of all nodes, once for each connection.

        Clients of Action Cable's protocols are not reached: there every message belongs to a subscription.

        Args:
            message: A JSON value.
            type: GoHub's ``message_type``.

        Raises:
            BusUnavailable: The bus does not answer; the clients of this node may have it.
        """
        await self._cable.cluster.tell(_PUSH_ALL, {"type": type, "message": message})

    async def _push(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        connections = self._cable.clients.here(str(said["client"]))
        return {"delivered": self._deliver(connections, str(said["type"]), said["message"])}

    async def _push_all(self, said: Mapping[str, Any]) -> None:
        self._deliver(list(self._cable.connections.values()), str(said["type"]), said["message"])

    def _deliver(self, connections: Sequence["Connection"], type_: str, message: Any) -> int:
        frames: dict[Codec, Frame | None] = {}
        delivered = 0
        for connection in connections:
            codec = connection.codec
            if codec not in frames:
                payload = codec.encode(Reply(type_, message))
                frames[codec] = None if payload is None else Frame(payload)
            frame = frames[codec]
            if frame is not None and not connection.outbox.closed:
                connection.outbox.push(frame)
                delivered += 1
        self._cable.stats.deliveries += delivered
        return delivered
