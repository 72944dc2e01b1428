"""What holds for every codec and every event."""

import json
import typing

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.bus import Position
from lineside.cable import Codec
from lineside.cable.codecs import Event, GoHubJSON, StreamMessage, Transmission, standard_codecs
from lineside.strict_json import dumps, loads
from tests.cable.codecs.corpus import EVENTS

CODECS: dict[str, Codec] = {codec.name: codec for codec in standard_codecs(clock=lambda: 1_700_000_000.0)}

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def _read(codec: Codec, frame: str | bytes) -> dict[str, object]:
    if codec.binary:
        assert isinstance(frame, bytes)
        return msgpack.unpackb(frame)  # type: ignore[no-any-return]
    assert isinstance(frame, str)
    return loads(frame)  # type: ignore[no-any-return]


def _message(codec: Codec, frame: str | bytes) -> object:
    fields = _read(codec, frame)
    return fields["data" if codec.name.startswith("gohub") else "message"]


def test_the_list_of_events_is_complete() -> None:
    """An event that is added gets its row here, and so a look from every codec."""
    assert {type(event) for event in EVENTS} == set(typing.get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("name", CODECS)
def test_every_event_is_a_frame_or_nothing(name: str, event: Event) -> None:
    """What is written can be read back, by strict readers; what a protocol lacks is left out."""
    frame = CODECS[name].encode(event)
    if frame is not None:
        assert isinstance(_read(CODECS[name], frame), dict)


@pytest.mark.parametrize("name", CODECS)
@given(identifier=TEXTS, stream=TEXTS, value=VALUES, offset=st.integers(0, 2**53))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_messages_arrive_as_they_were_sent(
    name: str, identifier: str, stream: str, value: object, offset: int
) -> None:
    """Spliced in or written: any JSON value, under any identifier, on any stream."""
    codec = CODECS[name]
    text = json.dumps(value, indent=1).encode()
    for event in (
        StreamMessage(identifier, text, stream),
        StreamMessage(identifier, dumps(value), stream, Position(stream, offset)),
        Transmission(identifier, value),
    ):
        frame = codec.encode(event)
        assert frame is not None
        assert _message(codec, frame) == value


def test_a_message_of_full_depth_fits_into_the_envelope() -> None:
    """The bound is the message's own: what may be broadcast may be delivered."""
    value: object = None
    for _ in range(32):
        value = [value]
    for codec in CODECS.values():
        for event in (Transmission("a", value), StreamMessage("a", dumps(value), "s")):
            frame = codec.encode(event)
            assert frame is not None
            fields = msgpack.unpackb(frame) if codec.binary else json.loads(frame)
            assert value in fields.values()


def test_a_stream_message_is_not_parsed_by_the_json_codecs() -> None:
    """Its text goes through as it is, spaces and all."""
    for codec in CODECS.values():
        if not codec.binary:
            frame = codec.encode(StreamMessage("a", b'{ "x" :\t1.50 }', "s"))
            assert isinstance(frame, str)
            assert '{ "x" :\t1.50 }' in frame


@pytest.mark.parametrize("name", CODECS)
def test_bytes_that_are_no_text_are_a_value_error(name: str) -> None:
    """Whoever publishes past the cable gets no half a frame to a client."""
    with pytest.raises(ValueError, match=r"utf-8|UTF-8"):
        CODECS[name].encode(StreamMessage("a", b"\xff", "s"))


@pytest.mark.parametrize("name", CODECS)
def test_bytes_are_no_json_value(name: str) -> None:
    """A transmission of bytes is refused, not taken for ready JSON."""
    with pytest.raises(TypeError):
        CODECS[name].encode(Transmission("a", b"1"))


def test_the_clock_is_asked_for_each_frame() -> None:
    """Time is passed in."""
    times = iter([1.0, 2.0])
    codec = GoHubJSON(clock=lambda: next(times))
    frames = [codec.encode(Transmission("a", 0)) for _ in range(2)]
    assert [json.loads(frame)["timestamp"] for frame in frames if frame] == [1_000, 2_000]
