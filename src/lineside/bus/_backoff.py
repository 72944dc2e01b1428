"""How long to wait before the next attempt to reach a server."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lineside.bus._errors import BusUnavailable

__all__ = ["Backoff", "persist"]

_T = TypeVar("_T")


class Backoff:
    """Waits that double up to a bound, each shortened at random so that nodes do not come all at once.

    Args:
        first: The first wait, in seconds.
        longest: The bound, in seconds.
        uniform: Draws a number between two others; for tests.
    """

    __slots__ = ("_first", "_longest", "_next", "_uniform")

    def __init__(
        self,
        first: float = 0.05,
        longest: float = 0.95,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first = self._next = first
        self._longest = longest
        self._uniform = uniform

    def next(self) -> float:
        """Return how many seconds to wait now; the next wait is longer."""
        wait = self._next
        self._next = min(wait * 2, self._longest)
        return self._uniform(wait * 0.85, wait)

    def reset(self) -> None:
        """Begin anew, after an attempt that went well."""
        self._next = self._first


async def persist(
    attempt: Callable[[], Awaitable[_T]], *, until: float, failed: Callable[[], None] | None = None
) -> tuple[_T, int]:
    """Do something that may be done twice, until it succeeds; tell how many attempts it took.

    Args:
        attempt: Does it once.
        until: When to give up, by the event loop's clock.
        failed: Is called after each attempt that did not succeed.

    Raises:
        BusUnavailable: No attempt succeeded in time; it is the last one's.
    """
    loop, backoff, attempts = asyncio.get_running_loop(), Backoff(), 0
    while True:
        attempts += 1
        try:
            return await attempt(), attempts
        except BusUnavailable:
            if failed is not None:
                failed()
            wait = backoff.next()
            if loop.time() + wait >= until:
                raise
            await asyncio.sleep(wait)
