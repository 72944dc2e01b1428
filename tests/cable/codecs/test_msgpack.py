"""The protocols over MessagePack: the same meaning as over JSON."""

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import tracemalloc
from typing import Any

import msgpack
import pytest

from lineside.cable import Codec
from lineside.cable.codecs import (
    ActionCableExtJSON,
    ActionCableExtMsgpack,
    ActionCableJSON,
    ActionCableMsgpack,
    CodecRegistry,
    Command,
    Event,
    GoHubJSON,
    GoHubMsgpack,
    Malformed,
    Perform,
    StreamMessage,
    Transmission,
)
from lineside.exceptions import MissingDependencyError
from tests.cable.codecs import test_actioncable, test_gohub
from tests.cable.codecs.corpus import EVENTS


def _clock() -> float:
    return 1_700_000_000.25


PAIRS: dict[str, tuple[Codec, Codec]] = {
    "v1": (ActionCableMsgpack(), ActionCableJSON()),
    "ext": (ActionCableExtMsgpack(), ActionCableExtJSON()),
    "gohub": (GoHubMsgpack(clock=_clock), GoHubJSON(clock=_clock)),
}
READS: list[tuple[str, str, Command]] = [
    *(("v1", frame, command) for frame, command in test_actioncable.BOTH_READ),
    *(("ext", frame, command) for frame, command in test_actioncable.EXTENDED_READS),
    *(("gohub", json.dumps(fields), command) for fields, command in test_gohub.READS),
]


@pytest.mark.parametrize(("pair", "frame", "command"), READS)
def test_a_map_means_what_the_object_means(pair: str, frame: str, command: Command) -> None:
    """Every frame of the JSON tests, packed."""
    assert PAIRS[pair][0].decode(msgpack.packb(json.loads(frame))) == command


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("pair", PAIRS)
def test_an_event_is_the_same_map_as_it_is_an_object(pair: str, event: Event) -> None:
    """Unpacking the one gives what parsing the other gives; what the one leaves out, so does the other."""
    packed, text = (codec.encode(event) for codec in PAIRS[pair])
    assert (packed is None) == (text is None)
    if packed is not None and text is not None:
        assert isinstance(packed, bytes)
        assert msgpack.unpackb(packed) == json.loads(text)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_text_frame_is_malformed(pair: str) -> None:
    """The protocol is one of binary frames, and says so."""
    codec = PAIRS[pair][0]
    command = codec.decode('{"command":"subscribe","identifier":"a","message_type":"ping"}')
    assert isinstance(command, Malformed)
    assert "binary" in command.message
    assert command.silent is not codec.replies
    assert codec.binary


@pytest.mark.parametrize(
    "value",
    [b"bytes", msgpack.Timestamp(1), msgpack.ExtType(5, b"x"), float("nan"), float("-inf"), 2**63, "a\0b"],
    ids=["bytes", "timestamp", "extension", "nan", "infinity", "2**63", "NUL"],
)
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    """A client of another protocol could not be sent it."""
    frame = msgpack.packb({"message_id": 7, "message_type": "a", "data": [{"x": value}]})
    assert isinstance(PAIRS["gohub"][0].decode(frame), Malformed)


def test_as_deep_as_json_and_no_deeper() -> None:
    """The bound counts the same containers in both formats."""
    codec = GoHubMsgpack()
    for levels, fits in ((31, True), (32, False)):
        data: Any = None
        for _ in range(levels):
            data = [data]
        for value in (data, {"a": data[0]}):
            fields = {"message_type": "a", "data": value}
            assert isinstance(codec.decode(msgpack.packb(fields)), Malformed) is not fits
            assert isinstance(GoHubJSON().decode(json.dumps(fields)), Malformed) is not fits


def test_a_frame_beyond_the_bounds_is_malformed() -> None:
    """Bytes, items of an array, and keys of a map."""
    codec = GoHubMsgpack(max_bytes=200, max_items=20)
    fields: dict[str, Any] = {"message_id": 7, "message_type": "a"}
    assert not isinstance(codec.decode(msgpack.packb(fields | {"data": [0] * 20})), Malformed)
    assert isinstance(codec.decode(msgpack.packb(fields | {"data": [0] * 21})), Malformed)
    assert isinstance(codec.decode(msgpack.packb(dict.fromkeys("abcdefghijklmnopqrstu"))), Malformed)
    too_large = codec.decode(msgpack.packb(fields | {"data": "x" * 200}))
    assert isinstance(too_large, Malformed)
    assert too_large.code == 4002


def test_a_short_frame_of_large_headers_takes_little_memory() -> None:
    """Nested arrays that promise many items each are refused before room is made for them."""
    codec = GoHubMsgpack()
    codec.decode(b"\x80")
    for items in (1_000, 60_000):
        frame = (b"\xdd" + items.to_bytes(4, "big")) * 1_100 + b"\xc0" * 60_000
        tracemalloc.start()
        try:
            assert isinstance(codec.decode(frame[:65_536]), Malformed)
            assert tracemalloc.get_traced_memory()[1] < 16 * 1_048_576
        finally:
            tracemalloc.stop()


def test_the_text_inside_a_message_stays_json() -> None:
    """As AnyCable's MessagePack encoder for JavaScript sends it."""
    frame = msgpack.packb({"command": "message", "identifier": "a", "data": '{"action":"b","x":1}'})
    assert ActionCableMsgpack().decode(frame) == Perform("a", "b", {"x": 1})


@pytest.mark.parametrize("message", [b"bytes", {1, 2}, float("nan"), "\ud800"])
def test_a_message_without_a_json_form_is_refused_as_by_the_json_codec(message: Any) -> None:
    """An app finds its mistake whichever client is connected."""
    for codec in PAIRS["v1"]:
        with pytest.raises((TypeError, ValueError)):
            codec.encode(Transmission("a", message))


def test_a_message_with_many_keys_is_written() -> None:
    """The bounds are those of frames that come in."""
    data = json.dumps({str(n): n for n in range(2_000)}).encode()
    packed = ActionCableMsgpack().encode(StreamMessage("a", data, "s"))
    assert packed is not None
    assert len(msgpack.unpackb(packed)["message"]) == 2_000


def test_without_the_package_the_codecs_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry goes without them; who asks for one is told what to install."""
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> importlib.machinery.ModuleSpec | None:
        return None if name == "msgpack" else find(name, package)

    for module in ("_registry", "msgpack"):
        monkeypatch.setattr(f"lineside.cable.codecs.{module}.find_spec", without)
    registry = CodecRegistry()
    assert [name for name in registry.names if "msgpack" in name] == []
    assert registry.choose(["actioncable-v1-msgpack", "actioncable-v1-json"]) is registry.by_name(
        "actioncable-v1-json"
    )
    with pytest.raises(MissingDependencyError, match=r"lineside\[cable\]"):
        ActionCableMsgpack()


def test_the_package_is_loaded_with_the_first_frame() -> None:
    """Importing the codecs, and making all of them, loads no optional package."""
    code = (
        "import sys; from lineside.cable.codecs import CodecRegistry; r = CodecRegistry();"
        "assert 'msgpack' not in sys.modules; r.by_name('gohub-v1-msgpack').decode(b'');"
        "assert 'msgpack' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
