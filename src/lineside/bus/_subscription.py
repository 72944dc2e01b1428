"""What a subscriber holds."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

from lineside.bus._errors import SlowConsumerError
from lineside.bus._message import Discontinuity, Message, Position

__all__ = ["BusSubscription", "Listener", "MessageQueue", "Registration"]

Listener = Callable[[Message | Discontinuity], None]
"""Is called on the event loop with each message, in order; it does not wait. What it raises is logged."""


class BusSubscription:
    """A listener's place on a stream.

    Args:
        stream: The stream's name.
        listener: Is called with each message.
        position: The position at the time.
        release: Takes the place away.

    Attributes:
        stream: The stream's name.
        position: What stands up to here is not delivered to this listener, everything behind it is. None
            for a stream without history.
        closed: Nothing is delivered any more.
    """

    __slots__ = ("_release", "closed", "listener", "position", "stream")

    def __init__(
        self,
        stream: str,
        listener: Listener,
        position: Position | None,
        release: "Callable[[BusSubscription], Awaitable[None]]",
    ) -> None:
        self.stream: str = stream
        self.listener: Listener = listener
        self.position: Position | None = position
        self.closed: bool = False
        self._release = release

    async def close(self) -> None:
        """Deliver nothing more, from now on; a second call does nothing."""
        if not self.closed:
            self.closed = True
            await self._release(self)


class Registration:
    """A function's place among those that are told.

    Args:
        functions: Where it is kept.
        function: The function.
    """

    __slots__ = ("_function", "_functions")

    def __init__(
        self, functions: "dict[Registration, Callable[..., object]]", function: Callable[..., object]
    ) -> None:
        self._functions = functions
        self._function = function
        functions[self] = function

    def close(self) -> None:
        """Tell it nothing more; a second call does nothing."""
        self._functions.pop(self, None)


class MessageQueue:
    """A stream's messages for ``async for``, with a bound.

    Args:
        max_pending: How many messages may wait to be taken.
    """

    def __init__(self, max_pending: int) -> None:
        self._max_pending = max_pending
        self._pending: deque[Message | Discontinuity] = deque()
        self._overflowed = False
        self._arrived = asyncio.Event()

    def put(self, message: Message | Discontinuity) -> None:
        """Add a message; one too many ends the iteration with an error.

        Args:
            message: The message.
        """
        if self._overflowed:
            return
        if len(self._pending) >= self._max_pending:
            self._overflowed = True
        else:
            self._pending.append(message)
        self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message | Discontinuity:
        """Return the next message; waits until there is one.

        Raises:
            SlowConsumerError: More messages came than may wait. Those that waited have been returned.
        """
        while not self._pending:
            if self._overflowed:
                raise SlowConsumerError(
                    f"more than {self._max_pending} messages waited to be taken, and the next was dropped; "
                    "take them faster, raise max_pending, or read what is missing from the history"
                )
            self._arrived.clear()
            await self._arrived.wait()
        return self._pending.popleft()
