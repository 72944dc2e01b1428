"""Something that has happened on a server, as a value."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lineside.cable._core._connection import Connection

__all__ = ["EVENT_NAMES", "EventHandler", "ServerEvent"]

EVENT_NAMES: Final = frozenset(
    {
        "client_connected",
        "client_disconnected",
        "client_message",
        "client_error",
        "room_created",
        "room_deleted",
        "room_joined",
        "room_left",
        "room_message",
    }
)
"""The events that GoHub names."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """Something that has happened.

    Attributes:
        type: One of `EVENT_NAMES`.
        client_id: Whose doing it is; None where there is no client.
        room_id: Which room it is about.
        message: What was sent: ``{"type", "data"}``; for ``client_error`` ``{"code", "message"}``.
        time: Seconds since 1970, by the clock of its node.
        node: The node that it happened on.
        connection: The client's connection; None when it is another node's.
    """

    type: str
    client_id: str | None = None
    room_id: str | None = None
    message: Any = None
    time: float = 0.0
    node: str = ""
    connection: "Connection | None" = field(default=None, compare=False)

    def told(self) -> dict[str, Any]:
        """Return what another node is told of it: JSON values."""
        return {
            "type": self.type,
            "client_id": self.client_id,
            "room_id": self.room_id,
            "message": self.message,
            "time": self.time,
            "node": self.node,
        }


EventHandler = Callable[[ServerEvent], Any]
"""Takes an event; ``async def``, or a plain ``def`` that runs in a worker thread."""
