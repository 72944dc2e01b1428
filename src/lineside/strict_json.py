"""One strict JSON reader and writer for every border of an app.

Bodies, frames, jobs and bus messages come from outside. The reader takes RFC 8259 and nothing
else, and refuses what two parsers could read in two ways or what breaks a program later:

    from lineside.strict_json import dumps, loads

    assert loads(b'{"title": "Hello"}') == {"title": "Hello"}
    assert dumps({"title": "Hello"}) == b'{"title":"Hello"}'
    try:
        loads(b'{"admin": false, "admin": true}')
    except ValueError as error:
        assert "the key 'admin' comes twice" in str(error)

Refused: a byte order mark, anything but UTF-8, ``NaN`` and ``Infinity``, numbers that overflow
a double, integers outside signed 64 bits, lone surrogates, NUL, a key given twice, nesting over
the limit, too many keys in one object, text behind the value, and the empty text.

The work is left to the C scanner of the standard library. The dear checks run only when a cheap
look at the bytes says that they could find something.
"""

import json
import math
import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NoReturn

from lineside.exceptions import InvalidJSONError, PayloadTooLargeError

__all__ = ["dumps", "loads"]

_BOM: Final = b"\xef\xbb\xbf"
_DEPTH: Final = 32
_SPACES: Final = " \t\n\r"
_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1

# Every digit looks like "0" and every exponent mark like "e": two substring searches then tell
# whether any number in the text could be too large. 18 digits always fit 64 bits, and with an
# exponent of two digits always fit a double.
_FLATTEN: Final = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_DIGITS: Final = b"0" * 19
_LONG_EXPONENT: Final = b"e000"

_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))

# Matches as far as every escape is harmless: it stops in front of NUL and of a surrogate that
# has no partner. It reads escapes two characters at a time, so an escaped backslash in front
# of "u0000" is no escape of NUL.
_HARMLESS: Final = re.compile(
    r"(?:[^\\]++|\\[^u]|\\u(?!0000|[dD][89a-fA-F])"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)


def loads(
    data: bytes | str,
    *,
    max_bytes: int | None = 1_048_576,
    max_depth: int = _DEPTH,
    max_keys: int = 1_000,
) -> Any:
    """Read one JSON text that came from outside.

    Args:
        data: The text, as UTF-8 bytes without a byte order mark, or as ``str``.
        max_bytes: The longest text that is looked at, in bytes of UTF-8; None for no limit.
        max_depth: How many arrays and objects may lie inside each other.
        max_keys: How many keys one object may have.

    Returns:
        What the standard library's ``json.loads`` would have returned.

    Raises:
        InvalidJSONError: The text breaks RFC 8259 or one of the rules above (422).
        PayloadTooLargeError: The text is longer than ``max_bytes`` (413).
    """
    if max_bytes is not None and len(data) > max_bytes:
        raise PayloadTooLargeError(limit=max_bytes, what="the JSON text")
    raw, text = _both_forms(data)
    if max_bytes is not None and len(raw) > max_bytes:
        raise PayloadTooLargeError(limit=max_bytes, what="the JSON text")
    if not raw:
        raise InvalidJSONError("the text is empty")
    if raw.count(b"[") + raw.count(b"{") > max_depth:
        _check_depth(raw, max_depth=max_depth)
    try:
        decoder = _decoder(max_keys, check_numbers=_has_long_number(raw))
        if text[0] in _SPACES:
            value = decoder.decode(text)
        else:
            # Without a look for spaces around the value, which most texts do not have.
            value, end = decoder.raw_decode(text)
            if end != len(text):
                value = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJSONError(error.msg, position=error.pos) from None
    except RecursionError:
        raise InvalidJSONError("it is nested deeper than this process can read") from None
    if b"\\u" in raw:
        _check_escapes(text)
    return value


