"""The strict JSON reader and writer."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.exceptions import InvalidJSONError, PayloadTooLargeError
from lineside.strict_json import dumps, loads

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "only spaces": (b" \r\n\t ", "Expecting value"),
    "byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "utf-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "utf-16 without a mark": ('{"a": 1}'.encode("utf-16-le"), "Expecting"),
    "utf-32": ('{"a": 1}'.encode("utf-32"), "not UTF-8"),
    "latin-1": ('{"a": "é"}'.encode("latin-1"), "not UTF-8"),
    "overlong utf-8": (b'"\xc0\x80"', "not UTF-8"),
    "surrogate as utf-8 bytes": (b'"\xed\xa0\x80"', "not UTF-8"),
    "NaN": (b'{"a": NaN}', "NaN"),
    "Infinity": (b"Infinity", "Infinity"),
    "minus Infinity": (b"[-Infinity]", "-Infinity"),
    "1e999": (b'{"a": 1e999}', "too large for a double"),
    "-1E+999": (b"-1E+999", "too large for a double"),
    "400 digits with a point": (b"1" * 400 + b".0", "too large for a double"),
    "250 digits and an exponent": (b"1" * 250 + b"e99", "too large for a double"),
    "lone high surrogate": (rb'{"a": "\ud800"}', "surrogate"),
    "lone low surrogate": (rb'{"a": "x\udfff"}', "surrogate"),
    "surrogates in the wrong order": (rb'"\udc00\ud800"', "surrogate"),
    "lone surrogate in a key": (rb'{"\uDBFF": 1}', "surrogate"),
    "high surrogate in front of an escape": (rb'"\ud800\n"', "surrogate"),
    "escaped NUL": (rb'{"a": "x\u0000"}', "NUL"),
    "escaped NUL behind an escaped backslash": (rb'"\\\u0000"', "NUL"),
    "escaped NUL in a key": (rb'{"\u0000": 1}', "NUL"),
    "raw NUL": (b'"\x00"', "control character"),
    "raw line feed in a string": (b'"a\nb"', "control character"),
    "key given twice": (b'{"a": 1, "a": 2}', "comes twice"),
    "key given twice by an escape": (rb'{"a": 1, "\u0061": 2}', "comes twice"),
    "key given twice far inside": (b'[{"x": {"a": 1, "b": 2, "a": 1}}]', "comes twice"),
    "2**63": (b"9223372036854775808", "does not fit 64 bits"),
    "-2**63 - 1": (b"-9223372036854775809", "does not fit 64 bits"),
    "19 nines in a list": (b"[1, 9999999999999999999]", "does not fit 64 bits"),
    "5,000 digits": (b"1" * 5_000, "does not fit 64 bits"),
    "minus and 5,000 digits": (b'{"a": -' + b"1" * 5_000 + b"}", "does not fit 64 bits"),
    "33 arrays": (b"[" * 33 + b"]" * 33, "deeper than 32"),
    "33 objects": (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper than 32"),
    "900 objects": (b'{"a":' * 900 + b"1" + b"}" * 900, "deeper than 32"),
    "100,000 open brackets": (b"[" * 100_000, "deeper than 32"),
    "33 levels beside closing brackets in strings": (b'["]",' * 33 + b"1" + b"]" * 33, "deeper than 32"),
    "33 levels beside escaped quotes": (rb'["\"]",' * 33 + b"1" + b"]" * 33, "deeper than 32"),
    "33 levels beside escaped backslashes": (rb'["]\\",' * 33 + b"1" + b"]" * 33, "deeper than 32"),
    "1,001 keys": (dumps({str(n): n for n in range(1_001)}), "more than 1000 keys"),
    "text behind the value": (b"{} {}", "Extra data"),
    "a second value after NUL": (b"{}\x00", "Extra data"),
    "not closed": (b'{"a": [1, 2', "Expecting"),
    "trailing comma": (b"[1,]", "trailing comma|Expecting value"),
    "comment": (b"/* hello */ 1", "Expecting value"),
    "single quotes": (b"{'a': 1}", "double quotes"),
    "leading zero": (b"01", "Extra data"),
    "leading plus": (b"+1", "Expecting value"),
    "hexadecimal": (b"0x10", "Extra data"),
    "point without digits": (b"1.", "Extra data"),
    "digits of another script": ("٣".encode(), "Expecting value"),
    "half an escape": (rb'"\u12"', "escape"),
    "unknown escape": (rb'"\x41"', "escape"),
    "no-break space around": ("\u00a01".encode(), "Expecting value"),
}

ACCEPTED: dict[str, tuple[bytes | str, Any]] = {
    "null": (b"null", None),
    "spaces around": (b" \r\n\t1 ", 1),
    "a bare string": (b'"a"', "a"),
    "text instead of bytes": ('{"é": 1}', {"é": 1}),
    "largest integer": (b"9223372036854775807", 2**63 - 1),
    "smallest integer": (b"-9223372036854775808", -(2**63)),
    "largest double": (b"1.7976931348623157e308", 1.7976931348623157e308),
    "too small for a double": (b"1e-999", 0.0),
    "many digits behind the point": (b"0.1234567890123456789012345", 0.1234567890123456789012345),
    "surrogate pair": (rb'"\ud83d\ude00"', "\U0001f600"),
    "surrogate pair in mixed case": (rb'"\uD83D\uDe00"', "\U0001f600"),
    "escaped backslash in front of u0000": (rb'"\\u0000"', "\\u0000"),
    "escaped backslash in front of ud800": (rb'"\\ud800"', "\\ud800"),
    "32 arrays": (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
    "brackets in a string": (b'"' + b"[" * 100 + b'"', "[" * 100),
    "brackets behind an escaped quote": (rb'"\"' + b"[" * 100 + b'"', '"' + "[" * 100),
    "wide but flat": (b"[" + b"[],{}," * 500 + b"0]", [[], {}] * 500 + [0]),
    "1,000 keys": (dumps({str(n): n for n in range(1_000)}), {str(n): n for n in range(1_000)}),
    "a long number in a string": (b'"' + b"9" * 5_000 + b'"', "9" * 5_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_edge_body(name: str) -> None:
    """Each edge body is refused with the reason that is true for it."""
    body, reason = REFUSED[name]
    with pytest.raises(InvalidJSONError, match=reason) as caught:
        loads(body)
    assert caught.value.status_hint == 422


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepts_what_is_at_the_edge(name: str) -> None:
    """What lies just inside a limit is read as it is."""
    body, value = ACCEPTED[name]
    assert loads(body) == value


def test_a_lone_surrogate_in_text_is_refused() -> None:
    """A str that no UTF-8 text could be is refused like the bytes would be."""
    with pytest.raises(InvalidJSONError, match="surrogate"):
        loads('"\ud800"')


def test_says_where_the_text_breaks() -> None:
    """The position of the first offending character is an attribute."""
    with pytest.raises(InvalidJSONError) as broken:
        loads(b'{"a": 1,, "b": 2}')
    assert broken.value.position == 8
    with pytest.raises(InvalidJSONError) as escape:
        loads(rb'["ok", "\u0000"]')
    assert escape.value.position == 8


def test_the_message_never_repeats_a_long_text() -> None:
    """A hostile key or number of a megabyte does not come back in the message."""
    key = "k" * 100_000
    for body in (f'{{"{key}": 1, "{key}": 2}}', "1" * 100_000):
        with pytest.raises(InvalidJSONError) as caught:
            loads(body)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("body", [b'"' + b"a" * 99 + b'"', '"' + "a" * 99 + '"', '"' + "é" * 50 + '"'])
def test_a_text_over_the_size_limit_is_too_large(body: bytes | str) -> None:
    """The limit counts bytes of UTF-8, and the error is 413."""
    with pytest.raises(PayloadTooLargeError) as caught:
        loads(body, max_bytes=100)
    assert caught.value.limit == 100
    assert loads(body, max_bytes=102)


def test_without_a_size_limit_a_long_text_is_read() -> None:
    """None switches the size limit off."""
    assert len(loads(b'"' + b"a" * 2_000_000 + b'"', max_bytes=None)) == 2_000_000


def test_limits_can_be_chosen() -> None:
    """Depth and keys have limits of the caller's own."""
    with pytest.raises(InvalidJSONError, match="deeper than 1"):
        loads(b"[[]]", max_depth=1)
    with pytest.raises(InvalidJSONError, match="more than 1 key"):
        loads(b'{"a": 1, "b": 2}', max_keys=1)
    with pytest.raises(InvalidJSONError, match="deeper than this process can read"):
        loads(b"[" * 200_000 + b"]" * 200_000, max_depth=1_000_000)


