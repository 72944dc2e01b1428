"""Ids of events: how far a client has come in each of its streams, as ``Last-Event-ID`` brings it back.

For one stream it is AnyCable's ``<offset>/<stream>/<epoch>``; for several they stand behind each other,
with commas between them. What a name may not hold there is percent-encoded.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from lineside.bus import Position

__all__ = ["MAX_ID_CHARS", "read_event_id", "write_event_id"]

MAX_ID_CHARS: Final = 8_192
"""The longest id: it comes back in a header, and servers take 64 KiB of those at most."""

_MAX_STREAMS: Final = 64
_MAX_OFFSET_DIGITS: Final = 18
_MAX_EPOCH_CHARS: Final = 64
_SAFE: Final = "".join(chr(each) for each in range(0x21, 0x7F) if chr(each) not in "%,")


def write_event_id(positions: Mapping[str, Position]) -> str | None:
    """Return the id for what a client has been sent; None where nothing is known, or it would be too long.

    Args:
        positions: The last message of each stream.
    """
    parts = [
        f"{position.offset}/{quote(stream, safe=_SAFE)}/{quote(position.epoch, safe='')}"
        for stream, position in positions.items()
    ]
    text = ",".join(parts)
    return text if 0 < len(text) <= MAX_ID_CHARS else None


def read_event_id(text: str) -> dict[str, Position]:
    """Return the positions in a ``Last-Event-ID`` header.

    Args:
        text: The header's value.

    Raises:
        ValueError: It is none of ours.
    """
    parts = text.split(",") if len(text) <= MAX_ID_CHARS else []
    if not 0 < len(parts) <= _MAX_STREAMS:
        raise ValueError("too long")
    return dict(_read(part.strip()) for part in parts)


def _read(part: str) -> tuple[str, Position]:
    offset, _, rest = part.partition("/")
    stream, _, epoch = rest.rpartition("/")
    is_number = offset.isascii() and offset.isdecimal() and len(offset) <= _MAX_OFFSET_DIGITS
    if not (is_number and stream and 0 < len(epoch) <= _MAX_EPOCH_CHARS):
        raise ValueError("not <offset>/<stream>/<epoch>")
    return unquote(stream), Position(unquote(epoch), int(offset))
