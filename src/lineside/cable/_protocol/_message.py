"""What the cable writes beside a message on the bus, and what a subscriber is told of it."""

from typing import Any, Final

from lineside.bus import Message
from lineside.cable._protocol._events import Event, PresenceChange, StreamMessage
from lineside.strict_json import loads

__all__ = ["EXCLUDE", "KIND", "TYPE", "event_of"]

EXCLUDE: Final = "x"
"""The header that names the connection which is not sent a message."""

TYPE: Final = "t"
"""The header with GoHub's ``message_type``."""

KIND: Final = "k"
"""The header of messages that are no broadcast: ``"presence"``."""


def event_of(message: Message, identifier: str) -> Event:
    """Return what a subscriber is told of a message.

    Args:
        message: The message.
        identifier: The subscriber's name for the subscription.
    """
    if message.headers.get(KIND) == "presence":
        change: Any = loads(message.data)
        return PresenceChange(identifier, change["type"], change["id"], change.get("info"))
    return StreamMessage(
        identifier,
        message.data,
        message.stream,
        message.position,
        message.headers.get(TYPE, "message"),
        message.published_at,
    )
