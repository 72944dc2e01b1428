"""From text to typed values: what ``"77"``, ``"true"`` and ``"5m"`` mean."""

import json
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from lineside.config._dynaconf import parse_toml

_MAX_TYPED = 65_536
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_BOOLS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def typed(text: str) -> Any:
    """Type the text of an environment variable.

    ``true`` / ``false`` become bools, numbers become numbers, ``[...]`` and ``{...}`` become
    lists and maps (JSON or TOML); everything else stays the string it is. ``1`` is the
    number 1, never true.

    Args:
        text: The text of the variable.

    Returns:
        The typed value; the text itself when it is nothing else.
    """
    stripped = text.strip()
    if not stripped or len(text) > _MAX_TYPED or "\n" in stripped:
        return text
    if stripped[0] in "[{":
        return _structure(stripped, text)
    if "#" in stripped and stripped[0] not in "\"'":
        return text  # TOML would take the rest for a comment
    try:
        value = parse_toml(stripped)
    except (ValueError, RecursionError):
        return text  # an integer longer than Python converts, for instance
    if isinstance(value, str):
        return value if _is_quoted(stripped) else text
    # Dates, and words such as "nan" and "12e999": who means those writes them in a file.
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return text


def _is_quoted(text: str) -> bool:
    return len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]


def _structure(stripped: str, text: str) -> Any:
    for parse in (json.loads, parse_toml):
        try:
            value = parse(stripped)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, list | Mapping):
            return cast("Any", value)
    return text


def to_int(value: object) -> int:
    """Return a whole number; a bool is none.

    Raises:
        ValueError: It is not a whole number.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,64}\s*", value):
        return int(value)
    raise ValueError("not a whole number")


def to_float(value: object) -> float:
    """Return a finite number.

    Raises:
        ValueError: It is not a finite number.
    """
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise ValueError("not a finite number")


def to_bool(value: object) -> bool:
    """Return a bool from true/false, yes/no, on/off or 1/0.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int | str) and (word := str(value).strip().lower()) in _BOOLS:
        return _BOOLS[word]
    raise ValueError("not a yes or no")


def to_duration(value: object) -> timedelta:
    """Return a duration from ``250ms 30s 5m 1h 2d 1h30m`` or a bare number of seconds.

    Raises:
        ValueError: It is not a duration, or a negative one.
    """
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=_seconds(value))
    except OverflowError:
        raise ValueError("longer than a duration can be") from None


def _seconds(value: object) -> float:
    if isinstance(value, str):
        compact = value.replace(" ", "").lower()
        parts = _DURATION.findall(compact)
        if parts and "".join(number + unit for number, unit in parts) == compact:
            return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    seconds = to_float(value)
    if seconds < 0:
        raise ValueError("a negative duration")
    return seconds


def split_list(text: str) -> list[str]:
    """Split ``a, b,c`` at its commas; empty parts are dropped."""
    return [part.strip() for part in text.split(",") if part.strip()]
