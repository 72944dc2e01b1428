"""One subscription's hold on one stream."""

import logging
from collections.abc import Mapping
from typing import Any

from lineside.bus import Message
from lineside.cable._core._outbox import Outbox
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._events import Event, StreamMessage
from lineside.cable._protocol._frame import Frame
from lineside.cable._protocol._message import event_of
from lineside.cable._protocol._ports import StreamTransform
from lineside.strict_json import dumps, loads

__all__ = ["Attachment"]

_logger = logging.getLogger("lineside.cable")


class Attachment:
    """What a subscription wants of a stream, and how far it has been served.

    Attributes:
        stream: The stream's name.
        codec: The connection's protocol.
        identifier: The subscription's name.
        connection_id: The connection.
        outbox: Where its frames go.
        transform: Changes each message; None for none.
        history: The client may ask for what it has missed.
        history_since: And may not see what was published before (seconds since 1970).
        whisper: What the client whispers goes to this stream.
        presence: ``{"id", "info"}`` when the client may be present here.
        held: Live messages that wait for a replay; None once they flow.
        held_limit: How many may wait.
        overflowed: More came than may wait.
        epoch: The log's epoch when this was attached.
        floor: The last offset that was not delivered live; what is behind it comes by itself.
        stopped: The subscription wants nothing of the stream any more.
    """

    __slots__ = (
        "codec",
        "connection_id",
        "epoch",
        "floor",
        "held",
        "held_limit",
        "history",
        "history_since",
        "identifier",
        "outbox",
        "overflowed",
        "presence",
        "stopped",
        "stream",
        "transform",
        "whisper",
    )

    def __init__(
        self,
        stream: str,
        *,
        codec: Codec,
        identifier: str,
        connection_id: str,
        outbox: Outbox,
        transform: StreamTransform | None,
        history: bool,
        history_since: float | None,
        whisper: bool,
        presence: Mapping[str, Any] | None,
        held: bool,
        held_limit: int,
    ) -> None:
        self.stream: str = stream
        self.codec: Codec = codec
        self.identifier: str = identifier
        self.connection_id: str = connection_id
        self.outbox: Outbox = outbox
        self.transform: StreamTransform | None = transform
        self.history: bool = history
        self.history_since: float | None = history_since
        self.whisper: bool = whisper
        self.presence: Mapping[str, Any] | None = presence
        self.held: list[Message] | None = [] if held else None
        self.held_limit: int = held_limit
        self.overflowed: bool = False
        self.epoch: str = ""
        self.floor: int = 0
        self.stopped: bool = False

    def deliver(self, message: Message) -> None:
        """Send a message, or keep it until the replay is over."""
        if self.held is None:
            self.send(message)
        elif len(self.held) < self.held_limit:
            self.held.append(message)
        else:
            self.overflowed = True

    def send(self, message: Message) -> None:
        """Send a message to this subscriber alone."""
        try:
            event: Event | None = event_of(message, self.identifier)
            if self.transform is not None and isinstance(event, StreamMessage):
                event = self._transformed(event)
            payload = None if event is None else self.codec.encode(event)
        except ValueError:
            _logger.warning(
                "a message of %r cannot be sent over %s", self.stream, self.codec.name, exc_info=True
            )
            return
        if payload is not None:
            self.outbox.push(Frame(payload))

    def _transformed(self, event: StreamMessage) -> StreamMessage | None:
        assert self.transform is not None
        try:
            value = self.transform(loads(event.data))
            data = None if value is None else dumps(value)
        except Exception:  # the transform is the app's; one that fails must not stop the stream
            _logger.exception("the transform of %r failed for connection %s", self.stream, self.connection_id)
            return None
        if data is None:
            return None
        return StreamMessage(
            event.identifier, data, event.stream, event.position, event.type, event.published_at
        )
