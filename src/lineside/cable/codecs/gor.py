"""``gor-v1-json``: Gor's ``{"type", "channel", "data"}``.

A client sends ``subscribe``, ``unsubscribe``, ``message`` and ``ping``; the channel's name is the
subscription's identifier, and a message calls the channel's action ``receive``. It is answered
``{"type": "success" | "error" | "pong", "data": ..., "time": seconds}``; what a channel sends comes as
``{"channel", "message", "time"}``. An error that is about a channel names it beside its ``data``:

    from lineside.cable.codecs import GorJSON

    asked = GorJSON().decode('{"type": "message", "channel": "news", "data": {"body": "Hello"}}')
    assert (asked.identifier, asked.action, asked.data) == ("news", "receive", {"body": "Hello"})

A frame that names no channel is answered ``"Invalid message format"``, where Gor says nothing. Gor has
neither history nor presence, so that their events are left out.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from lineside.cable._protocol._commands import Command, Malformed, Perform, Ping, Subscribe, Unsubscribe
from lineside.cable._protocol._events import (
    Confirmation,
    Disconnection,
    Event,
    Failure,
    PongEvent,
    Rejection,
    Reply,
    StreamMessage,
    Transmission,
    Unsubscription,
)
from lineside.cable.codecs._fields import text_or_none
from lineside.cable.codecs._json import MAX_BYTES, MAX_DEPTH, JSONReader, quoted, write_json
from lineside.cable.codecs._problem import INVALID_FORMAT, TOO_LARGE, FrameError

__all__ = ["GorJSON"]

_NOT_SUBSCRIBED: Final = 3003
_BAD_FORMAT: Final = "Invalid message format"
_BAD_TYPE: Final = "Unknown message type"


class GorJSON:
    """Gor's protocol (`lineside.cable.Codec`).

    Args:
        max_bytes: The longest frame that is read.
        max_depth: How deep its JSON may nest.
        clock: Returns the seconds since 1970.
    """

    name: str = "gor-v1-json"
    subprotocol: str | None = "gor-v1-json"
    binary: bool = False
    restores: bool = False
    pings: bool = False
    replies: bool = True

    def __init__(
        self,
        *,
        max_bytes: int = MAX_BYTES,
        max_depth: int = MAX_DEPTH,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reader = JSONReader(max_bytes=max_bytes, max_depth=max_depth)
        self._clock = clock

    def decode(self, frame: str | bytes) -> Command:
        """Read a frame; what cannot be read becomes a `Malformed` with one of Gor's own texts.

        Args:
            frame: The payload of a text or of a binary message; both are JSON.
        """
        try:
            fields = self._reader.read(frame)
        except FrameError as error:
            return Malformed(error.code, error.message if error.code == TOO_LARGE else _BAD_FORMAT)
        return _command(fields)

    def encode(self, event: Event) -> str | None:
        """Write an event as a frame; None for an event that Gor does not have.

        Args:
            event: What to tell the client.

        Raises:
            TypeError: Its message has no form in JSON.
            ValueError: Its message has no form in strict JSON, or a stream's message is not UTF-8.
        """
        if isinstance(event, StreamMessage):
            seconds = int(event.published_at or self._clock())
            data = event.data.decode()
            return f'{{"channel":{quoted(event.identifier)},"message":{data},"time":{seconds}}}'
        writer = _WRITERS.get(type(event))
        return None if writer is None else write_json(writer(event) | {"time": int(self._clock())})


def _command(fields: Mapping[str, Any]) -> Command:
    kind = fields.get("type")
    channel = text_or_none(fields, "channel")
    if kind == "ping":
        return Ping()
    if kind not in ("subscribe", "unsubscribe", "message"):
        reason = _BAD_TYPE if isinstance(kind, str) else _BAD_FORMAT
        return Malformed(INVALID_FORMAT, reason, identifier=channel)
    data = fields.get("data")
    if not channel or (kind == "message" and data is not None and not isinstance(data, dict)):
        return Malformed(INVALID_FORMAT, _BAD_FORMAT, identifier=channel)
    if kind == "subscribe":
        return Subscribe(channel)
    return Unsubscribe(channel) if kind == "unsubscribe" else Perform(channel, "receive", data or {})


def _success(action: str, data: Any) -> dict[str, Any]:
    return {"type": "success", "data": {"action": action, "data": data}}


def _error(text: str, channel: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": "error", "data": {"error": text}}
    # Gor leaves open whose error it is; a client with two subscriptions wants to know.
    return fields if channel is None else fields | {"channel": channel}


def _confirmation(event: Confirmation) -> dict[str, Any]:
    return _success("subscribe", {"channel": event.identifier})


def _unsubscription(event: Unsubscription) -> dict[str, Any]:
    return _success("unsubscribe", {"channel": event.identifier})


def _reply(event: Reply) -> dict[str, Any]:
    return _success(event.type, event.data)


def _rejection(event: Rejection) -> dict[str, Any]:
    return _error(event.reason, event.identifier)


def _failure(event: Failure) -> dict[str, Any]:
    text = "Not subscribed to channel" if event.code == _NOT_SUBSCRIBED else event.message
    return _error(text, event.identifier)


def _pong(event: PongEvent) -> dict[str, Any]:
    return {"type": "pong", "data": None}


def _transmission(event: Transmission) -> dict[str, Any]:
    return {"channel": event.identifier, "message": event.message}


def _disconnection(event: Disconnection) -> dict[str, Any]:
    return {"type": "disconnect", "data": {"reason": event.reason, "reconnect": event.reconnect}}


_WRITERS: Final[Mapping[type[Event], Callable[[Any], dict[str, Any]]]] = {
    Confirmation: _confirmation,
    Unsubscription: _unsubscription,
    Reply: _reply,
    Rejection: _rejection,
    Failure: _failure,
    PongEvent: _pong,
    Transmission: _transmission,
    Disconnection: _disconnection,
}
