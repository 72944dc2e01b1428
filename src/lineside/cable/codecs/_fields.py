"""What several protocols ask for in the same words: history and presence, read from JSON values."""

import math
from collections.abc import Mapping
from typing import Any

from lineside.bus import Position
from lineside.cable._protocol._commands import HistoryRequest
from lineside.cable.codecs._problem import FrameError

__all__ = ["history_request", "object_or_none", "presence_wish", "text", "text_or_none", "wants_records"]


def text(fields: Mapping[str, Any], name: str) -> str:
    """Return a field that has to be a text.

    Args:
        fields: A JSON object.
        name: The field's name.

    Raises:
        FrameError: It is missing, or no text.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise FrameError(f"{name!r} is not a string; send one")
    return value


def text_or_none(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a field if it is a text.

    Args:
        fields: A JSON object.
        name: The field's name.
    """
    value = fields.get(name)
    return value if isinstance(value, str) else None


def object_or_none(fields: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return a field that has to be an object where it is given.

    Args:
        fields: A JSON object.
        name: The field's name.

    Raises:
        FrameError: It is something else.
    """
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise FrameError(f"{name!r} is not an object; send one, or leave it out")
    return value


def history_request(fields: Mapping[str, Any]) -> HistoryRequest | None:
    """Return what a client asks for under ``history``, in AnyCable's words; None when it asks for nothing.

    ``{"since": seconds, "streams": {stream: {"offset": n, "epoch": e}}}``; its JavaScript client sends
    ``"since": false`` when it was told to send no time.

    Args:
        fields: The JSON object with the field ``history``.

    Raises:
        FrameError: It is not of this form.
    """
    asked = object_or_none(fields, "history")
    if asked is None:
        return None
    streams = object_or_none(asked, "streams") or {}
    return HistoryRequest(
        since=_since(asked.get("since")),
        positions={stream: _position(value) for stream, value in streams.items()},
    )


def _since(value: Any) -> float | None:
    if value is None or value is False:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise FrameError("'since' is not a time; send seconds since 1970, or leave it out")
    return float(value)


def _position(value: Any) -> Position:
    offset, epoch = (value.get("offset"), value.get("epoch")) if isinstance(value, dict) else (None, None)
    if not isinstance(epoch, str) or not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        raise FrameError('a stream\'s position is {"offset": n, "epoch": e}; send it as it came')
    return Position(epoch, offset)


def presence_wish(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a client says of itself under ``presence``: ``{"id", "info"}``, or None for nothing.

    Args:
        fields: The JSON object with the field ``presence``.

    Raises:
        FrameError: It is not of this form.
    """
    said = object_or_none(fields, "presence")
    if said is None:
        return None
    if said.get("id") is not None:
        text(said, "id")
    return {"id": said.get("id"), "info": said.get("info")}


def wants_records(fields: Mapping[str, Any]) -> bool:
    """Tell whether a question for presence asks who is there, or (``return_records: false``) only how many.

    Args:
        fields: The JSON object with the field ``data``.
    """
    data = fields.get("data")
    return not (isinstance(data, dict) and data.get("return_records") is False)
