"""What has arrived at a client, and waiting for more of it within a deadline."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from lineside.cable.codecs import Event, PingEvent, PongEvent

__all__ = ["Inbox"]

_Found = TypeVar("_Found")
_SHOWN_EVENTS: Final = 10
_SHOWN_CHARS: Final = 300


class Inbox:
    """The events of one client, in the order in which they came.

    Args:
        deadline_seconds: How long something that is waited for may take.

    Attributes:
        events: All of them, without pings.
        deadline_seconds: As given.
        closed: With which code and reason the server has closed, once it has.
    """

    def __init__(self, deadline_seconds: float) -> None:
        self.events: list[Event] = []
        self.closed: tuple[int, str] | None = None
        self.deadline_seconds = deadline_seconds
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, event: Event) -> None:
        """Take an event."""
        if not isinstance(event, PingEvent):
            self.events.append(event)
            self._changed()

    def close(self, code: int, reason: str) -> None:
        """Take notice that nothing more comes."""
        if self.closed is None:
            self.closed = (code, reason)
            self._changed()

    async def until(self, look: Callable[[], _Found | None], what: str, *, since: int = 0) -> _Found:
        """Wait until there is something.

        Args:
            look: Returns it, or None.
            what: How a failure calls it.
            since: The number of the first event that a failure shows.

        Raises:
            AssertionError: It does not come; the message has what came in its place.
        """
        try:
            async with asyncio.timeout(self.deadline_seconds):
                while True:
                    found = look()
                    if found is not None:
                        return found
                    if self.closed is not None:
                        raise AssertionError(f"expected {what}, but {self._ending()}{self._shown(since)}")
                    await self._change()
        except TimeoutError:
            raise AssertionError(
                f"expected {what}, and waited {self.deadline_seconds:g} s{self._shown(since)}"
            ) from None

    async def event(self, matches: Callable[[Event], bool], what: str, *, since: int) -> Event:
        """Wait for an event.

        Args:
            matches: Tells whether one is it.
            what: How a failure calls it.
            since: The number of the first that may be it.
        """
        return await self.until(
            lambda: next((each for each in self.events[since:] if matches(each)), None), what, since=since
        )

    def _changed(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def _change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def _ending(self) -> str:
        assert self.closed is not None
        code, reason = self.closed
        return f"the connection was closed with {code} {reason!r}"

    def _shown(self, since: int) -> str:
        events: list[Any] = [each for each in self.events[since:] if not isinstance(each, PongEvent)]
        if not events:
            return "; nothing came in its place"
        shown = "".join(f"\n  {str(each)[:_SHOWN_CHARS]}" for each in events[-_SHOWN_EVENTS:])
        return f"; in its place came:{shown}"
