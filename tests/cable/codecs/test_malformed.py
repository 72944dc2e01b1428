"""Frames that nobody should send: a codec returns a command for each, and raises for none."""

import json
import typing
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lineside.cable import Codec
from lineside.cable.codecs import Command, Malformed, standard_codecs
from lineside.strict_json import dumps
from tests.cable.codecs.corpus import BROKEN, WRONG

CODECS: dict[str, Codec] = {codec.name: codec for codec in standard_codecs()}
# "gohub" is "gohub-v1-json" under another name.
JSON_CODECS = [name for name, codec in CODECS.items() if not codec.binary and codec.subprotocol]
MSGPACK_CODECS = [name for name, codec in CODECS.items() if codec.binary]
COMMANDS = typing.get_args(Command)
EXAMPLES = 2_000

WORDS = st.sampled_from(
    [
        *("subscribe", "unsubscribe", "message", "whisper", "history", "join", "leave", "presence"),
        *("ping", "pong", "perform", "join_room", "reboot", "", "\0", "\ud800"),
    ]
)
NUMBERS = st.sampled_from(
    [0, -1, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 1.5, 1e308, float("inf"), float("nan")]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | NUMBERS | st.text(max_size=12) | WORDS
FIELDS = st.sampled_from(
    [
        *("command", "identifier", "data", "history", "presence", "action", "message_id", "message_type"),
        *("channel", "type", "since", "streams", "offset", "epoch", "id", "info", "return_records", ""),
    ]
)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["{}", '{"action":1}', '{"action":"a","x":[]}', "[[[[", "NaN", '"']),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=10,
)
# Objects that are nearly right: the words of the protocols in their places, and anything beside them.
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "command": WORDS | VALUES,
        "type": WORDS | VALUES,
        "message_type": WORDS | VALUES,
        "identifier": st.text(max_size=8) | VALUES,
        "channel": st.text(max_size=8) | VALUES,
        "message_id": st.integers() | VALUES,
        "data": st.dictionaries(FIELDS, VALUES, max_size=4) | VALUES,
        "history": st.dictionaries(FIELDS, VALUES, max_size=3) | VALUES,
        "presence": st.dictionaries(FIELDS, VALUES, max_size=3) | VALUES,
    },
)
# Good objects of all protocols at once, so that what is behind the first check is reached, too.
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "{}", '{"action":"b"}', 1.5])
POSITIONS = st.dictionaries(
    st.sampled_from(["s", "t"]),
    st.fixed_dictionaries({"offset": PLAIN | st.just(3), "epoch": PLAIN | st.just("e")}),
)
ABOUT = {
    "action": PLAIN,
    "data": PLAIN | st.dictionaries(FIELDS, PLAIN, max_size=2),
    "history": PLAIN | st.fixed_dictionaries({}, optional={"since": PLAIN, "streams": PLAIN | POSITIONS}),
    "presence": PLAIN | st.fixed_dictionaries({}, optional={"id": PLAIN, "info": PLAIN}),
}
GOOD_WORDS = WORDS.filter(lambda word: word.isidentifier())
GOOD = st.builds(
    lambda word, fields: {"command": word, "type": word, "message_type": word} | fields,
    GOOD_WORDS,
    st.fixed_dictionaries(
        {"identifier": st.just("a") | PLAIN, "channel": st.just("c") | PLAIN},
        optional=ABOUT
        | {
            "message_id": st.integers(0, 9) | PLAIN,
            "data": PLAIN
            | st.fixed_dictionaries({}, optional=ABOUT | {"channel": st.just("c"), "identifier": PLAIN})
            | st.fixed_dictionaries({"channel": st.just("c")}, optional=ABOUT),
        },
    ),
)


def _as_text(value: Any) -> str:
    return json.dumps(value)


def _as_map(value: Any) -> bytes:
    try:
        return bytes(msgpack.packb(value))
    except (OverflowError, UnicodeEncodeError):
        return b"\xdb" + json.dumps(value).encode()


def _deep(opening: str, levels: int, closing: str) -> str:
    return '{"command":"whisper","identifier":"a","data":' + opening * levels + "1" + closing * levels + "}"


def _mutated(frame: bytes, cuts: tuple[int, int], middle: bytes) -> bytes:
    start, end = sorted(cut % (len(frame) + 1) for cut in cuts)
    return frame[:start] + middle + frame[end:]


def _frames(pack: Callable[[Any], str | bytes]) -> st.SearchStrategy[str | bytes]:
    whole: st.SearchStrategy[str | bytes] = st.builds(pack, st.one_of(GOOD, GOOD, NEARLY, VALUES))
    raw = whole.map(lambda frame: frame if isinstance(frame, bytes) else frame.encode())
    mutated = st.builds(
        _mutated, raw, st.tuples(st.integers(0, 500), st.integers(0, 500)), st.binary(max_size=6)
    )
    return st.one_of(
        st.builds(pack, GOOD),
        whole,
        mutated,
        mutated.map(lambda frame: frame.decode("utf-8", "surrogateescape")),
        mutated.map(lambda frame: frame.decode("latin-1")),
        st.binary(max_size=60),
        st.text(st.characters(), max_size=60),
        st.builds(
            _deep,
            st.sampled_from(["[", '{"a":', '[{"b":']),
            st.integers(0, 200),
            st.sampled_from(["]", "}", ""]),
        ),
    )


def _check(codec: Codec, frame: str | bytes) -> Command:
    command = codec.decode(frame)
    assert isinstance(command, COMMANDS)
    if isinstance(command, Malformed):
        assert command.code in (1001, 1002, 4002)
        assert command.message
        assert command.silent is not codec.replies
        dumps(command.message)  # it can be sent to the client
    return command


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_frame_is_malformed(name: str, broken: str) -> None:
    """Each of the list, as it is: no protocol has a meaning for it."""
    assert isinstance(_check(CODECS[name], BROKEN[broken]), Malformed)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("wrong", WRONG)
def test_an_object_with_wrong_fields_is_malformed(name: str, wrong: str) -> None:
    """Each of the list, in the codec's own format."""
    codec = CODECS[name]
    frame = _as_map(WRONG[wrong]) if codec.binary else _as_text(WRONG[wrong])
    command = _check(codec, frame)
    assert isinstance(command, Malformed)
    if codec.name.startswith("gohub") and WRONG[wrong].get("message_id") == 7:
        assert command.request_id == 7


def test_the_lists_are_long() -> None:
    """A list that shrinks by accident is noticed."""
    assert len(BROKEN) >= 60
    assert len(WRONG) >= 35


@pytest.mark.parametrize("name", JSON_CODECS)
@given(frame=_frames(_as_text))
@example(frame="\ud800")
@example(frame=b'{"type":"\xc3')
@example(frame="[" * 65_000)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_no_frame_breaks_a_json_codec(name: str, frame: str | bytes) -> None:
    """Random bytes, random objects, valid frames with holes, deep ones, half characters."""
    _check(CODECS[name], frame)


@pytest.mark.parametrize("name", MSGPACK_CODECS)
@given(frame=_frames(_as_map))
@example(frame="{}")
@example(frame=b"\x91" * 65_000)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_no_frame_breaks_a_msgpack_codec(name: str, frame: str | bytes) -> None:
    """The same, packed."""
    _check(CODECS[name], frame)
