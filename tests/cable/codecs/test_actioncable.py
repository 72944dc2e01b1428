"""Action Cable and AnyCable's extension of it: exact frames in both directions."""

import json
from typing import Any

import pytest

from lineside.bus import Position
from lineside.cable.codecs import (
    ActionCableExtJSON,
    ActionCableJSON,
    Command,
    Confirmation,
    Disconnection,
    Event,
    Failure,
    HistoryConfirmation,
    HistoryRejection,
    HistoryRequest,
    Join,
    Leave,
    Malformed,
    Perform,
    Ping,
    PingEvent,
    Pong,
    PongEvent,
    PresenceChange,
    PresenceInfo,
    PresenceQuery,
    ReadHistory,
    Rejection,
    Reply,
    StreamMessage,
    Subscribe,
    Transmission,
    Unsubscribe,
    Unsubscription,
    Welcome,
    Whisper,
)

PLAIN = ActionCableJSON()
EXTENDED = ActionCableExtJSON()
CHAT = '{"channel":"Chat"}'

BOTH_READ: list[tuple[str, Command]] = [
    ('{"command":"subscribe","identifier":"{\\"channel\\":\\"Chat\\"}"}', Subscribe(CHAT)),
    ('{"command":"subscribe","identifier":"any text"}', Subscribe("any text")),
    ('{"command":"subscribe","identifier":""}', Subscribe("")),
    ('{"command":"unsubscribe","identifier":"a"}', Unsubscribe("a")),
    (
        '{"command":"message","identifier":"a","data":"{\\"action\\":\\"speak\\",\\"body\\":\\"hi\\"}"}',
        Perform("a", "speak", {"body": "hi"}),
    ),
    ('{"command":"message","identifier":"a","data":"{\\"x\\":1}"}', Perform("a", "receive", {"x": 1})),
    ('{"command":"message","identifier":"a","data":"{\\"action\\":\\"\\"}"}', Perform("a", "receive", {})),
    ('{"command":"message","identifier":"a","data":"{\\"action\\":null}"}', Perform("a", "receive", {})),
    ('{"command":"message","identifier":"a"}', Perform("a", "receive", {})),
    ('{"command":"message","identifier":"a","data":null}', Perform("a", "receive", {})),
    ('{"command":"whisper","identifier":"a","data":{"typing":true}}', Whisper("a", {"typing": True})),
    ('{"command":"whisper","identifier":"a","data":"{}"}', Whisper("a", "{}")),
    ('{"command":"whisper","identifier":"a"}', Whisper("a", None)),
]

EXTENDED_READS: list[tuple[str, Command]] = [
    (
        '{"command":"subscribe","identifier":"a","history":{"since":17,"streams":{}}}',
        Subscribe("a", HistoryRequest(since=17.0)),
    ),
    (
        '{"command":"subscribe","identifier":"a","history":{"since":false,'
        '"streams":{"s":{"epoch":"e","offset":9}}},"presence":{"id":"u1","info":{"name":"Ann"}}}',
        Subscribe(
            "a", HistoryRequest(positions={"s": Position("e", 9)}), {"id": "u1", "info": {"name": "Ann"}}
        ),
    ),
    (
        '{"command":"history","identifier":"a","history":{"since":1.5,"streams":{"s":{"offset":0,"epoch":"e"}}}}',
        ReadHistory("a", HistoryRequest(1.5, {"s": Position("e", 0)})),
    ),
    ('{"command":"history","identifier":"a"}', ReadHistory("a", HistoryRequest())),
    ('{"command":"join","identifier":"a","presence":{"id":"u1","info":1}}', Join("a", "u1", 1)),
    ('{"command":"join","identifier":"a"}', Join("a")),
    ('{"command":"join","identifier":"a","presence":{"info":1}}', Join("a", None, 1)),
    ('{"command":"leave","identifier":"a"}', Leave("a")),
    ('{"command":"presence","identifier":"a","data":{}}', PresenceQuery("a")),
    ('{"command":"presence","identifier":"a"}', PresenceQuery("a")),
    ('{"command":"presence","identifier":"a","data":{"return_records":false}}', PresenceQuery("a", False)),
    ('{"command":"ping"}', Ping()),
    ('{"command":"pong"}', Pong()),
]

