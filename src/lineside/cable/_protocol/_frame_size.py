"""How large a message is: in bytes, whatever Python has made of it."""

from typing import Final

__all__ = ["is_too_large"]

_MAX_UTF8: Final = 4


def is_too_large(frame: str | bytes, limit: int) -> bool:
    """Tell whether a message has more bytes than a limit; its text is only encoded when that is close.

    Args:
        frame: The payload of a text or binary message.
        limit: In bytes.
    """
    size = len(frame)
    if isinstance(frame, bytes) or size > limit or size * _MAX_UTF8 <= limit:
        return size > limit
    return len(frame.encode(errors="replace")) > limit
