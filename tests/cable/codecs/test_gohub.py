"""GoHub's envelope: exact frames in both directions."""

import json
from typing import Any

import pytest

from lineside.bus import Position
from lineside.cable.codecs import (
    Command,
    Confirmation,
    Disconnection,
    Event,
    Failure,
    GoHubJSON,
    HistoryConfirmation,
    HistoryRejection,
    HistoryRequest,
    Malformed,
    Perform,
    PingEvent,
    PongEvent,
    PresenceChange,
    PresenceInfo,
    PresenceQuery,
    ReadHistory,
    Rejection,
    Reply,
    Request,
    StreamMessage,
    Subscribe,
    Transmission,
    Unsubscribe,
    Unsubscription,
    Welcome,
    Whisper,
)

CODEC = GoHubJSON(clock=lambda: 7.25)

READS: list[tuple[dict[str, Any], Command]] = [
    (
        {"message_id": 7, "message_type": "ping", "data": {"ts": 1}, "timestamp": 5, "client_id": "me"},
        Request("ping", {"ts": 1}, 7),
    ),
    ({"message_type": "ping"}, Request("ping")),
    ({"message_id": None, "message_type": "ping"}, Request("ping")),
    ({"message_id": 0, "message_type": "a", "data": [1]}, Request("a", [1], 0)),
    ({"message_id": -(2**63), "message_type": "a"}, Request("a", None, -(2**63))),
    ({"message_type": "a", "request_id": "x", "timestamp": "x"}, Request("a")),
    ({"message_type": "join_room", "data": {"room_id": "r"}}, Request("join_room", {"room_id": "r"})),
    ({"message_type": "subscribe", "data": {"topic": "x"}}, Request("subscribe", {"topic": "x"})),
    ({"message_type": "subscribe", "data": "chat"}, Request("subscribe", "chat")),
    ({"message_type": "custom", "data": {"channel": "x"}}, Request("custom", {"channel": "x"})),
    (
        {"message_id": 7, "message_type": "subscribe", "data": {"z": 1, "channel": "chat", "a": "é"}},
        Subscribe('{"channel":"chat","a":"é","z":1}', None, None, 7),
    ),
    (
        {"message_type": "subscribe", "data": {"identifier": "any text", "channel": "ignored"}},
        Subscribe("any text"),
    ),
    (
        {
            "message_type": "subscribe",
            "data": {"channel": "chat", "history": {"since": 5}, "presence": {"id": "u", "info": 1}},
        },
        Subscribe('{"channel":"chat"}', HistoryRequest(5.0), {"id": "u", "info": 1}),
    ),
    (
        {"message_id": 8, "message_type": "unsubscribe", "data": {"channel": "chat"}},
        Unsubscribe('{"channel":"chat"}', 8),
    ),
    (
        {
            "message_id": 9,
            "message_type": "perform",
            "data": {"channel": "chat", "room": 7, "action": "speak", "data": {"body": "hi"}},
        },
        Perform('{"channel":"chat","room":7}', "speak", {"body": "hi"}, 9),
    ),
    ({"message_type": "perform", "data": {"identifier": "a"}}, Perform("a", "receive", {})),
    (
        {"message_id": 1, "message_type": "whisper", "data": {"identifier": "a", "data": 0}},
        Whisper("a", 0, 1),
    ),
    (
        {
            "message_id": 1,
            "message_type": "history",
            "data": {"identifier": "a", "history": {"streams": {"s": {"offset": 3, "epoch": "e"}}}},
        },
        ReadHistory("a", HistoryRequest(None, {"s": Position("e", 3)}), 1),
    ),
    (
        {"message_id": 1, "message_type": "presence", "data": {"identifier": "a"}},
        PresenceQuery("a", True, 1),
    ),
    (
        {"message_type": "presence", "data": {"identifier": "a", "data": {"return_records": False}}},
        PresenceQuery("a", False),
    ),
]

