r"""``actioncable-v1-msgpack``, ``actioncable-v1-ext-msgpack`` and ``gohub-v1-msgpack``.

Each is the protocol of the same name over MessagePack instead of JSON: binary frames, one map each, with
the same fields and the same meaning. So ``data`` of an Action Cable message is a JSON text here, too, as
AnyCable's MessagePack encoder for JavaScript sends it.

What JSON has no form for is refused: binary values, extensions, timestamps, numbers that are not finite or
do not fit 64 signed bits, and keys that are no strings or come twice. Needs the extra ``cable``:

    from lineside.cable.codecs import GoHubMsgpack

    asked = GoHubMsgpack().decode(b"\x82\xacmessage_type\xa4ping\xaamessage_id\x07")
    assert (asked.type, asked.request_id) == ("ping", 7)
"""

import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final, cast

from lineside.cable._protocol._commands import Command
from lineside.cable._protocol._events import Event
from lineside.cable.codecs import _actioncable_commands, _actioncable_frames, _gohub_commands, _gohub_frames
from lineside.cable.codecs._json import MAX_BYTES, MAX_DEPTH, JSONReader, write_json
from lineside.cable.codecs._plain import check_plain, unique_members
from lineside.cable.codecs._problem import TOO_LARGE, FrameError
from lineside.exceptions import MissingDependencyError
from lineside.strict_json import loads

__all__ = ["ActionCableExtMsgpack", "ActionCableMsgpack", "GoHubMsgpack"]

MAX_ITEMS: Final = 1_000
# What goes out is an app's own, and was bounded when it was published.
_OUT_DEPTH: Final = 64
_OUT_KEYS: Final = 1_000_000


class _MsgpackCodec:
    binary: bool = True

    def __init__(self, *, max_bytes: int, max_depth: int, max_items: int) -> None:
        if find_spec("msgpack") is None:
            raise MissingDependencyError("msgpack", extra="cable")
        self._max_bytes = max_bytes
        self._max_depth = max_depth
        self._max_items = max_items

    def _read(self, frame: str | bytes) -> dict[str, Any]:
        if isinstance(frame, str):
            raise FrameError("the frame is text; send binary frames of MessagePack")
        if len(frame) > self._max_bytes:
            raise FrameError(
                f"the frame is larger than {self._max_bytes} bytes; send less at once", TOO_LARGE
            )
        try:
            # An array takes its room before its items have come: the bound is what keeps a short frame
            # of many large headers from taking a lot of memory.
            value = _msgpack().unpackb(
                frame,
                max_array_len=self._max_items,
                max_map_len=self._max_items,
                max_ext_len=0,
                object_pairs_hook=unique_members,
            )
        except FrameError:
            raise
        except Exception as error:  # noqa: BLE001 - which errors an unpacker raises is not part of its contract
            raise FrameError(
                f"the frame is no MessagePack within the bounds ({type(error).__name__}); send one map"
            ) from None
        if not isinstance(value, dict):
            raise FrameError("the frame is MessagePack but no map; send one map")
        check_plain(value, max_depth=self._max_depth)
        return value


