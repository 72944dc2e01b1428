"""GoHub's envelope: typed messages in both directions, and an answer to every request.

A client sends ``{"message_id": 7, "message_type": "join_room", "data": {...}}`` in a text or binary frame
and is answered ``{"message_id": 0, "message_type": ..., "data": ..., "timestamp": ms, "request_id": 7}``.
``message_id`` may be left out; then the answer has no ``request_id``. Errors are of the type ``error``:
``{"code", "message", "request_id"}``, with ``details`` and the subscription's ``identifier`` where there
are some.

Every type is the dispatcher's, with one exception: ``subscribe``, ``unsubscribe``, ``perform``,
``whisper``, ``history`` and ``presence`` are about a channel when their data names one:

    from lineside.cable.codecs import GoHubJSON

    codec = GoHubJSON()
    asked = codec.decode('{"message_type": "subscribe", "data": {"room": 7, "channel": "chat"}}')
    assert asked.identifier == '{"channel":"chat","room":7}'

The identifier is what stands under ``identifier``, or the JSON of the channel and then, sorted, its
parameters: all that stands beside ``channel`` except ``action`` and ``data`` (of ``perform``; of
``whisper`` the data alone), ``history`` (``{"since", "streams": {stream: {"offset", "epoch"}}}``) and
``presence`` (``{"id", "info"}``). A channel's messages come with their ``identifier``, those of a stream
with history also with ``stream``, ``epoch`` and ``offset``.

The answers are ``subscribed``, ``unsubscribed``, ``history_confirmed``, ``history_rejected``,
``presence``, and for ``perform`` a message of the action's name. GoHub's clients send ``ping`` messages
of their own, and a connection begins without a word.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from lineside.cable._protocol._commands import Command
from lineside.cable._protocol._events import Event, StreamMessage
from lineside.cable.codecs import _gohub_commands as commands
from lineside.cable.codecs import _gohub_frames as frames
from lineside.cable.codecs._json import MAX_BYTES, MAX_DEPTH, JSONReader, write_json
from lineside.cable.codecs._problem import FrameError

__all__ = ["GoHubJSON"]


class GoHubJSON:
    """GoHub's protocol (`lineside.cable.Codec`).

    Args:
        subprotocol: What a client asks for in the handshake; None for GoHub's own clients, who ask for
            nothing. The codec's name is this, or ``"gohub"``.
        max_bytes: The longest frame that is read.
        max_depth: How deep its JSON may nest.
        clock: Returns the seconds since 1970.
    """

    name: str
    subprotocol: str | None
    binary: bool = False
    restores: bool = False
    pings: bool = False
    replies: bool = True

    def __init__(
        self,
        subprotocol: str | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        max_depth: int = MAX_DEPTH,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = subprotocol or "gohub"
        self.subprotocol = subprotocol
        self._reader = JSONReader(max_bytes=max_bytes, max_depth=max_depth)
        self._clock = clock

    def decode(self, frame: str | bytes) -> Command:
        """Read a frame; what cannot be read becomes a `Malformed` that is answered.

        Args:
            frame: The payload of a text or of a binary message; both are JSON.
        """
        fields: Mapping[str, Any] = {}
        try:
            fields = self._reader.read(frame)
            return commands.read_message(fields)
        except FrameError as error:
            return commands.malformed(error, fields)

    def encode(self, event: Event) -> str | None:
        """Write an event as a frame; None for an event that GoHub does not have.

        Args:
            event: What to tell the client.

        Raises:
            TypeError: Its data has no form in JSON.
            ValueError: Its data has no form in strict JSON, or a stream's message is not UTF-8.
        """
        if isinstance(event, StreamMessage):
            return frames.spliced(event, self._clock)
        fields = frames.fields_of(event, self._clock)
        return None if fields is None else write_json(fields)