json_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | json_texts,
    lambda inner: st.lists(inner) | st.dictionaries(json_texts, inner),
    max_leaves=50,
)


@given(json_values)
def test_what_python_writes_comes_back(value: Any) -> None:
    """Any value goes out and in unchanged, written by us or by the standard library."""
    assert loads(dumps(value)) == value
    assert loads(json.dumps(value)) == value
    assert loads(json.dumps(value, indent=1).encode()) == value


@settings(max_examples=500)
@given(
    st.binary()
    | st.text(alphabet='[]{}",:\\ud80c0e19.-tfn \ud800\0').map(lambda t: t.encode("utf-8", "replace"))
)
def test_any_bytes_give_a_value_or_one_of_two_errors(body: bytes) -> None:
    """Nothing but the two documented errors ever comes out, and a value is what json reads."""
    try:
        value = loads(body, max_bytes=40, max_depth=4)
    except (InvalidJSONError, PayloadTooLargeError):
        return
    assert value == json.loads(body)


@settings(max_examples=500)
@given(st.text(alphabet='[]{}"\\a,', max_size=60))
def test_the_depth_is_counted_as_the_value_nests(text: str) -> None:
    """The depth check on the text agrees with the depth of the value."""
    body = "[" + text + "]"
    try:
        value = json.loads(body)
    except ValueError:
        return
    depth = _depth(value)
    assert loads(body, max_depth=depth) == value
    with pytest.raises(InvalidJSONError, match="deeper"):
        loads(body, max_depth=depth - 1)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        -math.inf,
        [2**63],
        "\0",
        "\ud800",
        {"\0": 1},
        json.loads("[" * 33 + "]" * 33),
        float("1e400"),
    ],
)
def test_writing_refuses_what_reading_would_refuse(value: Any) -> None:
    """A value that no strict reader takes is an error where it is written."""
    with pytest.raises(ValueError, match=r"."):
        dumps(value)


def test_writing_refuses_what_has_no_json_form() -> None:
    """Objects and circles are errors of the caller."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        dumps(circle)
    with pytest.raises(TypeError):
        dumps(object())
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        dumps(deep)


def test_writes_compact_utf_8() -> None:
    """No spaces, no escapes that UTF-8 does not need."""
    assert dumps({"é": [1, 2.5, None]}) == '{"é":[1,2.5,null]}'.encode()
