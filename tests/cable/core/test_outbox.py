"""What waits for a client is bounded, leaves in one write, and is never lost silently."""

import pytest

from lineside.cable import CableLimits, Channel
from lineside.cable._core._flusher import Flusher
from lineside.cable._core._outbox import Outbox
from lineside.cable._protocol._frame import Frame, websocket_frame
from tests.cable.core.cables import EXT, V1, cable, client, identifier, messages, subscribe, types
from tests.cable.fakes import FakeWire, eventually, running

pytestmark = pytest.mark.anyio

FEED = identifier("Feed")


class Feed(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("feed")


class Owner:
    def __init__(self) -> None:
        self.told: list[str] = []

    def outbox_overflowed(self) -> None:
        self.told.append("overflowed")

    def outbox_recovered(self) -> None:
        self.told.append("recovered")


class CountingWire(FakeWire):
    writes = 0

    def write(self, frames) -> None:  # type: ignore[no-untyped-def]
        self.writes += 1
        super().write(frames)


def outbox(wire: FakeWire, owner: Owner, **limits: object) -> tuple[Outbox, Flusher, list[object]]:
    turns: list[object] = []
    flusher = Flusher(turns.append)
    return Outbox(wire, CableLimits(**limits), flusher, owner), flusher, turns  # type: ignore[arg-type]


def test_everything_pushed_in_one_turn_leaves_in_one_write() -> None:
    wire = CountingWire()
    box, flusher, turns = outbox(wire, Owner())
    for number in range(50):
        box.push(Frame(str(number)))
    assert len(turns) == 1
    assert wire.payloads == []
    flusher.flush()
    assert wire.payloads == [str(number) for number in range(50)]
    assert wire.writes == 1


def test_much_said_at_once_to_a_client_that_reads_is_not_lost() -> None:
    wire, owner = FakeWire(), Owner()
    box, flusher, _ = outbox(wire, owner, outbox_frames=10)
    for number in range(100):
        box.push(Frame(str(number)))
    flusher.flush()
    assert wire.payloads == [str(number) for number in range(100)]
    assert owner.told == []


def test_the_only_frame_of_a_turn_stays_in_no_outbox() -> None:
    wire = CountingWire()
    box, flusher, turns = outbox(wire, Owner())
    flusher.share({"1": box}, Frame("all"))
    assert (box.frames, box.size, len(turns)) == ([], 0, 1)
    flusher.flush()
    assert wire.payloads == ["all"]


def test_what_is_said_behind_a_shared_frame_follows_it_in_one_write() -> None:
    wire = CountingWire()
    box, flusher, _ = outbox(wire, Owner())
    box.push(Frame("before"))
    flusher.share({"1": box}, Frame("all"))
    box.push(Frame("behind"))
    flusher.share({"1": box}, Frame("all again"))
    flusher.flush()
    assert wire.payloads == ["before", "all", "behind", "all again"]
    assert wire.writes == 1


def test_a_shared_frame_waits_for_a_client_that_does_not_read() -> None:
    wire = FakeWire()
    box, flusher, _ = outbox(wire, Owner(), outbox_bytes=1000)
    wire.unread_bytes = 10_000
    box._waits = True  # the timer that looks at it again needs a loop
    flusher.share({"1": box}, Frame("all"))
    flusher.flush()
    assert (wire.payloads, box.size) == ([], 3)


def test_closing_an_outbox_sends_what_its_audience_was_given() -> None:
    wire = FakeWire()
    box, flusher, _ = outbox(wire, Owner())
    flusher.share({"1": box}, Frame("all"))
    box.close()
    assert wire.payloads == ["all"]


async def test_who_subscribes_in_the_turn_of_a_message_is_not_sent_it_and_who_leaves_is() -> None:
    async with running(node := cable([Feed])):
        leaving, coming = await client(node, V1), await client(node, V1)
        await subscribe(leaving, FEED)
        stream = node.hub.streams["feed"]
        key, audience = next(iter(stream.audiences.items()))
        held = leaving.connection.subscriptions[FEED].attachments["feed"]
        await node.broadcast("feed", 1)
        stream.remove(held)
        assert next(frame.payload for frame in leaving.connection.outbox.frames).startswith('{"identifier"')
        stream.add(held)
        assert stream.audiences[key] == audience | {leaving.connection.id: leaving.connection.outbox}
        await node.broadcast("feed", 2)
        await subscribe(coming, FEED)
        await node.broadcast("feed", 3)
        await eventually(lambda: messages(coming, FEED) == [3])
        assert messages(leaving, FEED) == [1, 2, 3]


async def test_a_client_that_does_not_read_is_given_up_within_the_bound() -> None:
    wire, owner = FakeWire(), Owner()
    box, flusher, _ = outbox(wire, owner, outbox_bytes=1000)
    wire.unread_bytes = 10_000
    for _ in range(1000):
        box.push(Frame("x" * 100))
        flusher.flush()
        assert box.size <= 1100
    assert owner.told == ["overflowed"]
    # The wire is asked how it goes once a quarter of the bound has been handed over, and never less often.
    assert sum(len(payload) for payload in wire.payloads) <= 1000 // 4
    flusher.close()


async def test_dropping_the_oldest_keeps_the_newest_and_tells_when_the_client_reads_again() -> None:
    wire, owner = FakeWire(), Owner()
    box, flusher, _ = outbox(wire, owner, outbox_bytes=1000, slow_client="drop_oldest")
    wire.unread_bytes = 10_000
    box.push(Frame("0" * 100))
    flusher.flush()
    for number in range(1, 100):
        box.push(Frame(str(number) * 50))
    assert box.size <= 1100
    wire.unread_bytes = 0
    box.flush()
    assert wire.payloads[-1] == "99" * 50
    assert owner.told == ["overflowed", "recovered"]
    flusher.close()


async def test_a_slow_client_is_disconnected_and_the_others_are_served() -> None:
    async with running(node := cable([Feed], limits=CableLimits(outbox_bytes=2000))):
        slow, quick = await client(node, V1), await client(node, V1)
        await subscribe(slow, FEED)
        await subscribe(quick, FEED)
        slow.wire.unread_bytes = 100_000
        for number in range(100):
            await node.broadcast("feed", {"number": number, "text": "x" * 50})
        await eventually(lambda: len(messages(quick, FEED)) == 100)
        assert slow.wire.closed == (4410, "too_slow")
        assert node.stats.slow_clients == 1
        await eventually(lambda: len(node.connections) == 1)


async def test_a_client_whose_messages_were_dropped_is_told() -> None:
    limits = CableLimits(outbox_bytes=2000, slow_client="drop_oldest")
    async with running(node := cable([Feed], limits=limits)):
        slow = await client(node, EXT)
        await subscribe(slow, FEED)
        slow.wire.unread_bytes = 100_000
        for number in range(100):
            await node.broadcast("feed", {"number": number, "text": "x" * 50})
        slow.wire.unread_bytes = 0
        await eventually(lambda: "reject_history" in types(slow))
        assert messages(slow, FEED)[-1]["number"] == 99


@pytest.mark.parametrize(
    ("size", "header"),
    [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)],
)
def test_a_frame_has_the_header_of_its_length(size: int, header: int) -> None:
    text, data = websocket_frame("x" * size), websocket_frame(b"x" * size)
    assert (text[0], data[0]) == (0x81, 0x82)
    assert len(text) == len(data) == header + size
