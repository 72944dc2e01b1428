"""What the client's half of a protocol is, and what several of them share."""

from collections.abc import Mapping
from typing import Any, Protocol

from lineside.cable.codecs import (
    Command,
    Event,
    HistoryRequest,
    PresenceChange,
    PresenceInfo,
    Subscribe,
)

__all__ = ["Dialect", "presence_event", "wishes_of"]


class Dialect(Protocol):
    """What a client writes and reads.

    Attributes:
        name: The codec's.
        subprotocol: What is asked for in the handshake; None for nothing.
        replies: Every request is answered, with the request's number.
        welcomes: The server speaks first.
        barriers: There are requests that are answered in their turn, and show that those before are done.
    """

    name: str
    subprotocol: str | None
    replies: bool
    welcomes: bool
    barriers: bool

    def write(self, command: Command) -> str:
        """Return the frame of a command."""
        ...

    def read(self, frame: str | bytes) -> Event:
        """Return what a frame of the server says."""
        ...


def wishes_of(command: Command) -> dict[str, Any]:
    """Return what a command asks for beside its main concern, in words that the protocols share.

    Args:
        command: The command.
    """
    wishes: dict[str, Any] = {}
    history = getattr(command, "history", None)
    if isinstance(history, HistoryRequest):
        streams = {
            stream: {"epoch": position.epoch, "offset": position.offset}
            for stream, position in history.positions.items()
        }
        wishes["history"] = {"since": history.since, "streams": streams}
    if isinstance(command, Subscribe) and command.presence is not None:
        wishes["presence"] = dict(command.presence)
    return wishes


def presence_event(identifier: str, said: Mapping[str, Any], number: int | None) -> Event:
    """Return what is said about presence, in words that the protocols share.

    Args:
        identifier: The subscription's name.
        said: The fields.
        number: The request that it answers.
    """
    kind = said["type"]
    if kind in ("join", "leave"):
        return PresenceChange(identifier, kind, said["id"], said.get("info"))
    if kind == "error":
        return PresenceInfo(identifier, error=said["reason"], request_id=number)
    return PresenceInfo(identifier, said["total"], said.get("records"), request_id=number)
