"""Every backend of the bus by name; a test of the suite runs once for each."""

from collections.abc import Callable
from typing import Any

import pytest

from lineside.bus import Backend, BackendOptions
from lineside.bus.memory import MemoryBackend, MemoryBroker

MakeBackend = Callable[[BackendOptions], Backend]


def _memory(request: pytest.FixtureRequest) -> MakeBackend:
    brokers: dict[str, MemoryBroker] = {}

    def make(options: BackendOptions) -> Backend:
        return MemoryBackend(brokers.setdefault(options.namespace, MemoryBroker()))

    return make


def _redis(request: pytest.FixtureRequest) -> MakeBackend:
    from lineside.bus.redis import RedisBackend

    url: str = request.getfixturevalue("redis_url")
    return lambda options: RedisBackend(url, options)


def _nats(request: pytest.FixtureRequest) -> MakeBackend:
    from lineside.bus.nats import NatsBackend

    url: str = request.getfixturevalue("nats_url")
    return lambda options: NatsBackend(url, options)


def _postgres(request: pytest.FixtureRequest) -> MakeBackend:
    from lineside.bus.postgres import PostgresBackend

    url: str = request.getfixturevalue("postgres_url")
    return lambda options: PostgresBackend(url, options)


# One line per backend: a function that starts its server and returns what makes one more node on it.
BACKENDS: dict[str, Callable[[pytest.FixtureRequest], MakeBackend]] = {
    "memory": _memory,
    "redis": _redis,
    "nats": _nats,
    "postgres": _postgres,
}


@pytest.fixture(params=BACKENDS)
def make_backend(request: Any) -> MakeBackend:
    """Give what makes nodes on one server, for each backend in turn."""
    return BACKENDS[request.param](request)
