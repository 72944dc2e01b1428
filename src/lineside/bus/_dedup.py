"""Which messages have been seen, bounded in time and in number."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

__all__ = ["Seen"]


class Seen:
    """Remembers keys for a while. Checking and marking is one step, so that two tasks cannot both be first.

    Args:
        seconds: How long a key is remembered.
        size: How many are; beyond that the oldest are forgotten.
        clock: Returns seconds that never go back.
    """

    __slots__ = ("_clock", "_keys", "_seconds", "_size")

    def __init__(
        self, *, seconds: float = 120.0, size: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._keys: OrderedDict[Hashable, float] = OrderedDict()

    def add(self, key: Hashable) -> bool:
        """Mark a key as seen, and tell whether it was not before."""
        keys, now = self._keys, self._clock()
        seen_at = keys.get(key)
        if seen_at is not None and now - seen_at < self._seconds:
            return False
        keys[key] = now
        if seen_at is not None:
            keys.move_to_end(key)
        # Two for each one that comes: what is old goes, and no call pays for many.
        for _ in range(2):
            oldest = next(iter(keys))
            if len(keys) <= self._size and now - keys[oldest] < self._seconds:
                break
            del keys[oldest]
        return True

    def discard(self, key: Hashable) -> None:
        """Forget a key."""
        self._keys.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        seen_at = self._keys.get(key)
        return seen_at is not None and self._clock() - seen_at < self._seconds

    def __len__(self) -> int:
        return len(self._keys)
