"""The reader of WebSocket frames: RFC 6455 section 5, case by case and against another implementation."""

import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode
from websockets.server import ServerProtocol

from lineside.cable._server._rfc6455 import (
    CloseFrame,
    FrameFault,
    FrameReader,
    Incoming,
    Opcode,
    Ping,
    Pong,
    close_frame,
    control_frame,
)

MAX = 70_000


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = b"\x01\x02\x03\x04", rsv: int = 0
) -> bytes:
    """Return a client's frame."""
    size = len(payload)
    if size < 126:
        head = bytes((size | 0x80,))
    elif size < 65536:
        head = bytes((126 | 0x80,)) + size.to_bytes(2, "big")
    else:
        head = bytes((127 | 0x80,)) + size.to_bytes(8, "big")
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes(((0x80 if fin else 0) | rsv | opcode,)) + head + mask + masked


def read(data: bytes, *, limit: int = MAX) -> list[Incoming]:
    return FrameReader(limit).feed(data)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, MAX])
def test_messages_of_every_size_are_read(size: int) -> None:
    payload = os.urandom(size)
    assert read(frame(Opcode.BINARY, payload)) == [payload]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame(1, "é€😀".encode()), ["é€😀"]),
        (frame(1, b"a") + frame(2, b"b"), ["a", b"b"]),
        (frame(1, b"a", fin=False) + frame(0, b"b", fin=False) + frame(0, b"c"), ["abc"]),
        (frame(1, b"", fin=False) + frame(0, b"", fin=False) + frame(0, b""), [""]),
        (frame(1, b"\xc3", fin=False) + frame(0, b"\xa9"), ["é"]),
        (frame(1, b"a", fin=False) + frame(9, b"ping") + frame(0, b"b"), [Ping(b"ping"), "ab"]),
        (frame(10, b"pong"), [Pong(b"pong")]),
        (frame(8), [CloseFrame(1005, "")]),
        (frame(8, b"\x03\xe8bye"), [CloseFrame(1000, "bye")]),
        (frame(8, b"\x0f\xa1"), [CloseFrame(4001, "")]),
    ],
)
def test_what_clients_may_say_is_read(data: bytes, expected: Sequence[Incoming]) -> None:
    assert read(data) == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(1, b"a", rsv=0x40), 1002),
        (frame(1, b"a", rsv=0x20), 1002),
        (frame(9, b"a", rsv=0x10), 1002),
        *((frame(opcode), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (b"\x81\x01a", 1002),
        (frame(0, b"a"), 1002),
        (frame(1, b"a", fin=False) + frame(1, b"b"), 1002),
        (frame(1, b"a", fin=False) + frame(2, b"b", fin=False), 1002),
        (frame(9, b"a", fin=False), 1002),
        (frame(8, b"", fin=False), 1002),
        (frame(9, b"a" * 126), 1002),
        (frame(8, b"\x03"), 1002),
        *(
            (frame(8, code.to_bytes(2, "big")), 1002)
            for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
        ),
        (frame(8, b"\x03\xe8\xff"), 1007),
        (frame(1, b"\xff"), 1007),
        (frame(1, b"\xed\xa0\x80"), 1007),
        (frame(1, b"\xc3", fin=False) + frame(0, b"a"), 1007),
        (frame(2, b"a" * 11), 1009),
        (frame(2, b"a" * 10, fin=False) + frame(0, b"a"), 1009),
        (b"\x82\xff" + b"\xff" * 8, 1009),
    ],
)
def test_what_clients_may_not_say_is_a_fault_with_its_close_code(data: bytes, code: int) -> None:
    with pytest.raises(FrameFault) as fault:
        read(data, limit=10)
    assert fault.value.code == code


def test_a_message_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(FrameFault, match="at most 10 bytes"):
        read(frame(2, b"a" * 11)[:6], limit=10)


