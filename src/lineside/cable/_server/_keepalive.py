"""Pings to peers that are silent, on one timer for all: a timer for each would cost more than the peer."""

import asyncio
from typing import Final, Protocol

__all__ = ["Keepalive", "Kept"]

_SLICES: Final = 16


class Kept(Protocol):
    """A connection that is asked whether it lives."""

    def ask(self) -> None:
        """Ping the peer if it was silent since the last call; give it up if it did not answer that one."""
        ...


class Keepalive:
    """Asks every connection once an interval, a part of them at a time.

    The timer runs while there are connections.

    Args:
        interval_seconds: How often each is asked. A dead peer is noticed after two to three intervals.
    """

    __slots__ = ("_due", "_interval", "_next", "_slices", "_timer")

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds / _SLICES
        self._slices: list[set[Kept]] = [set() for _ in range(_SLICES)]
        self._next = 0
        self._due = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, kept: Kept) -> int:
        """Begin to ask a connection.

        Args:
            kept: The connection.

        Returns:
            Where it is kept, for `remove`.
        """
        self._next = (self._next + 1) % _SLICES
        self._slices[self._next].add(kept)
        if self._timer is None:
            self._schedule()
        return self._next

    def remove(self, kept: Kept, place: int) -> None:
        """Stop asking a connection.

        Args:
            kept: The connection.
            place: What `add` returned.
        """
        self._slices[place].discard(kept)
        if self._timer is not None and not any(self._slices):
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)

    def _tick(self) -> None:
        self._due = (self._due + 1) % _SLICES
        self._schedule()
        for kept in list(self._slices[self._due]):
            kept.ask()