class ActionCableMsgpack(_MsgpackCodec):
    """Rails' protocol over MessagePack (`lineside.cable.Codec`).

    Args:
        max_bytes: The longest frame that is read.
        max_depth: How deep it may nest, and the JSON text of a message's ``data``.
        max_items: How many items one array, and how many keys one map may have.

    Raises:
        MissingDependencyError: The extra ``cable`` is not installed.
    """

    name: str = "actioncable-v1-msgpack"
    subprotocol: str | None = "actioncable-v1-msgpack"
    restores: bool = False
    pings: bool = True
    replies: bool = False

    _commands = _actioncable_commands.PLAIN
    _frames = _actioncable_frames.PLAIN

    def __init__(
        self, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS
    ) -> None:
        super().__init__(max_bytes=max_bytes, max_depth=max_depth, max_items=max_items)
        self._inner = JSONReader(max_bytes=max_bytes, max_depth=max_depth)

    def decode(self, frame: str | bytes) -> Command:
        """Read a frame; what cannot be read becomes a silent `Malformed`.

        Args:
            frame: The payload of a binary message; a text one is malformed.
        """
        fields: Mapping[str, Any] = {}
        try:
            fields = self._read(frame)
            return _actioncable_commands.read_command(fields, self._commands, self._inner)
        except FrameError as error:
            return _actioncable_commands.malformed(error, fields)

    def encode(self, event: Event) -> bytes | None:
        """Write an event as a frame; None for an event that the protocol does not have.

        Args:
            event: What to tell the client.

        Raises:
            TypeError: Its message has no form in JSON.
            ValueError: Its message has no form in strict JSON.
        """
        fields = _actioncable_frames.fields_of(event, self._frames)
        return None if fields is None else _packed(fields)


class ActionCableExtMsgpack(ActionCableMsgpack):
    """AnyCable's extended protocol over MessagePack (`lineside.cable.Codec`).

    Args:
        max_bytes: The longest frame that is read.
        max_depth: How deep it may nest, and the JSON text of a message's ``data``.
        max_items: How many items one array, and how many keys one map may have.

    Raises:
        MissingDependencyError: The extra ``cable`` is not installed.
    """

    name: str = "actioncable-v1-ext-msgpack"
    subprotocol: str | None = "actioncable-v1-ext-msgpack"
    restores: bool = True

    _commands = _actioncable_commands.EXTENDED
    _frames = _actioncable_frames.EXTENDED


class GoHubMsgpack(_MsgpackCodec):
    """GoHub's envelope over MessagePack (`lineside.cable.Codec`).

    Args:
        max_bytes: The longest frame that is read.
        max_depth: How deep it may nest.
        max_items: How many items one array, and how many keys one map may have.
        clock: Returns the seconds since 1970.

    Raises:
        MissingDependencyError: The extra ``cable`` is not installed.
    """

    name: str = "gohub-v1-msgpack"
    subprotocol: str | None = "gohub-v1-msgpack"
    restores: bool = False
    pings: bool = False
    replies: bool = True

    def __init__(
        self,
        *,
        max_bytes: int = MAX_BYTES,
        max_depth: int = MAX_DEPTH,
        max_items: int = MAX_ITEMS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(max_bytes=max_bytes, max_depth=max_depth, max_items=max_items)
        self._clock = clock

    def decode(self, frame: str | bytes) -> Command:
        """Read a frame; what cannot be read becomes a `Malformed` that is answered.

        Args:
            frame: The payload of a binary message; a text one is malformed.
        """
        fields: Mapping[str, Any] = {}
        try:
            fields = self._read(frame)
            return _gohub_commands.read_message(fields)
        except FrameError as error:
            return _gohub_commands.malformed(error, fields)

    def encode(self, event: Event) -> bytes | None:
        """Write an event as a frame; None for an event that GoHub does not have.

        Args:
            event: What to tell the client.

        Raises:
            TypeError: Its data has no form in JSON.
            ValueError: Its data has no form in strict JSON.
        """
        fields = _gohub_frames.fields_of(event, self._clock)
        return None if fields is None else _packed(fields)


@cache
def _msgpack() -> ModuleType:
    # Imported with the first frame: whoever speaks JSON alone never loads it.
    import msgpack  # pyright: ignore[reportMissingTypeStubs] - it ships none

    return cast("ModuleType", msgpack)


def _packed(fields: Mapping[str, Any]) -> bytes:
    # By way of JSON, so that a value means the same to the clients of every codec, or is refused by all.
    plain = loads(write_json(fields), max_bytes=None, max_depth=_OUT_DEPTH, max_keys=_OUT_KEYS)
    packed: bytes = _msgpack().packb(plain)
    return packed
