"""Watchers: called in order, with both values, whatever they do."""

import asyncio
import threading
from typing import Any

import pytest

from lineside.config import Config
from lineside.exceptions import ConfigurationError


def config_of(**values: Any) -> Config:
    return Config.from_dict(values)


def test_a_watcher_sees_old_and_new() -> None:
    """It is called when the value changed, with None for no value, and not when it did not."""
    config = config_of(a=1)
    seen: list[tuple[Any, Any]] = []
    config.watch("a", lambda old, new: seen.append((old, new)))
    config.watch("b.c", lambda old, new: seen.append((old, new)))
    config.set("a", 2)
    config.set("a", 2)
    config.set("b.c", 3)
    assert seen == [(1, 2), (None, 3)]


def test_a_section_is_watched() -> None:
    """A watcher of a section, or of everything, sees changes below it and no others."""
    config = config_of(db={"pool": 1}, other=1)
    seen: list[Any] = []
    config.watch("db", lambda old, new: seen.append((old["pool"], new["pool"])))
    config.watch("", lambda old, new: seen.append(new["other"]))
    config.set("other", 2)
    config.set("db.pool", 5)
    assert seen == [2, (1, 5), 2]


def test_a_stopped_watcher_is_silent() -> None:
    """After ``stop`` no call begins; stopping twice is fine."""
    config = config_of(a=1)
    seen: list[Any] = []
    watch = config.watch("a", lambda _old, new: seen.append(new))
    config.set("a", 2)
    watch.stop()
    watch.stop()
    config.set("a", 3)
    assert seen == [2]


def test_a_failing_watcher_does_not_silence_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged, without the secret it quotes, and the next watcher runs."""
    config = config_of(app={"token": "old-token-value"})
    seen: list[Any] = []

    def broken(old: Any, new: Any) -> None:
        raise RuntimeError(f"cannot go from {old} to {new}")

    config.watch("app.token", broken)
    config.watch("app.token", lambda _old, new: seen.append(new))
    config.set("app.token", "new-token-value")
    assert seen == ["new-token-value"]
    assert "cannot go from *** to ***" in caplog.text
    assert "token-value" not in caplog.text


def test_changes_arrive_in_order() -> None:
    """A change made by a watcher is told after the change that it watched, to everybody."""
    config = config_of(a=1, b=1)
    seen: list[Any] = []
    config.watch("a", lambda _old, new: config.set("b", new * 10))
    config.watch("a", lambda _old, new: seen.append(("a", new)))
    config.watch("b", lambda old, new: seen.append(("b", old, new)))
    config.set("a", 2)
    assert seen == [("a", 2), ("b", 1, 20)]


def test_watchers_that_run_in_circles_are_stopped(caplog: pytest.LogCaptureFixture) -> None:
    """A watcher that changes its own key ends after a bounded chain, with a word in the log."""
    config = config_of(a=0)
    config.watch("a", lambda _old, new: config.set("a", new + 1))
    config.set("a", 1)
    assert config.get_int("a") == 16
    assert "in a chain" in caplog.text
    config.set("a", 100)  # the chain is over: the next change is a first one again
    assert config.get_int("a") == 115


def test_changes_that_wait_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A watcher that changes thousands of keys at once is refused in time."""
    config = config_of(a=0)

    def flood(_old: Any, _new: Any) -> None:
        for number in range(1_200):
            config.set("b", number)

    config.watch("a", flood)
    config.set("a", 1)
    assert config.get_int("b") == 999
    assert "make the watchers faster" in caplog.text


