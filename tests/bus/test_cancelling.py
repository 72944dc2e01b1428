"""Deadlines and endings hold although a client swallows a cancellation, as it may before Python 3.12."""

import asyncio

import pytest

from lineside.bus import BusUnavailable, _tasks
from lineside.bus._redis._commands import Errors, RedisCommands

pytestmark = pytest.mark.anyio


async def stubborn(times: int) -> None:
    """Wait for ever, and overhear so many cancellations."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def test_a_task_that_overhears_a_cancellation_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told again."""
    monkeypatch.setattr(_tasks, "_AGAIN_SECONDS", 0.01)
    tasks = [asyncio.create_task(stubborn(3)), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    await _tasks.end_tasks(tasks)
    assert all(task.done() for task in tasks)
    await _tasks.end_tasks([])


@pytest.mark.parametrize("where", ["work", "waiting"])
async def test_a_deadline_holds_although_its_cancellation_is_overheard(where: str) -> None:
    """The next step begins too late, and is not begun."""

    async def work() -> None:
        if where == "work":
            await stubborn(1)
        raise ConnectionError("away")

    async def until_connected() -> None:
        if where == "waiting":
            await stubborn(1)

    commands = RedisCommands(
        None,
        prefix="p:",
        errors=Errors(refused=(), passing=(OSError,), other=()),
        deadline_seconds=0.2,
        until_connected=until_connected,
    )
    async with asyncio.timeout(10):
        with pytest.raises(BusUnavailable, match=r"within 0\.2 s \(away\)"):
            await commands.call(work)
