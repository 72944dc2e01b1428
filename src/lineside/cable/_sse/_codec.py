"""The events of one event stream, in the words of AnyCable's clients or of Gor's."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from lineside.bus import Position
from lineside.cable._protocol._commands import Command, Malformed
from lineside.cable._protocol._errors import ErrorCode
from lineside.cable._protocol._events import (
    Confirmation,
    Disconnection,
    Event,
    Failure,
    HistoryConfirmation,
    HistoryRejection,
    PingEvent,
    PresenceChange,
    Rejection,
    Reply,
    StreamMessage,
    Transmission,
    Unsubscription,
    Welcome,
)
from lineside.cable._sse._event_ids import write_event_id
from lineside.cable._sse._text import block
from lineside.strict_json import dumps

__all__ = ["EventStreamCodec"]

_NEVER_MS: Final = 31_536_000_000  # a year: clients of event streams cannot be told to stay away


class EventStreamCodec:
    """Writes events for one connection (`lineside.cable._protocol._codec.Codec`).

    Other codecs have no state. This one belongs to one connection, because an event's id tells how far that
    connection has come in all of its streams.

    Args:
        gor: Gor's events (``connected``, ``subscribed``, the bare message) instead of AnyCable's.
        raw: The bare message instead of ``{"identifier", "message"}``.
        names: How Gor's clients call the channels, by identifier.

    Attributes:
        positions: The last message that was sent of each stream.
    """

    name: str = "sse"
    subprotocol: str | None = None
    binary: bool = False
    restores: bool = False
    pings: bool = True
    replies: bool = False

    def __init__(
        self, *, gor: bool = False, raw: bool = False, names: Mapping[str, str] | None = None
    ) -> None:
        self.positions: dict[str, Position] = {}
        self._gor = gor
        self._raw = raw or gor
        self._names = names or {}

    def decode(self, frame: str | bytes) -> Command:
        """Refuse: nothing comes from a client that only listens."""
        return Malformed(ErrorCode.INVALID_FORMAT, "an event stream goes one way", silent=True)

    def encode(self, event: Event) -> str | None:
        """Write an event.

        Args:
            event: What to tell the client.
        """
        writer = self._writers.get(type(event))
        return None if writer is None else writer(self, event)

    def position(self) -> str | None:
        """Return the block that only says how far the client is; browsers dispatch nothing for it."""
        event_id = write_event_id(self.positions)
        return None if event_id is None else block(event_id=event_id)

    def _welcome(self, event: Welcome) -> str:
        if self._gor:
            return block(_json({"message": "Connected to SSE server"}), event="connected")
        return block(_json({"type": "welcome", "sid": event.session}), event="welcome")

    def _ping(self, event: PingEvent) -> str:
        # Gor has no heartbeat: its clients are sent a comment.
        return (
            ": ping\n\n" if self._gor else block(_json({"type": "ping", "message": event.time}), event="ping")
        )

    def _confirmation(self, event: Confirmation) -> str:
        event_id = write_event_id(self.positions)
        if self._gor:
            channel = self._names.get(event.identifier, event.identifier)
            return block(_json({"channel": channel}), event="subscribed", event_id=event_id)
        return self._told("confirm_subscription", event.identifier, event_id=event_id)

    def _unsubscription(self, event: Unsubscription) -> str | None:
        channel = self._names.get(event.identifier, event.identifier)
        return block(_json({"channel": channel}), event="unsubscribed") if self._gor else None

    def _rejection(self, event: Rejection) -> str:
        return self._told("reject_subscription", event.identifier, reason=event.reason, code=event.code)

    def _stream_message(self, event: StreamMessage) -> str:
        event_id = None
        if event.position is not None:
            self.positions[event.stream] = event.position
            event_id = write_event_id(self.positions)
        name = None if event.type == "message" else event.type
        return block(self._wrapped(event.identifier, event.data.decode()), event=name, event_id=event_id)

    def _transmission(self, event: Transmission) -> str:
        return block(self._wrapped(event.identifier, _json(event.message)))

    def _wrapped(self, identifier: str, message: str) -> str:
        return message if self._raw else f'{{"identifier":{_json(identifier)},"message":{message}}}'

    def _history_confirmation(self, event: HistoryConfirmation) -> str:
        return self._told("confirm_history", event.identifier)

    def _history_rejection(self, event: HistoryRejection) -> str:
        return self._told("reject_history", event.identifier, reason=event.reason)

    def _presence(self, event: PresenceChange) -> str:
        change = {"type": event.type, "id": event.id, "info": event.info}
        return self._told("presence", event.identifier, message=change)

    def _reply(self, event: Reply) -> str:
        return block(_json(event.data), event=event.type)

    def _failure(self, event: Failure) -> str:
        return block(_json({"type": "error", "code": event.code, "message": event.message}), event="error")

    def _disconnection(self, event: Disconnection) -> str:
        retry_ms = None if event.retry_seconds is None else round(event.retry_seconds * 1_000)
        data = {"type": "disconnect", "reason": event.reason, "reconnect": event.reconnect}
        return block(_json(data), event="disconnect", retry_ms=retry_ms if event.reconnect else _NEVER_MS)

    def _told(self, event: str, identifier: str, *, event_id: str | None = None, **more: Any) -> str:
        return block(_json({"type": event, "identifier": identifier, **more}), event=event, event_id=event_id)

    _writers: ClassVar[Mapping[type[Event], Callable[[Any, Any], str | None]]] = {
        Welcome: _welcome,
        PingEvent: _ping,
        Confirmation: _confirmation,
        Unsubscription: _unsubscription,
        Rejection: _rejection,
        StreamMessage: _stream_message,
        Transmission: _transmission,
        HistoryConfirmation: _history_confirmation,
        HistoryRejection: _history_rejection,
        PresenceChange: _presence,
        Reply: _reply,
        Failure: _failure,
        Disconnection: _disconnection,
    }


def _json(value: Any) -> str:
    return dumps(value).decode()
