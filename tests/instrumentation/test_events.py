"""Named events with timing."""

import asyncio
import logging
import threading

import pytest

from lineside.exceptions import ConfigurationError
from lineside.instrumentation import Event, Notifier, instrument, notifier, subscribe


@pytest.fixture
def hub() -> Notifier:
    return Notifier()


def test_a_block_is_told_with_its_time_and_payload(hub: Notifier) -> None:
    """An event carries its name, when and how long, and what the block added."""
    seen: list[Event] = []
    hub.subscribe("render.page", seen.append)
    with hub.instrument("render.page", template="home") as payload:
        assert seen == []
        payload["rows"] = 3
    [event] = seen
    assert event.name == "render.page"
    assert event.payload == {"template": "home", "rows": 3}
    assert event.duration >= 0
    assert event.started_at > 1_700_000_000
    assert event.error is None


def test_the_time_is_that_of_the_block(hub: Notifier) -> None:
    """The duration is in seconds and covers the whole block."""
    seen: list[Event] = []
    hub.subscribe("*", seen.append)
    with hub.instrument("wait"):
        threading.Event().wait(0.05)
    assert 0.045 <= seen[0].duration < 5


def test_an_error_is_told_and_goes_on(hub: Notifier) -> None:
    """The exception that ends a block is part of the event and reaches the caller."""
    seen: list[Event] = []
    hub.subscribe("work", seen.append)
    error = LookupError("gone")
    with pytest.raises(LookupError), hub.instrument("work"):
        raise error
    assert seen[0].error is error


def test_it_works_around_awaits(hub: Notifier) -> None:
    """The same context manager times a block of async code; two of them do not mix."""
    seen: list[Event] = []
    hub.subscribe("*", seen.append)

    async def work(number: int, gate: asyncio.Event) -> None:
        with hub.instrument("work", number=number):
            await gate.wait()

    async def main() -> None:
        gates = [asyncio.Event(), asyncio.Event()]
        tasks = [asyncio.create_task(work(number, gate)) for number, gate in enumerate(gates)]
        await asyncio.sleep(0)
        gates[1].set()
        await tasks[1]
        gates[0].set()
        await tasks[0]

    asyncio.run(main())
    assert [event.payload["number"] for event in seen] == [1, 0]


@pytest.mark.parametrize(
    ("pattern", "heard"),
    [
        ("sql.query", ["sql.query"]),
        ("sql.*", ["sql.query", "sql.query.slow"]),
        ("*", ["sql.query", "sql.query.slow", "sqlite", "other"]),
        ("nobody", []),
    ],
)
def test_a_pattern_chooses_events(hub: Notifier, pattern: str, heard: list[str]) -> None:
    """A pattern is a name, a prefix with a star, or a star."""
    seen: list[Event] = []
    hub.subscribe(pattern, seen.append)
    for name in ("sql.query", "sql.query.slow", "sqlite", "other"):
        with hub.instrument(name):
            pass
    assert [event.name for event in seen] == heard
    assert hub.listens("sql.query") is ("sql.query" in heard)


@pytest.mark.parametrize("pattern", ["", "a*", "a.*.b", "**", "*.a"])
def test_a_pattern_of_another_form_is_refused(hub: Notifier, pattern: str) -> None:
    """A pattern that would never match is an error where it is written."""
    with pytest.raises(ConfigurationError, match="pattern"):
        hub.subscribe(pattern, print)


def test_an_async_subscriber_is_refused(hub: Notifier) -> None:
    """A coroutine that nobody awaits would be lost silently."""

    async def later(event: Event) -> None: ...

    with pytest.raises(ConfigurationError, match="queue"):
        hub.subscribe("*", later)


def test_a_subscription_ends(hub: Notifier) -> None:
    """Unsubscribing, or leaving the block of a subscription, ends it; twice does no harm."""
    seen: list[Event] = []
    with hub.subscribe("*", seen.append) as subscription, hub.instrument("inside"):
        pass
    subscription.unsubscribe()
    with hub.instrument("outside"):
        pass
    assert [event.name for event in seen] == ["inside"]
    assert not hub.listens("inside")


def test_the_same_function_may_subscribe_twice(hub: Notifier) -> None:
    """Ending one of two subscriptions of a function leaves the other."""
    seen: list[Event] = []
    first, _second = hub.subscribe("a", seen.append), hub.subscribe("a", seen.append)
    first.unsubscribe()
    with hub.instrument("a"):
        pass
    assert len(seen) == 1


def test_a_failing_subscriber_disturbs_nobody(hub: Notifier, caplog: pytest.LogCaptureFixture) -> None:
    """What a subscriber raises is logged; the work and the other subscribers go on."""
    seen: list[Event] = []

    def fails(event: Event) -> None:
        raise RuntimeError("listener broke")

    hub.subscribe("work", fails)
    hub.subscribe("work", seen.append)
    with caplog.at_level(logging.ERROR, logger="lineside.instrumentation"), hub.instrument("work"):
        pass
    assert len(seen) == 1
    assert "a subscriber of work failed" in caplog.text
    assert "listener broke" in caplog.text


def test_subscribers_in_a_circle_come_to_an_end(hub: Notifier, caplog: pytest.LogCaptureFixture) -> None:
    """A subscriber that causes the event it listens to is stopped and named in the log."""
    calls = 0

    def again(event: Event) -> None:
        nonlocal calls
        calls += 1
        with hub.instrument("again"):
            pass

    hub.subscribe("again", again)
    with hub.instrument("again"):
        pass
    assert calls == 8
    assert "circle" in caplog.text
    with hub.instrument("again"):
        pass
    assert calls == 16


def test_notifiers_are_apart(hub: Notifier) -> None:
    """Two apps in one process, each with a notifier, do not hear each other."""
    mine: list[Event] = []
    theirs: list[Event] = []
    hub.subscribe("*", mine.append)
    with subscribe("*", theirs.append), hub.instrument("mine"), instrument("theirs"):
        pass
    assert [event.name for event in mine] == ["mine"]
    assert [event.name for event in theirs] == ["theirs"]
    assert not notifier.listens("theirs")


def test_a_block_that_began_unheard_stays_unheard(hub: Notifier) -> None:
    """Who subscribes in the middle of a block hears from the next one on."""
    seen: list[Event] = []
    with hub.instrument("work"):
        hub.subscribe("work", seen.append)
    assert seen == []


def test_names_made_up_by_the_thousand_are_not_kept(hub: Notifier) -> None:
    """A program that puts data into names does not fill the memory."""
    hub.subscribe("*", lambda event: None)
    for number in range(5_000):
        with hub.instrument(f"user.{number}"):
            pass
    assert len(hub._by_name) <= 1_000


def test_payload_may_have_any_key(hub: Notifier) -> None:
    """Keys like name and self are free for the payload."""
    seen: list[Event] = []
    hub.subscribe("*", seen.append)
    with hub.instrument("work", name="x", self="y", payload=1):
        pass
    assert seen[0].payload == {"name": "x", "self": "y", "payload": 1}


def test_an_event_timed_elsewhere_is_told(hub: Notifier) -> None:
    """Code with a clock of its own publishes the event itself; without listeners nothing happens."""
    event = Event("queue.wait", 1_700_000_000.0, 2.5, {"queue": "mail"})
    hub.publish(event)
    seen: list[Event] = []
    hub.subscribe("queue.*", seen.append)
    hub.publish(event)
    assert seen == [event]