def test_threads_lose_no_change() -> None:
    """Changes from many threads reach the watcher one at a time, each starting where the last one ended."""
    config = config_of(a=-1)
    seen: list[tuple[Any, Any]] = []
    config.watch("a", lambda old, new: seen.append((old, new)))
    threads = [threading.Thread(target=config.set, args=("a", n)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(seen) == 50
    assert [old for old, _ in seen] == [-1, *(new for _, new in seen[:-1])]


@pytest.mark.parametrize("key", ["", "a.", ".a", "a..b"])
def test_a_key_with_an_empty_part_is_refused(key: str) -> None:
    """``set`` names a malformed key."""
    with pytest.raises(ConfigurationError, match="not a dotted key"):
        config_of().set(key, 1)


def test_a_value_that_cannot_be_held_is_refused() -> None:
    """``set`` takes plain values, and a refusal changes nothing."""
    config = config_of(a=1)
    with pytest.raises(ConfigurationError, match="cannot hold"):
        config.set("a", object())
    assert config.get("a") == 1


def test_an_async_watcher_runs_without_a_loop() -> None:
    """In a script an async watcher runs to its end inside ``set``."""
    config = config_of(a=1)
    seen: list[Any] = []

    async def watcher(old: Any, new: Any) -> None:
        await asyncio.sleep(0)
        seen.append((old, new))

    config.watch("a", watcher)
    config.set("a", 2)
    assert seen == [(1, 2)]


class Recorder:
    """An object with an async ``__call__`` that can be held up."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, Any]] = []
        self.loops: set[Any] = set()
        self.go_on = asyncio.Event()
        self.called = asyncio.Event()

    async def __call__(self, old: Any, new: Any) -> None:
        self.seen.append((old, new))
        self.loops.add(asyncio.get_running_loop())
        self.called.set()
        await self.go_on.wait()


async def until(condition: Any) -> None:
    """Wait for a condition, one turn of the loop at a time."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a line in a log has no event to wait for
            await asyncio.sleep(0)


@pytest.mark.anyio
async def test_changes_during_an_async_call_become_one() -> None:
    """While the watcher is busy, later changes wait as one: oldest old value, newest new one."""
    config = config_of(a=0)
    recorder = Recorder()
    config.watch("a", recorder)
    for number in range(1, 6):
        config.set("a", number)
        await asyncio.wait_for(recorder.called.wait(), 10)
    recorder.go_on.set()
    await until(lambda: len(recorder.seen) == 2)
    assert recorder.seen == [(0, 1), (1, 5)]
    config.set("a", 6)
    await until(lambda: len(recorder.seen) == 3)


@pytest.mark.anyio
async def test_an_async_watcher_runs_on_its_own_loop() -> None:
    """A change from another thread calls the watcher on the loop that registered it."""
    config = config_of(a=0)
    recorder = Recorder()
    recorder.go_on.set()
    config.watch("a", recorder)
    await asyncio.to_thread(config.set, "a", 1)
    await asyncio.wait_for(recorder.called.wait(), 10)
    assert recorder.loops == {asyncio.get_running_loop()}


@pytest.mark.anyio
async def test_a_failing_async_watcher_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """An error ends one call, not the watching."""
    config = config_of(a=0)
    seen: list[Any] = []

    async def watcher(_old: Any, new: Any) -> None:
        seen.append(new)
        raise RuntimeError("no luck")

    config.watch("a", watcher)
    config.set("a", 1)
    await until(lambda: "no luck" in caplog.text)
    config.set("a", 2)
    await until(lambda: seen == [1, 2])


@pytest.mark.anyio
async def test_async_watchers_in_circles_are_stopped(caplog: pytest.LogCaptureFixture) -> None:
    """The bound on chains holds for async watchers too."""
    config = config_of(a=0)

    async def watcher(_old: Any, new: Any) -> None:
        config.set("a", new + 1)

    config.watch("a", watcher)
    config.set("a", 1)
    await until(lambda: "in a chain" in caplog.text)
    assert config.get_int("a") == 16


@pytest.mark.anyio
async def test_a_stopped_async_watcher_drops_what_waits() -> None:
    """A change that waits behind a running call is not delivered after ``stop``."""
    config = config_of(a=0)
    recorder = Recorder()
    watch = config.watch("a", recorder)
    config.set("a", 1)
    await asyncio.wait_for(recorder.called.wait(), 10)
    config.set("a", 2)
    watch.stop()
    recorder.go_on.set()
    await until(lambda: not watch._busy)
    assert recorder.seen == [(0, 1)]


def test_a_watcher_survives_the_end_of_its_loop() -> None:
    """A call that was cancelled with its loop does not block the next one."""
    config = config_of(a=0)
    recorder = Recorder()

    async def register_and_leave() -> None:
        config.watch("a", recorder)
        config.set("a", 1)
        await asyncio.wait_for(recorder.called.wait(), 10)  # it is in its call when the loop ends

    asyncio.run(register_and_leave())
    recorder.go_on.set()
    config.set("a", 2)
    assert recorder.seen == [(0, 1), (1, 2)]