BOTH_WRITE: list[tuple[Event, str]] = [
    (PingEvent(1_700_000_000), '{"type":"ping","message":1700000000}'),
    (Confirmation(CHAT, 7), '{"type":"confirm_subscription","identifier":"{\\"channel\\":\\"Chat\\"}"}'),
    (Rejection(CHAT, "no"), '{"type":"reject_subscription","identifier":"{\\"channel\\":\\"Chat\\"}"}'),
    (Transmission("a", {"é": [1]}), '{"identifier":"a","message":{"é":[1]}}'),
    (StreamMessage(CHAT, b'{"x": 1}', "s"), '{"identifier":"{\\"channel\\":\\"Chat\\"}","message":{"x": 1}}'),
    (
        StreamMessage("a", b"0", 's"1', Position("e", 9)),
        '{"identifier":"a","message":0,"stream_id":"s\\"1","epoch":"e","offset":9}',
    ),
    (
        PresenceChange("a", "join", "u1", {"n": 1}),
        '{"type":"presence","identifier":"a","message":{"type":"join","id":"u1","info":{"n":1}}}',
    ),
    (Disconnection("remote", True), '{"type":"disconnect","reason":"remote","reconnect":true}'),
    (
        Disconnection("unauthorized", False, 4401, 3.0),
        '{"type":"disconnect","reason":"unauthorized","reconnect":false}',
    ),
]

EXTENDED_WRITES: list[tuple[Event, str]] = [
    (Welcome("s1"), '{"type":"welcome","sid":"s1"}'),
    (Welcome("s1", ["a"]), '{"type":"welcome","sid":"s1","restored":true,"restored_ids":["a"]}'),
    (Welcome("s1", ()), '{"type":"welcome","sid":"s1","restored":true,"restored_ids":[]}'),
    (PongEvent(), '{"type":"pong"}'),
    (HistoryConfirmation("a"), '{"type":"confirm_history","identifier":"a"}'),
    (HistoryRejection("a", "epoch"), '{"type":"reject_history","identifier":"a"}'),
    (
        PresenceInfo("a", 1, [{"id": "u1", "info": None}]),
        '{"type":"presence","identifier":"a",'
        '"message":{"type":"info","total":1,"records":[{"id":"u1","info":null}]}}',
    ),
    (
        PresenceInfo("a", 2),
        '{"type":"presence","identifier":"a","message":{"type":"info","total":2}}',
    ),
    (
        PresenceInfo("a", error="forbidden"),
        '{"type":"presence","identifier":"a","message":{"type":"error","reason":"forbidden"}}',
    ),
]


@pytest.mark.parametrize("codec", [PLAIN, EXTENDED], ids=["v1", "ext"])
@pytest.mark.parametrize(("frame", "command"), BOTH_READ)
def test_commands_of_rails_are_read(codec: ActionCableJSON, frame: str, command: Command) -> None:
    """Each frame of Rails' client, and what Rails itself is lenient about."""
    assert codec.decode(frame) == command


@pytest.mark.parametrize(("frame", "command"), EXTENDED_READS)
def test_commands_of_anycable_are_read(frame: str, command: Command) -> None:
    """Each frame that AnyCable's client adds."""
    assert EXTENDED.decode(frame) == command


def test_the_plain_protocol_has_no_history_and_no_presence() -> None:
    """A subscription may carry them, and is made without."""
    frame = '{"command":"subscribe","identifier":"a","history":{"since":"x"},"presence":7}'
    assert PLAIN.decode(frame) == Subscribe("a")


@pytest.mark.parametrize("word", ["history", "join", "leave", "presence", "ping", "pong"])
def test_the_plain_protocol_does_not_know_commands_of_the_extended_one(word: str) -> None:
    """As Rails: they are logged and not answered."""
    command = PLAIN.decode(json.dumps({"command": word, "identifier": "a"}))
    assert isinstance(command, Malformed)
    assert command.silent
    assert command.identifier == "a"
    assert "subscribe" in command.message


@pytest.mark.parametrize(
    "history",
    [
        {"since": "yesterday"},
        {"since": True},
        {"since": -1},
        {"streams": []},
        {"streams": {"s": 9}},
        {"streams": {"s": {"offset": 9}}},
        {"streams": {"s": {"offset": "9", "epoch": "e"}}},
        {"streams": {"s": {"offset": -1, "epoch": "e"}}},
        {"streams": {"s": {"offset": True, "epoch": "e"}}},
        {"streams": {"s": {"offset": 9, "epoch": 1}}},
        [],
        "all",
    ],
)
def test_a_history_of_another_form_is_refused(history: Any) -> None:
    """It is not taken for "no history": the client would believe that it has missed nothing."""
    for word in ("subscribe", "history"):
        frame = json.dumps({"command": word, "identifier": "a", "history": history})
        assert isinstance(EXTENDED.decode(frame), Malformed)


