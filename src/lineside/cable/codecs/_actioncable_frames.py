"""Action Cable's frames, as the fields that events become."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lineside.cable._protocol._events import (
    Confirmation,
    Disconnection,
    Event,
    HistoryConfirmation,
    HistoryRejection,
    PingEvent,
    PongEvent,
    PresenceChange,
    PresenceInfo,
    Rejection,
    StreamMessage,
    Transmission,
    Welcome,
)
from lineside.cable.codecs._json import JSONText, quoted

__all__ = ["EXTENDED", "PLAIN", "fields_of", "spliced"]

_Fields = dict[str, Any]
_Writer = Callable[[Any], _Fields]


def fields_of(event: Event, writers: Mapping[type[Event], _Writer]) -> _Fields | None:
    """Return the fields of an event's frame; None for an event that the protocol does not have.

    Args:
        event: What to tell the client.
        writers: The events that the protocol has: `PLAIN` or `EXTENDED`.
    """
    writer = writers.get(type(event))
    return None if writer is None else writer(event)


def spliced(event: StreamMessage) -> str:
    """Return the frame of a stream's message as JSON, without reading the message.

    Args:
        event: The message.

    Raises:
        ValueError: It is not UTF-8.
    """
    head = f'{{"identifier":{quoted(event.identifier)},"message":{event.data.decode()}'
    position = event.position
    if position is None:
        return head + "}"
    return (
        f'{head},"stream_id":{quoted(event.stream)},'
        f'"epoch":{quoted(position.epoch)},"offset":{position.offset}}}'
    )


def _welcome(event: Welcome) -> _Fields:
    return {"type": "welcome"}


def _welcome_with_session(event: Welcome) -> _Fields:
    fields: _Fields = {"type": "welcome", "sid": event.session}
    if event.restored is not None:
        fields |= {"restored": True, "restored_ids": list(event.restored)}
    return fields


def _ping(event: PingEvent) -> _Fields:
    return {"type": "ping", "message": event.time}


def _pong(event: PongEvent) -> _Fields:
    return {"type": "pong"}


def _confirmation(event: Confirmation) -> _Fields:
    return {"type": "confirm_subscription", "identifier": event.identifier}


def _rejection(event: Rejection) -> _Fields:
    return {"type": "reject_subscription", "identifier": event.identifier}


def _transmission(event: Transmission) -> _Fields:
    return {"identifier": event.identifier, "message": event.message}


def _stream_message(event: StreamMessage) -> _Fields:
    fields: _Fields = {"identifier": event.identifier, "message": JSONText(event.data)}
    position = event.position
    if position is not None:
        fields |= {"stream_id": event.stream, "epoch": position.epoch, "offset": position.offset}
    return fields


def _presence_change(event: PresenceChange) -> _Fields:
    message = {"type": event.type, "id": event.id, "info": event.info}
    return {"type": "presence", "identifier": event.identifier, "message": message}


def _presence_info(event: PresenceInfo) -> _Fields:
    message: _Fields
    if event.error is not None:
        message = {"type": "error", "reason": event.error}
    else:
        message = {"type": "info", "total": event.total}
        if event.records is not None:
            message["records"] = list(event.records)
    return {"type": "presence", "identifier": event.identifier, "message": message}


def _history_confirmation(event: HistoryConfirmation) -> _Fields:
    return {"type": "confirm_history", "identifier": event.identifier}


def _history_rejection(event: HistoryRejection) -> _Fields:
    return {"type": "reject_history", "identifier": event.identifier}


def _disconnection(event: Disconnection) -> _Fields:
    return {"type": "disconnect", "reason": event.reason, "reconnect": event.reconnect}


PLAIN: Final[Mapping[type[Event], _Writer]] = {
    Welcome: _welcome,
    PingEvent: _ping,
    Confirmation: _confirmation,
    Rejection: _rejection,
    Transmission: _transmission,
    StreamMessage: _stream_message,
    PresenceChange: _presence_change,
    PresenceInfo: _presence_info,
    Disconnection: _disconnection,
}
"""The frames of ``actioncable-v1``. A presence change reaches its clients too, as with AnyCable."""

EXTENDED: Final[Mapping[type[Event], _Writer]] = {
    **PLAIN,
    Welcome: _welcome_with_session,
    PongEvent: _pong,
    HistoryConfirmation: _history_confirmation,
    HistoryRejection: _history_rejection,
}
"""The frames of ``actioncable-v1-ext``."""
