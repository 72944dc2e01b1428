"""A client that comes back sees every message once and in order, or is told that it cannot."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.bus import BusUnavailable, HistoryLimits, Slice
from lineside.cable import Cable, CableLimits, Channel
from tests.cable.core.cables import EXT, cable, client, identifier, messages, subscribe, types
from tests.cable.fakes import FakeClient, eventually, running

FEED = identifier("Feed")

pytestmark = pytest.mark.anyio


class Feed(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("feed")


class Secretive(Channel):
    public = True

    async def subscribed(self, since: float) -> None:
        await self.stream_from("feed", history_since=since)


class Forgetful(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("feed", history=False)


def position(connected: FakeClient, name: str = FEED) -> dict[str, Any]:
    """Return what a client that resumes sends: the position of the last message it has shown."""
    last = [frame for frame in connected.frames() if frame.get("identifier") == name and "offset" in frame][
        -1
    ]
    return {"streams": {last["stream_id"]: {"epoch": last["epoch"], "offset": last["offset"]}}}


async def publish(node: Cable, *values: Any) -> None:
    for value in values:
        await node.broadcast("feed", value)


async def outcome(connected: FakeClient) -> str:
    frame = await connected.receive(lambda each: str(each.get("type")).endswith("_history"))
    return str(frame["type"])


async def seen_first(node: Cable) -> FakeClient:
    alice = await client(node, EXT)
    await subscribe(alice, FEED)
    await publish(node, 1, 2)
    await alice.receive(lambda frame: frame.get("message") == 2)
    await alice.close()
    return alice


async def test_what_was_missed_comes_behind_the_confirmation_and_in_front_of_what_is_new() -> None:
    async with running(node := cable([Feed])):
        before = await seen_first(node)
        await publish(node, 3, 4)
        again = await client(node, EXT)
        await subscribe(again, FEED, history=position(before))
        await publish(node, 5)
        await again.receive(lambda frame: frame.get("message") == 5)
        assert messages(again, FEED) == [3, 4, 5]
        assert types(again) == [
            "welcome",
            "confirm_subscription",
            "message",
            "message",
            "confirm_history",
            "message",
        ]


async def test_a_live_message_never_overtakes_the_replay() -> None:
    """The server re-attaches the streams before it reads the log: what comes in between has to wait."""
    async with running(node := cable([Feed])):
        before = await seen_first(node)
        await publish(node, 3, 4)
        reading, go_on = asyncio.Event(), asyncio.Event()
        read = node.bus.read

        async def slow_read(*args: Any, **kwargs: Any) -> Slice:
            found = await read(*args, **kwargs)
            reading.set()
            await go_on.wait()
            return found

        node.bus.read = slow_read  # type: ignore[method-assign]
        again = await client(node, EXT)
        await again.send({"command": "subscribe", "identifier": FEED, "history": position(before)})
        await asyncio.wait_for(reading.wait(), 10)
        await publish(node, 5, 6)
        go_on.set()
        await again.receive(lambda frame: frame.get("message") == 6)
        assert messages(again, FEED) == [3, 4, 5, 6]


async def test_a_log_of_another_epoch_is_told() -> None:
    async with running(node := cable([Feed])):
        before = await seen_first(node)
        wanted = position(before)
        wanted["streams"]["feed"]["epoch"] = "of-another-life"
        again = await client(node, EXT)
        await subscribe(again, FEED, history=wanted)
        assert await outcome(again) == "reject_history"
        assert messages(again, FEED) == []
        await publish(node, 3)
        await again.receive(lambda frame: frame.get("message") == 3)


async def test_messages_that_have_been_dropped_are_told_and_no_part_of_the_rest_is_sent() -> None:
    limits = CableLimits(history=HistoryLimits(messages=3, age_seconds=300))
    async with running(node := cable([Feed], limits=limits)):
        before = await seen_first(node)
        await publish(node, *range(3, 9))
        again = await client(node, EXT)
        await subscribe(again, FEED, history=position(before))
        assert await outcome(again) == "reject_history"
        assert messages(again, FEED) == []


async def test_a_position_in_the_future_is_told() -> None:
    async with running(node := cable([Feed])):
        before = await seen_first(node)
        wanted = position(before)
        wanted["streams"]["feed"]["offset"] += 1000
        again = await client(node, EXT)
        await subscribe(again, FEED, history=wanted)
        assert await outcome(again) == "reject_history"


async def test_nobody_reads_what_was_said_before_they_might_listen() -> None:
    now = 1_000_000.0
    async with running(node := cable([Feed, Secretive], clock=lambda: now)):
        before = await seen_first(node)
        late = identifier("Secretive", since=4_000_000_000)
        again = await client(node, EXT)
        await subscribe(
            again, late, history={"streams": {"feed": {**position(before)["streams"]["feed"], "offset": 0}}}
        )
        assert await outcome(again) == "reject_history"
        assert messages(again, late) == []


async def test_a_channel_that_keeps_its_history_to_itself_says_so() -> None:
    async with running(node := cable([Feed, Forgetful])):
        before = await seen_first(node)
        name = identifier("Forgetful")
        again = await client(node, EXT)
        await subscribe(again, name, history=position(before))
        assert await outcome(again) == "reject_history"


async def test_what_is_missed_while_more_waits_than_may_is_told() -> None:
    async with running(node := cable([Feed], limits=CableLimits(held_messages=2))):
        before = await seen_first(node)
        reading, go_on = asyncio.Event(), asyncio.Event()
        read = node.bus.read

        async def slow_read(*args: Any, **kwargs: Any) -> Slice:
            reading.set()
            await go_on.wait()
            return await read(*args, **kwargs)

        node.bus.read = slow_read  # type: ignore[method-assign]
        again = await client(node, EXT)
        await again.send({"command": "subscribe", "identifier": FEED, "history": position(before)})
        await asyncio.wait_for(reading.wait(), 10)
        await publish(node, *range(3, 9))
        go_on.set()
        assert await outcome(again) == "reject_history"


@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["publish", "cut", "return", "turn"]), max_size=40))
def test_whatever_happens_in_whatever_order_each_message_is_shown_once(steps: list[str]) -> None:
    asyncio.run(_story(steps))


async def _story(steps: list[str]) -> None:
    async with running(node := cable([Feed])):
        shown: list[Any] = []
        alice: FakeClient | None = await client(node, EXT)
        assert alice is not None
        await subscribe(alice, FEED)
        await publish(node, 0)
        await alice.receive(lambda frame: frame.get("message") == 0)
        number, known = 0, position(alice)
        for step in [*steps, "return"]:
            if step == "publish":
                number += 1
                await publish(node, number)
            elif step == "turn":
                await asyncio.sleep(0)
            elif step == "cut" and alice is not None:
                shown += messages(alice, FEED)
                known = position(alice) if messages(alice, FEED) else known
                await alice.close()
                alice = None
            elif step == "return" and alice is None:
                alice = await client(node, EXT)
                await alice.send({"command": "subscribe", "identifier": FEED, "history": known})
        last = number
        await eventually(lambda: last in [*shown, *messages(alice, FEED)])
        assert [*shown, *messages(alice, FEED)] == list(range(last + 1))


async def test_a_history_larger_than_an_outbox_comes_as_fast_as_its_client_reads() -> None:
    limits = CableLimits(outbox_bytes=4_000, history=HistoryLimits(messages=100))
    async with running(node := cable([Feed], limits=limits)):
        before = await seen_first(node)
        await publish(node, *("x" * 500 for _ in range(60)))
        again = await client(node, EXT)
        again.wire.unread_bytes = 2_000
        await again.send({"command": "subscribe", "identifier": FEED, "history": position(before)})
        await eventually(lambda: again.connection.outbox.crowded)
        await publish(node, "new")
        again.wire.unread_bytes = 0
        await again.receive(lambda frame: frame.get("message") == "new")
        assert messages(again, FEED) == [*["x" * 500] * 60, "new"]


async def test_a_client_that_reads_nothing_of_its_history_is_too_slow() -> None:
    limits = CableLimits(outbox_bytes=4_000, close_seconds=0.05, history=HistoryLimits(messages=100))
    async with running(node := cable([Feed], limits=limits)):
        before = await seen_first(node)
        await publish(node, *("x" * 500 for _ in range(60)))
        again = await client(node, EXT)
        again.wire.unread_bytes = 10_000
        await again.send({"command": "subscribe", "identifier": FEED, "history": position(before)})
        await eventually(lambda: again.wire.closed == (4410, "too_slow"))


async def test_a_history_that_nobody_can_read_now_is_asked_for_again_later() -> None:
    """A rejection would say that messages are lost, and they are not."""
    async with running(node := cable([Feed])):
        before = await seen_first(node)
        await publish(node, 3)
        read = node.bus.read

        async def unavailable(*args: Any, **kwargs: Any) -> Slice:
            raise BusUnavailable("the bus is away")

        node.bus.read = unavailable  # type: ignore[method-assign]
        again = await client(node, EXT)
        await subscribe(again, FEED, history=position(before))
        left = await again.receive(lambda frame: frame.get("type") == "disconnect")
        assert (left["reason"], left["reconnect"], again.wire.closed) == (
            "unavailable",
            True,
            (1013, "unavailable"),
        )
        assert "reject_history" not in types(again)
        node.bus.read = read  # type: ignore[method-assign]
        third = await client(node, EXT)
        await subscribe(third, FEED, history=position(before))
        assert (await outcome(third), messages(third, FEED)) == ("confirm_history", [3])
