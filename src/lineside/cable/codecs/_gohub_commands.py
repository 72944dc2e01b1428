"""GoHub's messages, read from the fields of an envelope; some of them name a channel."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lineside.cable._protocol._commands import (
    Command,
    HistoryRequest,
    Malformed,
    Perform,
    PresenceQuery,
    ReadHistory,
    Request,
    Subscribe,
    Unsubscribe,
    Whisper,
)
from lineside.cable.codecs._fields import (
    history_request,
    object_or_none,
    presence_wish,
    text,
    text_or_none,
    wants_records,
)
from lineside.cable.codecs._problem import INVALID_MESSAGE_ID, FrameError
from lineside.strict_json import dumps

__all__ = ["malformed", "read_message"]

_INT64: Final = 2**63

_RESERVED: Final = frozenset({"channel", "identifier", "action", "data", "history", "presence"})
"""What stands beside a channel's parameters and is none of them."""


def read_message(fields: Mapping[str, Any]) -> Command:
    """Return what an envelope asks for.

    ``message_id``, ``message_type`` and ``data`` are read; ``client_id``, ``timestamp`` and
    ``request_id`` are the server's to say, and ignored, as GoHub does.

    Args:
        fields: The envelope's fields.

    Raises:
        FrameError: It is no envelope.
    """
    request_id = _message_id(fields)
    if fields.get("message_id") is not None and request_id is None:
        raise FrameError("'message_id' is not an integer; send one of 64 bits", INVALID_MESSAGE_ID)
    kind = text(fields, "message_type")
    if not kind:
        raise FrameError("'message_type' is empty; send the message's type")
    data = fields.get("data")
    reader = _FOR_CHANNELS.get(kind)
    if reader is None or not isinstance(data, dict) or not ("channel" in data or "identifier" in data):
        return Request(kind, data, request_id)
    return reader(_identifier(data), data, request_id)


def malformed(error: FrameError, fields: Mapping[str, Any]) -> Malformed:
    """Return what a bad frame becomes: it is answered, with its request's id where that can be read.

    Args:
        error: What is wrong with it.
        fields: As much of it as could be read.
    """
    data = fields.get("data")
    identifier = text_or_none(data, "identifier") if isinstance(data, dict) else None
    return Malformed(error.code, error.message, request_id=_message_id(fields), identifier=identifier)


def _message_id(fields: Mapping[str, Any]) -> int | None:
    value = fields.get("message_id")
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
        return None
    return value


def _identifier(data: Mapping[str, Any]) -> str:
    if "identifier" in data:
        return text(data, "identifier")
    params = {name: data[name] for name in sorted(data) if name not in _RESERVED}
    try:
        return dumps({"channel": text(data, "channel"), **params}).decode()
    except ValueError:
        raise FrameError("the channel's parameters are no strict JSON; send plainer ones") from None


def _subscribe(identifier: str, data: Mapping[str, Any], request_id: int | None) -> Command:
    return Subscribe(identifier, history_request(data), presence_wish(data), request_id)


def _unsubscribe(identifier: str, data: Mapping[str, Any], request_id: int | None) -> Command:
    return Unsubscribe(identifier, request_id)


def _perform(identifier: str, data: Mapping[str, Any], request_id: int | None) -> Command:
    action = "receive" if data.get("action") is None else text(data, "action")
    return Perform(identifier, action or "receive", object_or_none(data, "data") or {}, request_id)


def _whisper(identifier: str, data: Mapping[str, Any], request_id: int | None) -> Command:
    return Whisper(identifier, data.get("data"), request_id)


def _history(identifier: str, data: Mapping[str, Any], request_id: int | None) -> Command:
    return ReadHistory(identifier, history_request(data) or HistoryRequest(), request_id)


def _presence(identifier: str, data: Mapping[str, Any], request_id: int | None) -> Command:
    return PresenceQuery(identifier, wants_records(data), request_id)


_FOR_CHANNELS: Final[Mapping[str, Callable[[str, Mapping[str, Any], int | None], Command]]] = {
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "perform": _perform,
    "whisper": _whisper,
    "history": _history,
    "presence": _presence,
}
