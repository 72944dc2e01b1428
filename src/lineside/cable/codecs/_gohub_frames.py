"""GoHub's envelope, as the fields that events become."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lineside.cable._protocol._events import (
    Confirmation,
    Disconnection,
    Event,
    Failure,
    HistoryConfirmation,
    HistoryRejection,
    PresenceChange,
    PresenceInfo,
    Rejection,
    Reply,
    StreamMessage,
    Transmission,
    Unsubscription,
)
from lineside.cable.codecs._json import JSONText, quoted

__all__ = ["fields_of", "spliced"]

_Fields = dict[str, Any]
_Clock = Callable[[], float]


def fields_of(event: Event, clock: _Clock) -> _Fields | None:
    """Return the envelope of an event; None for an event that GoHub does not have.

    Args:
        event: What to tell the client.
        clock: Returns the seconds since 1970.
    """
    if isinstance(event, StreamMessage):
        return _envelope(event.type, JSONText(event.data), _sent_at(event, clock)) | _origin(event)
    if isinstance(event, Transmission):
        fields = _envelope("message", event.message, _milliseconds(clock()))
        return fields | {"identifier": event.identifier}
    writer = _BODIES.get(type(event))
    if writer is None:
        return None
    kind, data = writer(event)
    fields = _envelope(kind, data, _milliseconds(clock()))
    request_id = getattr(event, "request_id", None)
    return fields if request_id is None else fields | {"request_id": request_id}


def spliced(event: StreamMessage, clock: _Clock) -> str:
    """Return the envelope of a stream's message as JSON, without reading the message.

    Args:
        event: The message.
        clock: Returns the seconds since 1970.

    Raises:
        ValueError: It is not UTF-8.
    """
    head = (
        f'{{"message_id":0,"message_type":{quoted(event.type)},'
        f'"data":{event.data.decode()},"timestamp":{_sent_at(event, clock)}'
    )
    if event.identifier != event.stream:
        head += f',"identifier":{quoted(event.identifier)}'
    position = event.position
    if position is None:
        return head + "}"
    return (
        f'{head},"stream":{quoted(event.stream)},'
        f'"epoch":{quoted(position.epoch)},"offset":{position.offset}}}'
    )


def _envelope(kind: str, data: Any, timestamp: int) -> _Fields:
    return {"message_id": 0, "message_type": kind, "data": data, "timestamp": timestamp}


def _origin(event: StreamMessage) -> _Fields:
    fields: _Fields = {} if event.identifier == event.stream else {"identifier": event.identifier}
    position = event.position
    if position is not None:
        fields |= {"stream": event.stream, "epoch": position.epoch, "offset": position.offset}
    return fields


def _sent_at(event: StreamMessage, clock: _Clock) -> int:
    return _milliseconds(event.published_at or clock())


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)


def _confirmation(event: Confirmation) -> tuple[str, _Fields]:
    return "subscribed", {"identifier": event.identifier}


def _unsubscription(event: Unsubscription) -> tuple[str, _Fields]:
    return "unsubscribed", {"identifier": event.identifier}


def _rejection(event: Rejection) -> tuple[str, _Fields]:
    error: _Fields = {"code": event.code, "message": event.reason, "request_id": event.request_id or 0}
    return "error", error | {"identifier": event.identifier}


def _failure(event: Failure) -> tuple[str, _Fields]:
    error: _Fields = {"code": event.code, "message": event.message, "request_id": event.request_id or 0}
    if event.details is not None:
        error["details"] = event.details
    if event.identifier is not None:
        error["identifier"] = event.identifier
    return "error", error


def _reply(event: Reply) -> tuple[str, Any]:
    return event.type, event.data


def _history_confirmation(event: HistoryConfirmation) -> tuple[str, _Fields]:
    return "history_confirmed", {"identifier": event.identifier}


def _history_rejection(event: HistoryRejection) -> tuple[str, _Fields]:
    return "history_rejected", {"identifier": event.identifier, "reason": event.reason}


def _presence_change(event: PresenceChange) -> tuple[str, _Fields]:
    data = {"identifier": event.identifier, "type": event.type, "id": event.id, "info": event.info}
    return "presence", data


def _presence_info(event: PresenceInfo) -> tuple[str, _Fields]:
    data: _Fields = {"identifier": event.identifier}
    if event.error is not None:
        return "presence", data | {"type": "error", "reason": event.error}
    data |= {"type": "info", "total": event.total}
    if event.records is not None:
        data["records"] = list(event.records)
    return "presence", data


def _disconnection(event: Disconnection) -> tuple[str, _Fields]:
    data: _Fields = {"reason": event.reason, "reconnect": event.reconnect}
    if event.retry_seconds is not None:
        data["retry_ms"] = _milliseconds(event.retry_seconds)
    return "disconnect", data


_BODIES: Final[Mapping[type[Event], Callable[[Any], tuple[str, Any]]]] = {
    Confirmation: _confirmation,
    Unsubscription: _unsubscription,
    Rejection: _rejection,
    Failure: _failure,
    Reply: _reply,
    HistoryConfirmation: _history_confirmation,
    HistoryRejection: _history_rejection,
    PresenceChange: _presence_change,
    PresenceInfo: _presence_info,
    Disconnection: _disconnection,
}
