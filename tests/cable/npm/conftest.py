"""The libraries, the nodes they connect to, and names that no other test uses."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cable.npm.drivers import Driver, driver
from tests.cable.npm.nodes import Nodes, installed_clients, running_nodes

LEAN = ("--lean",)
CLUSTERS = {
    "one-node": ("memory", 1, ()),
    "one-lean-node": ("memory", 1, LEAN),
    "two-nodes-on-redis": ("redis", 2, ()),
    "two-nodes-on-nats": ("nats", 2, ()),
}


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the drivers, with their libraries installed."""
    return installed_clients(tmp_path_factory.mktemp("npm"))


@pytest.fixture(scope="session", params=CLUSTERS)
def nodes(request: Any) -> Iterator[Nodes]:
    """Give the nodes of each cluster in turn."""
    bus, number, options = CLUSTERS[request.param]
    url = "memory://" if bus == "memory" else request.getfixturevalue(f"{bus}_url")
    with running_nodes(url, number, *options) as running:
        yield running


@pytest.fixture(scope="session")
def node() -> Iterator[Nodes]:
    """Give one node, for what has nothing to do with the others."""
    with running_nodes("memory://", 1) as running:
        yield running


@pytest.fixture
async def run(clients: Path) -> AsyncIterator[Any]:
    """Give what starts the driver of a library; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(library: str) -> Driver:
            return await stack.enter_async_context(driver(clients, library))

        yield start


@pytest.fixture
def name() -> str:
    """Give a name for a room or a user that nobody else has."""
    return uuid.uuid4().hex[:12]
