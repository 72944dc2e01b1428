"""What makes a value of another format a JSON value, checked without recursion."""

import math
from typing import Any, Final

from lineside.cable.codecs._problem import FrameError

__all__ = ["check_plain", "unique_members"]

_INT64: Final = 2**63


def unique_members(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    """Return the object of these members; for the hooks that parsers have.

    Args:
        pairs: Keys and values as they came.

    Raises:
        FrameError: A key is no string, or comes twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise FrameError("a key is no string; send strings")
        if key in found:
            raise FrameError(f"the key {key!r:.40} comes twice; send it once")
        found[key] = value
    return found


def check_plain(value: Any, *, max_depth: int) -> None:
    """Refuse a value that JSON has no strict form for.

    Args:
        value: What a parser returned; the keys of its dicts are strings.
        max_depth: How many lists and dicts may lie inside each other.

    Raises:
        FrameError: It holds something else, or nests too deeply.
    """
    level: list[Any] = [value]
    for _ in range(max_depth):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            else:
                _check_scalar(item)
        if not inner:
            return
        level = inner
    for item in level:
        if isinstance(item, dict | list):
            raise FrameError(f"the frame is nested deeper than {max_depth} levels; send it flatter")
        _check_scalar(item)


def _check_scalar(value: Any) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        if "\0" in value:
            raise FrameError("a string holds the character NUL; send it without")
    elif isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise FrameError("an integer does not fit 64 bits; send a smaller one, or a string")
    elif not isinstance(value, float):
        raise FrameError(f"a {type(value).__name__} has no form in JSON; send it as a string")
    elif not math.isfinite(value):
        raise FrameError("a number is not finite; send null")
