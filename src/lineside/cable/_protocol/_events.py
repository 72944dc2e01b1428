"""What the server tells a client, whatever protocol it speaks: the values that a codec encodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lineside.bus import Position

__all__ = [
    "ACK",
    "Confirmation",
    "Disconnection",
    "Event",
    "Failure",
    "HistoryConfirmation",
    "HistoryRejection",
    "PingEvent",
    "PongEvent",
    "PresenceChange",
    "PresenceInfo",
    "Rejection",
    "Reply",
    "StreamMessage",
    "Transmission",
    "Unsubscription",
    "Welcome",
]


ACK: Final = "ack"
"""The type of the answer to a request that went well and has nothing to say."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The connection stands.

    Attributes:
        session: The id with which it may be restored.
        restored: The subscriptions that are back from the earlier session; None when it was not restored.
    """

    session: str
    restored: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class PingEvent:
    """The server lives.

    Attributes:
        time: Seconds since 1970; grows by at least 1 with every ping.
    """

    time: int


@dataclass(frozen=True, slots=True)
class PongEvent:
    """The answer to a client's ping."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The client is subscribed, and every stream of the subscription is live."""

    identifier: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """The client may not subscribe, or the channel does not exist.

    Attributes:
        identifier: The subscription's name.
        reason: Why, for protocols that have a place for it.
        code: One of GoHub's error codes.
        request_id: The request's.
    """

    identifier: str
    reason: str = "rejected"
    code: int = 2001
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """The subscription has ended as the client asked; Action Cable has no frame for it."""

    identifier: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Transmission:
    """A message for one subscription.

    Attributes:
        identifier: The subscription's name.
        message: A JSON value.
    """

    identifier: str
    message: Any


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message of a stream; encoded once for all subscriptions with one identifier.

    Attributes:
        identifier: The subscription's name; for a room that a client has joined, the room's stream.
        data: The message as JSON text, which a codec may splice into its frame unread.
        stream: The stream's name as clients see it.
        position: Where it stands in the log; None for a message that is not kept.
        type: GoHub's ``message_type``; ``"message"`` unless the publisher says otherwise.
        published_at: Seconds since 1970.
    """

    identifier: str
    data: bytes
    stream: str
    position: Position | None = None
    type: str = "message"
    published_at: float = 0.0


@dataclass(frozen=True, slots=True)
class HistoryConfirmation:
    """Everything that was missed has been sent; what follows is live."""

    identifier: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class HistoryRejection:
    """What was missed cannot be brought back; what follows is live.

    Attributes:
        identifier: The subscription's name.
        reason: ``"epoch"``, ``"evicted"``, ``"forbidden"`` or ``"unavailable"``.
        request_id: The request's.
    """

    identifier: str
    reason: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """Somebody has come (``"join"``) or gone (``"leave"``)."""

    identifier: str
    type: str
    id: str
    info: Any = None


@dataclass(frozen=True, slots=True)
class PresenceInfo:
    """Who is there.

    Attributes:
        identifier: The subscription's name.
        total: How many.
        records: ``{"id", "info"}`` of each; None when they were not asked for.
        error: Why it cannot be told; the other fields mean nothing then.
        request_id: The request's.
    """

    identifier: str
    total: int = 0
    records: Sequence[Any] | None = None
    error: str | None = None
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a typed message, or a typed message of the server's own.

    Attributes:
        type: The message's type: ``"pong"``, ``"room_joined"`` ...
        data: Its payload, a JSON value.
        request_id: The ``message_id`` of the request it answers.
    """

    type: str
    data: Any = None
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that could not be done.

    Attributes:
        code: One of GoHub's error codes (`lineside.cable.ErrorCode`).
        message: What is wrong and what to do, for the client to read.
        request_id: The request's.
        identifier: The subscription's, if it is about one.
        details: More, as a JSON value: the failing fields.
    """

    code: int
    message: str
    request_id: int | None = None
    identifier: str | None = None
    details: Any = None


@dataclass(frozen=True, slots=True)
class Disconnection:
    """The server is about to close the connection.

    Attributes:
        reason: ``"unauthorized"``, ``"server_restart"``, ``"remote"``, ``"too_slow"``, ``"no_pong"``,
            ``"idle_timeout"``, ``"token_expired"``, ``"rate_limited"`` or ``"unavailable"``.
        reconnect: Whether the client should come back.
        code: The WebSocket close code that follows.
        retry_seconds: How long the client should wait first; None leaves it to the client.
    """

    reason: str
    reconnect: bool
    code: int = 1000
    retry_seconds: float | None = None


Event = (
    Welcome
    | PingEvent
    | PongEvent
    | Confirmation
    | Rejection
    | Unsubscription
    | Transmission
    | StreamMessage
    | HistoryConfirmation
    | HistoryRejection
    | PresenceChange
    | PresenceInfo
    | Reply
    | Failure
    | Disconnection
)
"""Whatever a codec may be asked to encode."""