def test_a_presence_of_another_form_is_refused() -> None:
    """Ids are texts."""
    for presence in ("me", [], {"id": 7}):
        frame = json.dumps({"command": "join", "identifier": "a", "presence": presence})
        assert isinstance(EXTENDED.decode(frame), Malformed)


def test_malformed_frames_are_silent_and_name_their_subscription() -> None:
    """Rails never answers one."""
    command = PLAIN.decode('{"command":"message","identifier":"a","data":"hello"}')
    assert isinstance(command, Malformed)
    assert (command.code, command.identifier, command.silent) == (1001, "a", True)


def test_binary_frames_are_malformed() -> None:
    """The protocol is one of text frames."""
    assert isinstance(PLAIN.decode(b'{"command":"subscribe","identifier":"a"}'), Malformed)


def test_a_frame_beyond_the_bounds_is_malformed() -> None:
    """Bytes are counted, not characters; depth counts in the message's own text, too."""
    codec = ActionCableJSON(max_bytes=60, max_depth=2)
    fits = codec.decode(json.dumps({"command": "subscribe", "identifier": "x" * 12}))
    assert fits == Subscribe("x" * 12)
    too_large = codec.decode(json.dumps({"command": "subscribe", "identifier": "é" * 12}, ensure_ascii=False))
    assert isinstance(too_large, Malformed)
    assert too_large.code == 4002
    assert "60 bytes" in too_large.message
    too_deep = codec.decode('{"command":"message","identifier":"a","data":"{\\"a\\":[[]]}"}')
    assert isinstance(too_deep, Malformed)
    assert "deeper than 2" in too_deep.message


@pytest.mark.parametrize("codec", [PLAIN, EXTENDED], ids=["v1", "ext"])
@pytest.mark.parametrize(("event", "frame"), BOTH_WRITE)
def test_frames_of_rails_are_written(codec: ActionCableJSON, event: Event, frame: str) -> None:
    """Byte for byte; positions and presence reach clients of the plain protocol as well."""
    assert codec.encode(event) == frame


@pytest.mark.parametrize(("event", "frame"), EXTENDED_WRITES)
def test_frames_of_anycable_are_written(event: Event, frame: str) -> None:
    """Byte for byte."""
    assert EXTENDED.encode(event) == frame


def test_the_plain_welcome_is_bare() -> None:
    """Nothing is said of a session that the client could not restore."""
    assert PLAIN.encode(Welcome("s1", ["a"])) == '{"type":"welcome"}'


@pytest.mark.parametrize("event", [Unsubscription("a"), Reply("x", 1, 7), Failure(1001, "no", 7, "a")])
def test_events_without_a_frame_are_left_out(event: Event) -> None:
    """Neither client knows an answer to an action, an error, or the end of a subscription."""
    assert PLAIN.encode(event) is None
    assert EXTENDED.encode(event) is None


@pytest.mark.parametrize("event", [PongEvent(), HistoryConfirmation("a"), HistoryRejection("a", "evicted")])
def test_the_plain_protocol_has_no_answers_to_what_it_cannot_ask(event: Event) -> None:
    """Rails' client would take them for messages."""
    assert PLAIN.encode(event) is None


def test_what_the_client_sends_back_is_what_it_was_sent() -> None:
    """A position that a client stores from a broadcast is read again as it was."""
    sent = json.loads(EXTENDED.encode(StreamMessage("a", b"1", "s", Position("e", 9))) or "")
    streams = {sent["stream_id"]: {"epoch": sent["epoch"], "offset": sent["offset"]}}
    frame = json.dumps({"command": "history", "identifier": "a", "history": {"since": 1, "streams": streams}})
    assert EXTENDED.decode(frame) == ReadHistory("a", HistoryRequest(1.0, {"s": Position("e", 9)}))


def test_the_flags_say_what_the_clients_do() -> None:
    """Both are pinged and never answered; sessions come back in the extended protocol only."""
    assert (PLAIN.subprotocol, PLAIN.pings, PLAIN.replies, PLAIN.restores) == (
        "actioncable-v1-json", True, False, False,
    )  # fmt: skip
    assert (EXTENDED.subprotocol, EXTENDED.pings, EXTENDED.replies, EXTENDED.restores) == (
        "actioncable-v1-ext-json", True, False, True,
    )  # fmt: skip
