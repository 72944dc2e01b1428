"""Action Cable's commands, read from the fields of a frame."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lineside.cable._protocol._commands import (
    Command,
    HistoryRequest,
    Join,
    Leave,
    Malformed,
    Perform,
    Ping,
    Pong,
    PresenceQuery,
    ReadHistory,
    Subscribe,
    Unsubscribe,
    Whisper,
)
from lineside.cable.codecs._fields import history_request, presence_wish, text, text_or_none, wants_records
from lineside.cable.codecs._json import JSONReader
from lineside.cable.codecs._problem import FrameError

__all__ = ["EXTENDED", "PLAIN", "malformed", "read_command"]

_Reader = Callable[[Mapping[str, Any], JSONReader], Command]


def read_command(fields: Mapping[str, Any], words: Mapping[str, _Reader], inner: JSONReader) -> Command:
    """Return the command that a frame holds.

    Args:
        fields: The frame's fields.
        words: The commands that the protocol has: `PLAIN` or `EXTENDED`.
        inner: Reads the JSON text that ``data`` of a message is.

    Raises:
        FrameError: It is none.
    """
    word = fields.get("command")
    reader = words.get(word) if isinstance(word, str) else None
    if reader is None:
        raise FrameError(f"the command {word!r:.40} is unknown; use one of: {', '.join(words)}")
    return reader(fields, inner)


def malformed(error: FrameError, fields: Mapping[str, Any]) -> Malformed:
    """Return what a bad frame becomes: Rails logs it and never answers.

    Args:
        error: What is wrong with it.
        fields: As much of it as could be read.
    """
    identifier = text_or_none(fields, "identifier")
    return Malformed(error.code, error.message, identifier=identifier, silent=True)


def _subscribe_only(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return Subscribe(text(fields, "identifier"))


def _subscribe(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return Subscribe(
        text(fields, "identifier"), history=history_request(fields), presence=presence_wish(fields)
    )


def _unsubscribe(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return Unsubscribe(text(fields, "identifier"))


def _message(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    identifier = text(fields, "identifier")
    if fields.get("data") is None:
        return Perform(identifier, "receive", {})
    data = inner.read(text(fields, "data"), what="the text in 'data'")
    # As Rails: what `presence` takes for nothing is the action `receive`.
    action = data.pop("action", None) or "receive"
    if not isinstance(action, str):
        raise FrameError("'action' is not a string; send the action's name")
    return Perform(identifier, action if action.strip() else "receive", data)


def _whisper(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return Whisper(text(fields, "identifier"), fields.get("data"))


def _history(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return ReadHistory(text(fields, "identifier"), history_request(fields) or HistoryRequest())


def _join(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    wish = presence_wish(fields) or {}
    return Join(text(fields, "identifier"), wish.get("id"), wish.get("info"))


def _leave(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return Leave(text(fields, "identifier"))


def _presence(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return PresenceQuery(text(fields, "identifier"), records=wants_records(fields))


def _ping(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return Ping()


def _pong(fields: Mapping[str, Any], inner: JSONReader) -> Command:
    return Pong()


PLAIN: Final[Mapping[str, _Reader]] = {
    "subscribe": _subscribe_only,
    "unsubscribe": _unsubscribe,
    "message": _message,
    "whisper": _whisper,
}
"""The commands of ``actioncable-v1``; AnyCable's client whispers in it, too."""

EXTENDED: Final[Mapping[str, _Reader]] = {
    **PLAIN,
    "subscribe": _subscribe,
    "history": _history,
    "join": _join,
    "leave": _leave,
    "presence": _presence,
    "ping": _ping,
    "pong": _pong,
}
"""The commands of ``actioncable-v1-ext``."""