def test_bytes_that_come_one_by_one_are_read() -> None:
    reader = FrameReader(MAX)
    data = frame(1, b"a" * 300) + frame(1, b"b", fin=False) + frame(0, b"c")
    found = [message for byte in data for message in reader.feed(bytes((byte,)))]
    assert found == ["a" * 300, "bc"]
    assert reader.idle


def test_a_reader_is_idle_only_between_messages() -> None:
    reader = FrameReader(MAX)
    for part, idle in (
        (frame(1, b"a", fin=False), False),
        (frame(0, b"b")[:3], False),
        (frame(0, b"b")[3:], True),
    ):
        reader.feed(part)
        assert reader.idle is idle


@given(
    payloads=st.lists(
        st.tuples(st.sampled_from([1, 2, 9, 10]), st.text(max_size=40), st.binary(min_size=4, max_size=4))
    ),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_where_the_stream_is_cut_makes_no_difference(
    payloads: list[tuple[int, str, bytes]], cuts: list[int]
) -> None:
    data = b"".join(
        frame(opcode, text.encode()[:120], mask=mask) for opcode, text, mask in payloads if text.isascii()
    )
    whole = read(data)
    reader, found, start = FrameReader(MAX), [], 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        found += reader.feed(data[start:cut])
        start = cut
    assert found == whole


@given(
    st.lists(
        st.tuples(
            st.integers(0, 15),
            st.booleans(),
            st.sampled_from([0, 0, 0, 0x40]),
            st.one_of(st.binary(max_size=20), st.text(max_size=8).map(str.encode), st.just(b"\x03\xe8")),
        ),
        max_size=6,
    )
)
@settings(max_examples=1000, deadline=None, derandomize=True)
def test_it_takes_and_refuses_what_another_implementation_does(
    frames: list[tuple[int, bool, int, bytes]],
) -> None:
    data = b"".join(frame(opcode, payload, fin=fin, rsv=rsv) for opcode, fin, rsv, payload in frames)
    theirs, code = _their_reading(data)
    if code is None:
        assert read(data) == theirs
        return
    with pytest.raises(FrameFault) as fault:
        read(data)
    # Which of two faults of one close frame is told is a matter of taste.
    assert fault.value.code in (1002, 1007)


def _their_reading(data: bytes) -> tuple[list[Incoming], int | None]:
    """Read with websockets' protocol; frames behind a close frame are read by neither."""
    protocol = ServerProtocol(max_size=MAX)
    protocol.state = protocol.state.OPEN
    protocol.parser = super(ServerProtocol, protocol).parse()
    next(protocol.parser)
    protocol.receive_data(data)
    found: list[Incoming] = []
    fragments: list[bytes] = []
    opcode = TheirOpcode.TEXT
    for event in protocol.events_received():
        assert isinstance(event, TheirFrame)
        payload = bytes(event.data)
        if event.opcode is TheirOpcode.PING:
            found.append(Ping(payload))
        elif event.opcode is TheirOpcode.PONG:
            found.append(Pong(payload))
        elif event.opcode is TheirOpcode.CLOSE:
            assert protocol.close_rcvd is not None
            found.append(CloseFrame(protocol.close_rcvd.code, protocol.close_rcvd.reason))
        else:
            opcode = event.opcode if event.opcode is not TheirOpcode.CONT else opcode
            fragments.append(payload)
            if event.fin:
                whole, fragments = b"".join(fragments), []
                try:
                    found.append(whole.decode() if opcode is TheirOpcode.TEXT else whole)
                except UnicodeDecodeError:
                    return found, 1007
    if isinstance(protocol.parser_exc, ProtocolError):
        return found, 1002
    if isinstance(protocol.parser_exc, UnicodeDecodeError):
        return found, 1007
    return found, None


def test_close_frames_hold_what_fits() -> None:
    assert close_frame(1005) == b"\x88\x00"
    assert close_frame(1000, "bye") == b"\x88\x05\x03\xe8bye"
    long = close_frame(4000, "é" * 100)
    assert long[1] == 2 + 122
    assert long[4:].decode() == "é" * 61
    assert control_frame(Opcode.PING) == b"\x89\x00"
