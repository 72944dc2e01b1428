"""Two nodes of one app in one process, on one bus."""

import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lineside.bus import Backend, BackendOptions
from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable import Cable, UnknownChannelError
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


over_every_bus = pytest.mark.parametrize("backend_name", ["memory", "redis", "nats"])
"""Run the tests of a module once for each backend that has presence."""


@pytest.fixture
def backend_name() -> str:
    """Memory, unless a module is `over_every_bus`."""
    return "memory"


@pytest.fixture
def new_backend(backend_name: str, request: pytest.FixtureRequest) -> Callable[[], Backend]:
    """Make backends of one store, which no other test sees."""
    options = BackendOptions(namespace=f"t{secrets.token_hex(6)}")
    if backend_name == "redis":
        from lineside.bus.redis import RedisBackend

        url: str = request.getfixturevalue("redis_url")
        return lambda: RedisBackend(url, options)
    if backend_name == "nats":
        from lineside.bus.nats import NatsBackend

        nats_url: str = request.getfixturevalue("nats_url")
        return lambda: NatsBackend(nats_url, options)
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
