"""Methods that run again and again while a client is subscribed."""

import asyncio
import logging
from typing import Any

import pytest

from lineside.cable import Channel, periodically, rescue_from
from tests.cable.channels.fakes import Opened, opened, subscribed

pytestmark = pytest.mark.anyio


class Ticking(Channel):
    public = True

    def __init__(self) -> None:
        self.runs = 0
        self.running = 0
        self.most = 0
        self.reached = asyncio.Event()
        self.goal = 3
        self.gate: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.cancelled = False

    async def subscribed(self, reject: bool = False) -> None:
        if reject:
            self.reject()

    @periodically(0.001)
    async def tick(self) -> None:
        self.runs += 1
        self.running += 1
        self.most = max(self.most, self.running)
        self.entered.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.running -= 1
        if self.runs >= self.goal:
            self.reached.set()

    async def act(self) -> int:
        return self.running


def instance(channel: Opened) -> Any:
    return channel.port._channel


async def reached(channel: Opened) -> None:
    async with asyncio.timeout(30):
        await instance(channel).reached.wait()


async def test_it_runs_again_and_again_and_never_beside_itself() -> None:
    """The next run waits for this one."""
    channel = await subscribed(Ticking)
    await reached(channel)
    assert instance(channel).most == 1
    await channel.port.unsubscribe()


async def test_it_stops_with_the_subscription() -> None:
    """Nothing is left on the loop, not even what runs just now."""
    channel = opened(Ticking)
    instance(channel).gate = asyncio.Event()
    await channel.port.subscribe()
    async with asyncio.timeout(30):
        await instance(channel).entered.wait()
    await channel.port.unsubscribe()
    assert instance(channel).cancelled
    assert instance(channel).running == 0
    timers = channel.port._timers
    assert timers is not None
    assert not timers._handles
    assert not timers._tasks


async def test_it_does_not_begin_for_a_rejected_subscription() -> None:
    """Nobody would get what it transmits."""
    channel = await subscribed(Ticking, params={"reject": True})
    assert channel.port._timers is not None
    assert not channel.port._timers._handles
    await channel.port.unsubscribe()


async def test_an_action_waits_for_a_run() -> None:
    """Both use the attributes of one object: they take turns."""
    channel = opened(Ticking)
    gate = instance(channel).gate = asyncio.Event()
    await channel.port.subscribe()
    async with asyncio.timeout(30):
        await instance(channel).entered.wait()
    acting = asyncio.ensure_future(channel.port.perform("act", {}))
    await asyncio.sleep(0)
    assert not acting.done()
    gate.set()
    assert await acting == 0
    await channel.port.unsubscribe()


async def test_a_failing_run_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    """One error does not end a timer."""

    class Fails(Ticking):
        @periodically(0.001)
        async def tick(self) -> None:
            await super().tick()
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "lineside.cable"):
        channel = await subscribed(Fails)
        await reached(channel)
        await channel.port.unsubscribe()
    assert "Fails.tick failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_failing_run_is_rescued(caplog: pytest.LogCaptureFixture) -> None:
    """As an action's error is."""

    class Rescued(Ticking):
        @periodically(0.001)
        async def tick(self) -> None:
            raise KeyError("x")

        @rescue_from(KeyError)
        async def rescue(self, error: KeyError) -> None:
            self.runs += 1
            if self.runs >= self.goal:
                self.reached.set()

    channel = await subscribed(Rescued)
    await reached(channel)
    await channel.port.unsubscribe()
    assert not caplog.records


async def test_a_thousand_waiting_subscriptions_have_no_task() -> None:
    """Waiting is an entry in the loop's heap."""

    class Slow(Channel):
        public = True

        @periodically(3600)
        async def tick(self) -> None: ...

    before = len(asyncio.all_tasks())
    channels = [opened(Slow) for _ in range(1_000)]
    for channel in channels:
        await channel.port.subscribe()
    assert len(asyncio.all_tasks()) == before
    for channel in channels:
        await channel.port.unsubscribe()