WRITES: list[tuple[Event, str]] = [
    (
        Reply("pong", {"ts": 1, "server_ts": 2, "rtt": 1}, 7),
        '{"message_id":0,"message_type":"pong","data":{"ts":1,"server_ts":2,"rtt":1},"timestamp":7250,"request_id":7}',
    ),
    (Reply("news"), '{"message_id":0,"message_type":"news","data":null,"timestamp":7250}'),
    (
        Confirmation("a", 7),
        '{"message_id":0,"message_type":"subscribed","data":{"identifier":"a"},"timestamp":7250,"request_id":7}',
    ),
    (
        Unsubscription("a", 0),
        '{"message_id":0,"message_type":"unsubscribed","data":{"identifier":"a"},"timestamp":7250,"request_id":0}',
    ),
    (
        Failure(2001, "You don't have permission to join rooms"),
        '{"message_id":0,"message_type":"error","data":{"code":2001,'
        '"message":"You don\'t have permission to join rooms","request_id":0},"timestamp":7250}',
    ),
    (
        Failure(1001, "no", 7, "a", {"field": "x"}),
        '{"message_id":0,"message_type":"error","data":{"code":1001,"message":"no","request_id":7,'
        '"details":{"field":"x"},"identifier":"a"},"timestamp":7250,"request_id":7}',
    ),
    (
        Rejection("a", "no", 2001, 7),
        '{"message_id":0,"message_type":"error","data":{"code":2001,"message":"no","request_id":7,'
        '"identifier":"a"},"timestamp":7250,"request_id":7}',
    ),
    (
        Transmission("a", [1]),
        '{"message_id":0,"message_type":"message","data":[1],"timestamp":7250,"identifier":"a"}',
    ),
    (
        StreamMessage("r", b'{"content": 1}', "r", None, "room_message"),
        '{"message_id":0,"message_type":"room_message","data":{"content": 1},"timestamp":7250}',
    ),
    (
        StreamMessage("a", b"1", "s", Position("e", 9), published_at=5.5),
        '{"message_id":0,"message_type":"message","data":1,"timestamp":5500,"identifier":"a",'
        '"stream":"s","epoch":"e","offset":9}',
    ),
    (
        HistoryConfirmation("a", 7),
        '{"message_id":0,"message_type":"history_confirmed","data":{"identifier":"a"},"timestamp":7250,"request_id":7}',
    ),
    (
        HistoryRejection("a", "evicted"),
        '{"message_id":0,"message_type":"history_rejected",'
        '"data":{"identifier":"a","reason":"evicted"},"timestamp":7250}',
    ),
    (
        PresenceChange("a", "leave", "u1"),
        '{"message_id":0,"message_type":"presence",'
        '"data":{"identifier":"a","type":"leave","id":"u1","info":null},"timestamp":7250}',
    ),
    (
        PresenceInfo("a", 1, [{"id": "u1"}], request_id=7),
        '{"message_id":0,"message_type":"presence",'
        '"data":{"identifier":"a","type":"info","total":1,"records":[{"id":"u1"}]},"timestamp":7250,"request_id":7}',
    ),
    (
        PresenceInfo("a", error="forbidden"),
        '{"message_id":0,"message_type":"presence",'
        '"data":{"identifier":"a","type":"error","reason":"forbidden"},"timestamp":7250}',
    ),
    (
        Disconnection("server_restart", True, 1012, 1.5),
        '{"message_id":0,"message_type":"disconnect",'
        '"data":{"reason":"server_restart","reconnect":true,"retry_ms":1500},"timestamp":7250}',
    ),
    (
        Disconnection("remote", False),
        '{"message_id":0,"message_type":"disconnect","data":{"reason":"remote","reconnect":false},"timestamp":7250}',
    ),
]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(("fields", "command"), READS)
def test_messages_are_read(fields: dict[str, Any], command: Command, binary: bool) -> None:
    """Text and binary frames are both JSON; fields that are the server's to say are ignored."""
    frame = json.dumps(fields)
    assert CODEC.decode(frame.encode() if binary else frame) == command


@pytest.mark.parametrize("message_id", ["7", True, False, 1.0, [], {}, 1e300])
def test_a_message_id_is_an_integer(message_id: Any) -> None:
    """Anything else is error 1002, as GoHub's list of errors has it."""
    command = CODEC.decode(json.dumps({"message_id": message_id, "message_type": "ping"}))
    assert isinstance(command, Malformed)
    assert (command.code, command.request_id, command.silent) == (1002, None, False)


def test_a_bad_message_is_answered_under_its_own_id() -> None:
    """Whatever else is wrong: the id can be read."""
    for rest in (
        {},
        {"message_type": 1},
        {"message_type": ""},
        {"message_type": "subscribe", "data": {"channel": 1}},
    ):
        command = CODEC.decode(json.dumps({"message_id": 7, **rest}))
        assert isinstance(command, Malformed)
        assert (command.code, command.request_id, command.silent) == (1001, 7, False)


def test_a_frame_that_is_too_large_has_a_code_of_its_own() -> None:
    """4002, and the bound is told."""
    command = GoHubJSON(max_bytes=10).decode('{"message_type":"ping"}')
    assert isinstance(command, Malformed)
    assert command.code == 4002
    assert "10 bytes" in command.message


def test_the_order_of_a_channels_parameters_does_not_matter() -> None:
    """Two clients that name them in another order share what is encoded for them."""
    first = CODEC.decode('{"message_type":"subscribe","data":{"channel":"c","a":1,"b":2}}')
    second = CODEC.decode('{"message_type":"unsubscribe","data":{"b":2,"a":1,"channel":"c"}}')
    assert isinstance(first, Subscribe)
    assert isinstance(second, Unsubscribe)
    assert first.identifier == second.identifier


def test_parameters_that_nest_deeper_than_identifiers_may_are_refused() -> None:
    """A codec with a deeper bound does not fail at writing the identifier."""
    deep = "[" * 40 + "]" * 40
    frame = '{"message_type":"subscribe","data":{"channel":"c","a":DEEP}}'.replace("DEEP", deep)
    assert isinstance(GoHubJSON(max_depth=64).decode(frame), Malformed)


@pytest.mark.parametrize(("event", "frame"), WRITES)
def test_envelopes_are_written(event: Event, frame: str) -> None:
    """Byte for byte; a room's messages have no key that GoHub's have not."""
    assert CODEC.encode(event) == frame


@pytest.mark.parametrize("event", [Welcome("s"), PingEvent(1), PongEvent()])
def test_events_without_an_envelope_are_left_out(event: Event) -> None:
    """GoHub greets nobody, and its clients ping by themselves."""
    assert CODEC.encode(event) is None


def test_the_codec_is_chosen_by_asking_for_nothing_or_by_its_name() -> None:
    """One class serves both."""
    asked = GoHubJSON("gohub-v1-json")
    assert (CODEC.name, CODEC.subprotocol) == ("gohub", None)
    assert (asked.name, asked.subprotocol) == ("gohub-v1-json", "gohub-v1-json")
    assert (CODEC.replies, CODEC.pings, CODEC.restores, CODEC.binary) == (True, False, False, False)
