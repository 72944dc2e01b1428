"""What was broadcast to a stream, and who is present on it (Rails' ``ActionCable::TestHelper``)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from lineside.bus import Discontinuity, Message, Position
from lineside.cable._protocol._message import KIND
from lineside.strict_json import dumps, loads
from lineside.testing._cable_target import cable_of
from lineside.testing._compare import first_difference

__all__ = ["assert_broadcast_on", "assert_broadcasts", "assert_no_broadcasts", "broadcasts", "present_on"]

_DEADLINE_SECONDS: Final = 5.0
_SHOWN: Final = 600


async def broadcasts(app_or_cable: Any, stream: str) -> list[Any]:
    """Return the messages of a stream that are kept, oldest first (Rails' ``broadcasts``).

    What was broadcast with ``history=False`` is not among them.

    Args:
        app_or_cable: The cable, or an app that runs one.
        stream: The stream's name; of a record ``ChatChannel.broadcasting_for(room)``.

    Raises:
        UnsupportedByBackendError: The bus keeps no history.
    """
    kept = await cable_of(app_or_cable).bus.read(stream)
    return [loads(message.data) for message in kept.messages if KIND not in message.headers]


async def present_on(app_or_cable: Any, stream: str) -> Mapping[str, Any]:
    """Return who is present on a stream, on any node: the info of each, by id.

    Args:
        app_or_cable: The cable, or an app that runs one.
        stream: The stream's name.

    Raises:
        UnsupportedByBackendError: The bus has no presence.
    """
    members = await cable_of(app_or_cable).presence.members(stream)
    return {member.id: member.info.get("info") for member in members}


@asynccontextmanager
async def assert_broadcasts(app_or_cable: Any, stream: str, count: int) -> AsyncGenerator[list[Any]]:
    """Fail unless so many messages are broadcast to a stream in the block (Rails' ``assert_broadcasts``).

        async with assert_broadcasts(app, "room:1", 1):
            await chat.perform("speak", text="Hello")

    What a client whispers to the stream counts, too; who comes and goes does not.

    Args:
        app_or_cable: The cable, or an app that runs one.
        stream: The stream's name; of a record ``ChatChannel.broadcasting_for(room)``.
        count: How many.

    Yields:
        The messages, as they come.

    Raises:
        AssertionError: There are more or fewer; they are listed.
    """
    async with _watching(app_or_cable, stream) as found:
        yield found
    if len(found) != count:
        raise AssertionError(f"expected {count} broadcasts to {stream!r}, got {len(found)}{_listed(found)}")


def assert_no_broadcasts(app_or_cable: Any, stream: str) -> AbstractAsyncContextManager[list[Any]]:
    """Fail if anything is broadcast to a stream in the block; see `assert_broadcasts`."""
    return assert_broadcasts(app_or_cable, stream, 0)


@asynccontextmanager
async def assert_broadcast_on(app_or_cable: Any, stream: str, message: Any) -> AsyncGenerator[list[Any]]:
    """Fail unless a message is broadcast to a stream in the block (Rails' ``assert_broadcast_on``).

        async with assert_broadcast_on(app, "room:1", {"text": "Hello"}):
            await chat.perform("speak", text="Hello")

    Args:
        app_or_cable: The cable, or an app that runs one.
        stream: The stream's name; of a record ``ChatChannel.broadcasting_for(room)``.
        message: What it must be equal to, as JSON.

    Yields:
        The messages, as they come.

    Raises:
        AssertionError: None is; those that came are listed.
    """
    async with _watching(app_or_cable, stream) as found:
        yield found
    expected = loads(dumps(message))
    differences = [first_difference(expected, each, subset=False) for each in found]
    if None in differences:
        return
    only = f": {differences[0]}" if len(found) == 1 else ""
    raise AssertionError(f"expected {expected!r} to be broadcast to {stream!r}{only}{_listed(found)}")


@asynccontextmanager
async def _watching(app_or_cable: Any, stream: str) -> AsyncGenerator[list[Any]]:
    cable = cable_of(app_or_cable)
    watch = _Watch()
    kept = cable.limits.history.messages > 0 and cable.bus.history is not None
    subscription = await cable.bus.subscribe(stream, watch.take, history=kept)
    try:
        watch.begin(subscription.position)
        yield watch.found
        if kept:
            newest = await cable.bus.read(stream, limit=0)
            await watch.reach(newest.last_offset)
    finally:
        await subscription.close()


class _Watch:
    """Listens to a stream.

    A message that is not kept arrives before its publisher goes on; one that is kept arrives in its turn.
    """

    def __init__(self) -> None:
        self.found: list[Any] = []
        self._offset = 0
        self._changed = asyncio.Event()

    def begin(self, position: Position | None) -> None:
        if position is not None:
            self._offset = max(self._offset, position.offset)

    def take(self, message: Message | Discontinuity) -> None:
        if isinstance(message, Discontinuity):
            self._offset = message.last_offset
        else:
            if KIND not in message.headers:
                self.found.append(loads(message.data))
            if message.position is not None:
                self._offset = message.position.offset
        self._changed.set()

    async def reach(self, offset: int) -> None:
        """Wait until everything that is in the log has arrived."""
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                while self._offset < offset:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"the bus has more messages, which did not arrive in {_DEADLINE_SECONDS:g} s"
            ) from None


def _listed(found: list[Any]) -> str:
    return "".join(f"\n  {each!r:.{_SHOWN}}" for each in found)
