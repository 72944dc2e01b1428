"""What the HTTP API takes and gives, in GoHub's words."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "BroadcastIn",
    "Client",
    "Clients",
    "PresentUsers",
    "Room",
    "RoomBroadcastIn",
    "RoomIn",
    "Stats",
    "Status",
]

_Name = Annotated[str, Field(min_length=1, max_length=255)]
_Message = Annotated[JsonValue, Field(description="A JSON value")]


class _Strict(BaseModel):
    # JSON has numbers and texts; taking one for the other would hide a caller's mistake.
    model_config = ConfigDict(strict=True, extra="forbid")


class BroadcastIn(_Strict):
    """A message for every client of all nodes.

    Attributes:
        message: What they are sent.
        type: GoHub's ``message_type``.
    """

    message: _Message
    type: _Name = "broadcast"


class RoomBroadcastIn(_Strict):
    """A message for everybody in a room.

    Attributes:
        room_id: The room.
        message: What they are sent.
        exclude: The id of a connection that is not sent it.
        idempotency_key: A second message with this key within 5 minutes is not sent.
    """

    room_id: _Name
    message: _Message
    exclude: _Name | None = None
    idempotency_key: _Name | None = None


class RoomIn(_Strict):
    """A room to make.

    Attributes:
        id: Its id.
        name: What people call it; default: its id.
        max_clients: How many clients it takes, over all nodes; 0 for any number.
    """

    id: _Name
    name: _Name | None = None
    max_clients: Annotated[int, Field(ge=0)] = 0


class Status(BaseModel):
    """What was done."""

    status: str


class Room(BaseModel):
    """A room, as every node sees it."""

    id: str
    name: str
    member_count: int
    max_clients: int


class Stats(BaseModel):
    """Figures of all nodes.

    Attributes:
        client_count: Clients that are connected.
        room_count: Rooms.
        timestamp: Seconds since 1970.
        cluster_mode: The bus reaches other nodes.
        node: The node that answers.
        nodes: The living nodes.
        connections: Connections of the node that answers.
    """

    client_count: int
    room_count: int
    timestamp: int
    cluster_mode: bool
    node: str
    nodes: Sequence[str]
    connections: int


class Client(BaseModel):
    """A client that is connected.

    Attributes:
        id: Its id.
        sessions: Its connections, each with the node it is on.
    """

    id: str
    sessions: Mapping[str, str]


class Clients(BaseModel):
    """The clients of all nodes.

    Attributes:
        total_clients: How many there are.
        timestamp: Seconds since 1970.
        clients: One page of them, sorted by id.
    """

    total_clients: int
    timestamp: int
    clients: Sequence[Client]


class PresentUsers(BaseModel):
    """Who is present on a stream, as AnyCable says it.

    Attributes:
        type: ``"info"``.
        total: How many.
        records: ``{"id", "info"}`` of each.
    """

    type: str = "info"
    total: int
    records: Sequence[Mapping[str, Any]]
