"""A codec: what frames mean in one WebSocket subprotocol. Adding one touches nothing else."""

from typing import Protocol

from lineside.cable._protocol._commands import Command
from lineside.cable._protocol._events import Event

__all__ = ["Codec"]


class Codec(Protocol):
    """Turns frames into commands and events into frames; it has no state and does no I/O.

    One object serves every connection that speaks its protocol.

    Attributes:
        name: What settings and metrics call it: ``"actioncable-v1-json"``.
        subprotocol: What is agreed on in the handshake (RFC 6455 section 1.9); None for the codec of
            clients that ask for nothing.
        binary: Its frames are binary ones.
        restores: Its clients can restore a session and ask for history: the live messages of a new
            subscription that asked for history wait for the replay.
        pings: Its clients expect a ping event every few seconds.
        replies: Its clients expect an answer to every request.
    """

    name: str
    subprotocol: str | None
    binary: bool
    restores: bool
    pings: bool
    replies: bool

    def decode(self, frame: str | bytes) -> Command:
        """Read a frame; what cannot be read becomes a `Malformed`, never an error.

        Args:
            frame: The payload of a text or of a binary message.
        """
        ...

    def encode(self, event: Event) -> str | bytes | None:
        """Write an event as a frame's payload; None for an event that the protocol does not have.

        Args:
            event: What to tell the client.
        """
        ...
