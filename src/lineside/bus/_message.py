"""What travels on the bus, as values: messages, their positions, and what happened to a stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "NO_HISTORY",
    "Discontinuity",
    "HistoryLimits",
    "Message",
    "Position",
    "Published",
    "Slice",
]


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a stream a reader is, as Centrifugo's and AnyCable's.

    Attributes:
        epoch: Names one life of the stream's log. A log that was lost has another one afterwards.
        offset: Grows with every message of the stream; 0 is in front of the first.
    """

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How much of a stream is kept for those who come back.

    Attributes:
        messages: The last so many messages of each stream.
        age_seconds: How long each of them is kept.
    """

    messages: int = 100
    age_seconds: float = 300.0


NO_HISTORY: Final = HistoryLimits(messages=0, age_seconds=0.0)
"""Publishing with these keeps nothing: the message reaches who listens now."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream, as a listener gets it.

    Attributes:
        stream: The stream's name.
        data: The bytes that were published, unchanged.
        id: Names the message; two with one id are the same message.
        node: The node that published it.
        position: Where it stands in the log; None for a message that is not kept.
        published_at: Seconds since 1970, by the publisher's clock.
        headers: Small texts beside the data: the sender to leave out, the trace it belongs to.
    """

    stream: str
    data: bytes
    id: str
    node: str
    position: Position | None = None
    published_at: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a message that was published.

    Attributes:
        id: The message's id.
        position: Where it stands in the log; None for a message that is not kept.
        duplicate: An earlier message had this idempotency key: nothing was published, and ``id``
            and ``position`` are the earlier one's.
    """

    id: str
    position: Position | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of a stream's log.

    Attributes:
        epoch: The log's epoch now.
        messages: In order, oldest first.
        last_offset: The offset of the newest message ever appended in this epoch; 0 for none.
        complete: Nothing between the position asked for and ``last_offset`` is missing. False when
            the epoch differs, or when messages behind the position have been evicted: ``messages``
            is empty then, because a part of a history is never passed off as the whole.
    """

    epoch: str
    messages: tuple[Message, ...] = ()
    last_offset: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A listener has missed messages that nobody can bring back; the next ones are live.

    Attributes:
        stream: The stream's name.
        epoch: Its log's epoch from now on.
        last_offset: The offset of the newest message before the next live one.
        reason: ``"epoch"`` (the log was lost) or ``"evicted"`` (it was away for too long).
    """

    stream: str
    epoch: str
    last_offset: int
    reason: str
