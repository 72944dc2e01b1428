"""Gor's protocol: exact frames in both directions."""

import pytest

from lineside.bus import Position
from lineside.cable.codecs import (
    Command,
    Confirmation,
    Disconnection,
    Event,
    Failure,
    GorJSON,
    HistoryConfirmation,
    HistoryRejection,
    Malformed,
    Perform,
    Ping,
    PingEvent,
    PongEvent,
    PresenceChange,
    PresenceInfo,
    Rejection,
    Reply,
    StreamMessage,
    Subscribe,
    Transmission,
    Unsubscribe,
    Unsubscription,
    Welcome,
)

CODEC = GorJSON(clock=lambda: 7.9)

READS: list[tuple[str | bytes, Command]] = [
    ('{"type":"subscribe","channel":"a"}', Subscribe("a")),
    ('{"type":"subscribe","channel":"a","data":{"x":1}}', Subscribe("a")),
    (b'{"type":"unsubscribe","channel":"a","data":null}', Unsubscribe("a")),
    ('{"type":"message","channel":"a","data":{"body":"hi"}}', Perform("a", "receive", {"body": "hi"})),
    ('{"type":"message","channel":"a"}', Perform("a", "receive", {})),
    ('{"type":"ping"}', Ping()),
    ('{"type":"ping","channel":7}', Ping()),
    ("hello", Malformed(1001, "Invalid message format")),
    ("[]", Malformed(1001, "Invalid message format")),
    ("{}", Malformed(1001, "Invalid message format")),
    ('{"type":7}', Malformed(1001, "Invalid message format")),
    ('{"type":"reboot"}', Malformed(1001, "Unknown message type")),
    ('{"type":"","channel":"a"}', Malformed(1001, "Unknown message type", identifier="a")),
    ('{"type":"subscribe"}', Malformed(1001, "Invalid message format")),
    ('{"type":"subscribe","channel":""}', Malformed(1001, "Invalid message format", identifier="")),
    ('{"type":"message","channel":"a","data":[]}', Malformed(1001, "Invalid message format", identifier="a")),
]

WRITES: list[tuple[Event, str]] = [
    (
        Confirmation("a"),
        '{"type":"success","data":{"action":"subscribe","data":{"channel":"a"}},"time":7}',
    ),
    (
        Unsubscription("a"),
        '{"type":"success","data":{"action":"unsubscribe","data":{"channel":"a"}},"time":7}',
    ),
    (Reply("receive", 1, 7), '{"type":"success","data":{"action":"receive","data":1},"time":7}'),
    (PongEvent(), '{"type":"pong","data":null,"time":7}'),
    (
        Failure(1001, "Unknown message type"),
        '{"type":"error","data":{"error":"Unknown message type"},"time":7}',
    ),
    (
        Failure(3003, "subscribe first", None, "a"),
        '{"type":"error","data":{"error":"Not subscribed to channel"},"channel":"a","time":7}',
    ),
    (Rejection("a", "no"), '{"type":"error","data":{"error":"no"},"channel":"a","time":7}'),
    (Transmission("a", {"x": 1}), '{"channel":"a","message":{"x":1},"time":7}'),
    (StreamMessage("a", b'{"x": 1}', "s"), '{"channel":"a","message":{"x": 1},"time":7}'),
    (
        StreamMessage("a", b"1", "s", Position("e", 9), "message", 5.5),
        '{"channel":"a","message":1,"time":5}',
    ),
    (
        Disconnection("remote", True),
        '{"type":"disconnect","data":{"reason":"remote","reconnect":true},"time":7}',
    ),
]


@pytest.mark.parametrize(("frame", "command"), READS)
def test_frames_are_read(frame: str | bytes, command: Command) -> None:
    """What cannot be read has Gor's own words for it."""
    assert CODEC.decode(frame) == command


def test_a_frame_that_is_too_large_is_told_the_bound() -> None:
    """Gor has no words for this."""
    command = GorJSON(max_bytes=10).decode('{"type":"ping"}')
    assert isinstance(command, Malformed)
    assert command.code == 4002
    assert "10 bytes" in command.message


@pytest.mark.parametrize(("event", "frame"), WRITES)
def test_frames_are_written(event: Event, frame: str) -> None:
    """Byte for byte."""
    assert CODEC.encode(event) == frame


@pytest.mark.parametrize(
    "event",
    [
        Welcome("s"),
        PingEvent(1),
        HistoryConfirmation("a"),
        HistoryRejection("a", "epoch"),
        PresenceChange("a", "join", "u"),
        PresenceInfo("a", 1),
    ],
)
def test_events_that_gor_does_not_have_are_left_out(event: Event) -> None:
    """No frame of another form reaches its clients."""
    assert CODEC.encode(event) is None


def test_the_flags_say_what_the_clients_do() -> None:
    """Every request is answered, and no ping is expected."""
    assert (CODEC.name, CODEC.subprotocol, CODEC.binary) == ("gor-v1-json", "gor-v1-json", False)
    assert (CODEC.replies, CODEC.pings, CODEC.restores) == (True, False, False)
