"""Keys that are made in the process, and sort in the order in which they were made: UUIDv7 and ULID."""

import os
import secrets
import threading
import time
from typing import Final
from uuid import UUID

from sqlalchemy import String

#: ULIDs are ASCII: they are compared byte by byte, whatever language PostgreSQL sorts text in.
ULID_TYPE: Final = String(26).with_variant(String(26, collation="C"), "postgresql")

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_STEP_BITS: Final = 32


class GrowingNumbers:
    """Numbers of a time in milliseconds and random bits below it; each is greater than the one before.

    Within a millisecond, or when the clock goes back, the random bits grow by a random step (RFC 9562,
    6.2, method 2): the next key cannot be guessed from the last.

    Args:
        random_bits: How many random bits stand below the time.
    """

    def __init__(self, random_bits: int) -> None:
        self._bits = random_bits
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return the next number, also when several threads ask at once."""
        with self._lock:
            # The highest random bit is clear at first: there is room to grow within the millisecond.
            fresh = (time.time_ns() // 1_000_000 << self._bits) | secrets.randbits(self._bits - 1)
            if fresh >> self._bits <= self._last >> self._bits:
                fresh = self._last + 1 + secrets.randbits(_STEP_BITS)
            self._last = fresh
            return fresh

    def restart(self) -> None:
        """Forget the last number: a forked process must not go on from its parent's."""
        self._last = 0
        self._lock = threading.Lock()


_uuids: Final = GrowingNumbers(74)
_ulids: Final = GrowingNumbers(80)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_uuids.restart)
    os.register_at_fork(after_in_child=_ulids.restart)


def uuid7() -> UUID:
    """Make a UUID of version 7 (RFC 9562): it sorts behind all that this process has made before."""
    number = _uuids.next()
    milliseconds, random = number >> 74, number & ((1 << 74) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def ulid() -> str:
    """Make a ULID, 26 characters: it sorts behind all that this process has made before."""
    number = _ulids.next()
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
