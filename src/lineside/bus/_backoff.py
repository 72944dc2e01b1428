"""How long to wait before the next attempt to reach a server."""

import random
from collections.abc import Callable

__all__ = ["Backoff"]


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
