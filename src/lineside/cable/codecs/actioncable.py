"""``actioncable-v1-json``: what ``@rails/actioncable`` and Turbo speak.

A text frame is one JSON object. As in Rails a bad frame is never answered, and there is no frame for an
error, for the answer to an action, or for the end of a subscription that the client has asked for:

    from lineside.cable.codecs import ActionCableJSON

    asked = ActionCableJSON().decode('{"command": "message", "identifier": "x", "data": "{}"}')
    assert (asked.identifier, asked.action) == ("x", "receive")

``@anycable/core`` drops a message that JavaScript takes for false: ``0``, ``""``, ``false`` and ``null``.
Broadcast an object to reach both clients.
"""

from collections.abc import Mapping
from typing import Any

from lineside.cable._protocol._commands import Command
from lineside.cable._protocol._events import Event, StreamMessage
from lineside.cable.codecs import _actioncable_commands as commands
from lineside.cable.codecs import _actioncable_frames as frames
from lineside.cable.codecs._json import MAX_BYTES, MAX_DEPTH, JSONReader, write_json
from lineside.cable.codecs._problem import FrameError

__all__ = ["ActionCableJSON"]


class ActionCableJSON:
    """Rails' protocol (`lineside.cable.Codec`).

    Args:
        max_bytes: The longest frame that is read.
        max_depth: How deep its JSON may nest, and that of a message's ``data``.
    """

    name: str = "actioncable-v1-json"
    subprotocol: str | None = "actioncable-v1-json"
    binary: bool = False
    restores: bool = False
    pings: bool = True
    replies: bool = False

    _commands = commands.PLAIN
    _frames = frames.PLAIN

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> None:
        self._reader = JSONReader(max_bytes=max_bytes, max_depth=max_depth)

    def decode(self, frame: str | bytes) -> Command:
        """Read a frame; what cannot be read becomes a silent `Malformed`.

        Args:
            frame: The payload of a text message; a binary one is malformed.
        """
        fields: Mapping[str, Any] = {}
        try:
            if not isinstance(frame, str):
                raise FrameError("the frame is binary; send text frames")
            fields = self._reader.read(frame)
            return commands.read_command(fields, self._commands, self._reader)
        except FrameError as error:
            return commands.malformed(error, fields)

    def encode(self, event: Event) -> str | None:
        """Write an event as a frame; None for an event that the protocol does not have.

        Args:
            event: What to tell the client.

        Raises:
            TypeError: Its message has no form in JSON.
            ValueError: Its message has no form in strict JSON, or a stream's message is not UTF-8.
        """
        if isinstance(event, StreamMessage):
            return frames.spliced(event)
        fields = frames.fields_of(event, self._frames)
        return None if fields is None else write_json(fields)
