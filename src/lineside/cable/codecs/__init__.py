"""The protocols that lineside speaks over a WebSocket, chosen by its subprotocol (RFC 6455 section 1.9).

- ``actioncable-v1-json``: `ActionCableJSON`, what ``@rails/actioncable`` and Turbo speak.
- ``actioncable-v1-ext-json``: `ActionCableExtJSON`, what ``@anycable/core`` speaks beside the former.
- ``gohub``, for clients that ask for nothing, and ``gohub-v1-json``: `GoHubJSON`.
- ``gor-v1-json``: `GorJSON`.
- ``actioncable-v1-msgpack``, ``actioncable-v1-ext-msgpack`` and ``gohub-v1-msgpack``: the same over
  MessagePack (`ActionCableMsgpack`, `ActionCableExtMsgpack`, `GoHubMsgpack`; extra ``cable``).

A codec is any object that has what `lineside.cable.Codec` has: it makes commands of frames and frames of
events. To speak a protocol of your own, write one and register it beside ours:

    from lineside.cable.codecs import CodecRegistry, Command, Event, Perform, Transmission, standard_codecs

    class PlainText:
        name = subprotocol = "plain-text"
        binary = restores = pings = replies = False

        def decode(self, frame: str | bytes) -> Command:
            return Perform("chat", "receive", {"body": str(frame)})

        def encode(self, event: Event) -> str | None:
            return str(event.message) if isinstance(event, Transmission) else None

    codecs = CodecRegistry([*standard_codecs(), PlainText()], default="gohub")
    assert codecs.choose(["plain-text"]).encode(Transmission("chat", "Hello")) == "Hello"
"""

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
    Request,
    Subscribe,
    Unsubscribe,
    Whisper,
)
from lineside.cable._protocol._events import (
    Confirmation,
    Disconnection,
    Event,
    Failure,
    HistoryConfirmation,
    HistoryRejection,
    PingEvent,
    PongEvent,
    PresenceChange,
    PresenceInfo,
    Rejection,
    Reply,
    StreamMessage,
    Transmission,
    Unsubscription,
    Welcome,
)
from lineside.cable.codecs._registry import CodecRegistry, standard_codecs
from lineside.cable.codecs.actioncable import ActionCableJSON
from lineside.cable.codecs.actioncable_ext import ActionCableExtJSON
from lineside.cable.codecs.gohub import GoHubJSON
from lineside.cable.codecs.gor import GorJSON
from lineside.cable.codecs.msgpack import ActionCableExtMsgpack, ActionCableMsgpack, GoHubMsgpack

__all__ = [
    "ActionCableExtJSON",
    "ActionCableExtMsgpack",
    "ActionCableJSON",
    "ActionCableMsgpack",
    "CodecRegistry",
    "Command",
    "Confirmation",
    "Disconnection",
    "Event",
    "Failure",
    "GoHubJSON",
    "GoHubMsgpack",
    "GorJSON",
    "HistoryConfirmation",
    "HistoryRejection",
    "HistoryRequest",
    "Join",
    "Leave",
    "Malformed",
    "Perform",
    "Ping",
    "PingEvent",
    "Pong",
    "PongEvent",
    "PresenceChange",
    "PresenceInfo",
    "PresenceQuery",
    "ReadHistory",
    "Rejection",
    "Reply",
    "Request",
    "StreamMessage",
    "Subscribe",
    "Transmission",
    "Unsubscribe",
    "Unsubscription",
    "Welcome",
    "Whisper",
    "standard_codecs",
]
