"""Two nodes of one app in one process, on one bus."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lineside.bus import Backend
from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable._cable import Cable
from lineside.cable._errors import UnknownChannelError
from tests.cable.fakes import running

ALL = ("read:message", "send:message", "create:room", "delete:room", "join:room", "leave:room")
"""Every permission that a client of these tests needs; no administrator's."""


class NoChannels:
    """No channel at all: these tests are about what a cable has beside them."""

    def parse(self, identifier: str) -> Any:
        """Take the whole identifier for the channel's name."""
        return identifier, {}

    def open(self, subscription: Any) -> Any:
        """Know none."""
        raise UnknownChannelError(f"there is no channel {subscription.channel!r}")


@pytest.fixture
def new_backend() -> Callable[[], Backend]:
    """Make backends of one store; tests of other servers replace this fixture."""
    broker = MemoryBroker()
    return lambda: MemoryBackend(broker)


@pytest.fixture
def new_cable(new_backend: Callable[[], Backend]) -> Callable[..., Cable]:
    """Make nodes of one app; they are not started."""

    def new(**options: Any) -> Cable:
        return Cable(NoChannels(), bus=new_backend(), **options)

    return new


@pytest.fixture
async def nodes(new_cable: Callable[..., Cable]) -> AsyncIterator[tuple[Cable, Cable]]:
    """Two nodes that run."""
    pair = new_cable(), new_cable()
    async with running(*pair):
        yield pair


@pytest.fixture
async def node(nodes: tuple[Cable, Cable]) -> Cable:
    """The first of the two."""
    return nodes[0]
