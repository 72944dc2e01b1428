"""The client's half of the cable's protocols: commands become frames, and frames events.

A codec (`lineside.cable.Codec`) is the server's half; this is its mirror, for tests.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lineside.cable.codecs import (
    Command,
    Confirmation,
    Disconnection,
    Event,
    Failure,
    HistoryConfirmation,
    HistoryRejection,
    Perform,
    Ping,
    PingEvent,
    PongEvent,
    PresenceQuery,
    ReadHistory,
    Rejection,
    Reply,
    Request,
    Subscribe,
    Transmission,
    Unsubscribe,
    Unsubscription,
    Welcome,
    Whisper,
)
from lineside.exceptions import ConfigurationError
from lineside.strict_json import dumps, loads
from lineside.testing._cable_dialect import Dialect, presence_event, wishes_of

__all__ = ["ActionCable", "GoHub", "dialect_named"]


class ActionCable:
    """Rails' protocol, and AnyCable's extension of it.

    Args:
        name: The codec's name, which is the subprotocol.
        extended: It is AnyCable's.
    """

    replies = False
    welcomes = True

    def __init__(self, name: str, *, extended: bool) -> None:
        self.name = name
        self.subprotocol: str | None = name
        self.barriers = extended

    def write(self, command: Command) -> str:
        """Return the frame of a command.

        Args:
            command: What the client asks for.

        Raises:
            ConfigurationError: The protocol has no word for it.
        """
        word = (_EXTENDED_WORDS if self.barriers else _PLAIN_WORDS).get(type(command))
        wishes = wishes_of(command)
        if word is None or (wishes and not self.barriers):
            what = " and ".join(wishes) or type(command).__name__
            raise ConfigurationError(f"{self.name} has no {what}; leave out protocol=, for one that has it")
        fields: dict[str, Any] = {"command": word}
        if not isinstance(command, Ping):
            fields["identifier"] = getattr(command, "identifier", "")
        if isinstance(command, Perform):
            fields["data"] = dumps({**command.data, "action": command.action}).decode()
        elif isinstance(command, Whisper):
            fields["data"] = command.data
        return dumps(fields | wishes).decode()

    def read(self, frame: str | bytes) -> Event:
        """Return what a frame of the server says.

        Args:
            frame: Its payload.
        """
        fields = loads(frame)
        identifier, kind = fields.get("identifier", ""), fields.get("type")
        if kind is None:
            return Transmission(identifier, fields.get("message"))
        if kind == "presence":
            return presence_event(identifier, fields["message"], None)
        read = _ACTION_CABLE_EVENTS.get(kind)
        return Reply(str(kind), fields) if read is None else read(identifier, fields)


class GoHub:
    """GoHub's envelope.

    Args:
        name: The codec's name: ``"gohub"``, or the subprotocol.
    """

    replies = True
    welcomes = False
    barriers = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.subprotocol: str | None = None if name == "gohub" else name

    def write(self, command: Command) -> str:
        """Return the frame of a command.

        Args:
            command: What the client asks for.
        """
        data: Any
        if isinstance(command, Request):
            kind, data = command.type, command.data
        else:
            kind = _GOHUB_WORDS[type(command)]
            data = {"identifier": getattr(command, "identifier", "")} | wishes_of(command)
            if isinstance(command, Perform):
                data |= {"action": command.action, "data": dict(command.data)}
            elif isinstance(command, Whisper):
                data["data"] = command.data
        number = getattr(command, "request_id", None)
        return dumps({"message_id": number, "message_type": kind, "data": data}).decode()

    def read(self, frame: str | bytes) -> Event:
        """Return what a frame of the server says.

        Args:
            frame: Its payload.
        """
        fields = loads(frame)
        kind, data, number = fields["message_type"], fields.get("data"), fields.get("request_id")
        if "identifier" in fields:
            return Transmission(fields["identifier"], data)
        about = data if isinstance(data, dict) else {}
        if kind == "error":
            return Failure(
                about["code"],
                about["message"],
                about.get("request_id") or None,
                about.get("identifier"),
                about.get("details"),
            )
        if kind == "disconnect":
            return Disconnection(str(about.get("reason")), bool(about.get("reconnect")))
        read = _GOHUB_EVENTS.get(kind) if "identifier" in about else None
        return Reply(kind, data, number) if read is None else read(about, number)


def dialect_named(name: str) -> Dialect:
    """Return the client's half of a protocol.

    Args:
        name: The codec's name.

    Raises:
        ConfigurationError: There is none.
    """
    known: Mapping[str, Dialect] = {
        "gohub": GoHub("gohub"),
        "gohub-v1-json": GoHub("gohub-v1-json"),
        "actioncable-v1-json": ActionCable("actioncable-v1-json", extended=False),
        "actioncable-v1-ext-json": ActionCable("actioncable-v1-ext-json", extended=True),
    }
    if name not in known:
        raise ConfigurationError(f"CableClient does not speak {name!r}; use one of: {', '.join(known)}")
    return known[name]


_PLAIN_WORDS: Final[Mapping[type[Command], str]] = {
    Subscribe: "subscribe",
    Unsubscribe: "unsubscribe",
    Perform: "message",
    Whisper: "whisper",
}
_EXTENDED_WORDS: Final[Mapping[type[Command], str]] = {
    **_PLAIN_WORDS,
    ReadHistory: "history",
    PresenceQuery: "presence",
    Ping: "ping",
}
_GOHUB_WORDS: Final[Mapping[type[Command], str]] = {
    **_EXTENDED_WORDS,
    Perform: "perform",
}
_ACTION_CABLE_EVENTS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], Event]]] = {
    "welcome": lambda _, fields: Welcome(fields.get("sid", ""), fields.get("restored_ids")),
    "ping": lambda _, fields: PingEvent(fields["message"]),
    "pong": lambda _, __: PongEvent(),
    "confirm_subscription": lambda identifier, _: Confirmation(identifier),
    "reject_subscription": lambda identifier, _: Rejection(identifier),
    "confirm_history": lambda identifier, _: HistoryConfirmation(identifier),
    "reject_history": lambda identifier, _: HistoryRejection(identifier, ""),
    "disconnect": lambda _, fields: Disconnection(str(fields["reason"]), bool(fields["reconnect"])),
}
_GOHUB_EVENTS: Final[Mapping[str, Callable[[Mapping[str, Any], int | None], Event]]] = {
    "subscribed": lambda about, number: Confirmation(about["identifier"], number),
    "unsubscribed": lambda about, number: Unsubscription(about["identifier"], number),
    "history_confirmed": lambda about, number: HistoryConfirmation(about["identifier"], number),
    "history_rejected": lambda about, number: HistoryRejection(about["identifier"], about["reason"], number),
    "presence": lambda about, number: presence_event(about["identifier"], about, number),
}
