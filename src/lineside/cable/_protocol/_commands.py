"""What a client asks for, whatever protocol it speaks: the values that a codec makes of frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lineside.bus import Position

__all__ = [
    "Command",
    "HistoryRequest",
    "Join",
    "Leave",
    "Malformed",
    "Perform",
    "Ping",
    "Pong",
    "PresenceQuery",
    "ReadHistory",
    "Request",
    "Subscribe",
    "Unsubscribe",
    "Whisper",
]


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """From where on a client wants what it has missed.

    Attributes:
        since: Seconds since 1970; for streams without a position.
        positions: The last message it has of each stream, by the stream's name.
    """

    since: float | None = None
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe to a channel.

    Attributes:
        identifier: The subscription's name; the same text goes back in every answer.
        history: What to replay behind the confirmation.
        presence: ``{"id", "info"}``, to join at once.
        request_id: What the client called its request, for protocols that answer each one.
    """

    identifier: str
    history: HistoryRequest | None = None
    presence: Mapping[str, Any] | None = None
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Give a subscription up."""

    identifier: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Perform:
    """Call an action of a subscribed channel.

    Attributes:
        identifier: The subscription's name.
        action: The action's name; ``"receive"`` where the client names none.
        data: The action's arguments.
        request_id: As for `Subscribe`.
    """

    identifier: str
    action: str
    data: Mapping[str, Any]
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Whisper:
    """Tell the other subscribers of the whisper stream something that nobody keeps."""

    identifier: str
    data: Any
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Replay what was missed on a subscription."""

    identifier: str
    history: HistoryRequest
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """Join the presence of a subscription; ``id`` and ``info`` are wishes, the server decides."""

    identifier: str
    id: str | None = None
    info: Any = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the presence of a subscription."""

    identifier: str


@dataclass(frozen=True, slots=True)
class PresenceQuery:
    """Ask who is present on a subscription.

    Attributes:
        identifier: The subscription's name.
        records: Return who is there, not only how many.
        request_id: As for `Subscribe`.
    """

    identifier: str
    records: bool = True
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks whether the server lives."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The client answers a ping."""


@dataclass(frozen=True, slots=True)
class Request:
    """A typed message for the dispatcher, as GoHub's.

    Attributes:
        type: The message's type.
        data: Its payload; None when the client sent none.
        request_id: The client's ``message_id``, which comes back as the answer's ``request_id``.
    """

    type: str
    data: Any = None
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """A frame that the protocol does not know; the connection stays open.

    Attributes:
        code: One of GoHub's error codes: 1001 (format), 1002 (message id), 4002 (too large).
        message: What is wrong, for the client to read.
        request_id: The request's, where it could be read.
        identifier: The subscription's, where it could be read.
        silent: The protocol's clients do not expect an answer to this.
    """

    code: int
    message: str
    request_id: int | None = None
    identifier: str | None = None
    silent: bool = False


Command = (
    Subscribe
    | Unsubscribe
    | Perform
    | Whisper
    | ReadHistory
    | Join
    | Leave
    | PresenceQuery
    | Ping
    | Pong
    | Request
    | Malformed
)
"""Whatever a codec may make of a frame."""