def dumps(value: Any) -> bytes:
    """Write a value as compact UTF-8 that ``loads`` reads back.

    Args:
        value: What ``json.dumps`` can write; the keys of objects should be strings.

    Returns:
        The text, without spaces and with every character beyond ASCII as itself.

    Raises:
        TypeError: The value holds something that JSON has no form for.
        ValueError: The value holds NaN, infinity, NUL, a lone surrogate, an integer outside
            signed 64 bits, itself, or lies deeper than 32 levels.
    """
    try:
        text = _ENCODER.encode(value)
        raw = text.encode()
        if raw.count(b"[") + raw.count(b"{") > _DEPTH:
            _check_depth(raw, max_depth=_DEPTH)
        if b"\\u" in raw:
            _check_escapes(text)
        if _has_long_number(raw):
            _decoder(len(raw), check_numbers=True).decode(text)
    except RecursionError:
        raise ValueError("this value is nested too deeply for JSON; flatten it") from None
    except InvalidJSONError as error:
        raise ValueError(f"this value has no strict JSON form: {error.reason}") from None
    return raw


def _both_forms(data: bytes | str) -> tuple[bytes, str]:
    try:
        if isinstance(data, str):
            return data.encode(), data
        if data.startswith(_BOM):
            raise InvalidJSONError("it starts with a byte order mark; send plain UTF-8")
        return data, data.decode()
    except UnicodeEncodeError as error:
        raise InvalidJSONError("it holds half of a surrogate pair", position=error.start) from None
    except UnicodeDecodeError as error:
        raise InvalidJSONError("it is not UTF-8", position=error.start) from None


def _check_depth(raw: bytes, *, max_depth: int) -> None:
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side are a string without brackets, or the end of one and the start of
    # the next: without them, what lies inside a string still lies between an odd number of quotes.
    brackets = raw.translate(_BRACKETS, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets:
        brackets = b"".join(brackets.split(b'"')[::2])
    # Each round takes away the innermost pairs: as many rounds as there are levels. What never
    # pairs up is left for the scanner, which knows the position; unless it opens too many.
    for _ in range(max_depth):
        inner, brackets = brackets, brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            break
    if brackets.count(b"[") > max_depth or b"[]" in brackets:
        raise InvalidJSONError(f"it is nested deeper than {max_depth} levels")


def _has_long_number(raw: bytes) -> bool:
    flat = raw.translate(_FLATTEN, b"+")
    return _LONG_DIGITS in flat or _LONG_EXPONENT in flat


def _check_escapes(text: str) -> None:
    # The pattern can match the empty string, so there always is a match.
    harmless = _HARMLESS.match(text)
    end = harmless.end() if harmless else 0
    if end == len(text):
        return
    what = "the character NUL" if text.startswith("\\u0000", end) else "half of a surrogate pair"
    raise InvalidJSONError(f"a string holds {what}", position=end)


@lru_cache(maxsize=64)
def _decoder(max_keys: int, *, check_numbers: bool) -> json.JSONDecoder:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise InvalidJSONError(f"the key {_twice(pairs)!r:.80} comes twice in one object")
        if len(found) > max_keys:
            raise InvalidJSONError(f"an object has more than {max_keys} keys")
        return found

    if not check_numbers:
        return json.JSONDecoder(object_pairs_hook=members, parse_constant=_refuse_constant)
    return json.JSONDecoder(
        object_pairs_hook=members,
        parse_constant=_refuse_constant,
        parse_float=_finite_float,
        parse_int=_int64,
    )


def _twice(pairs: list[tuple[str, Any]]) -> str:
    keys = sorted(key for key, _ in pairs)
    return next(key for key, following in pairwise(keys) if key == following)


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJSONError(f"{name} is not a JSON number")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise InvalidJSONError(f"the number {digits:.40} is too large for a double")
    return number


def _int64(digits: str) -> int:
    # A length check first: int() of many digits is slow, and an error of its own beyond 4,300.
    number = int(digits) if len(digits) <= 20 else _INT64_MAX + 1
    if not _INT64_MIN <= number <= _INT64_MAX:
        raise InvalidJSONError(f"the integer {digits:.40} does not fit 64 bits")
    return number


_ENCODER: Final = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
