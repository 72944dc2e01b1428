"""Ending background work for certain."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

__all__ = ["end_tasks"]

_AGAIN_SECONDS: Final = 1.0


async def end_tasks(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and wait until they have ended; what they raise is theirs.

    Args:
        tasks: Not the current one.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        # Once may not be enough: before Python 3.12, `asyncio.wait_for` could swallow a cancellation.
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
