"""A store of its own and nodes on it for all short forms; each row repairs what the last has broken."""

import os
import random
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.faults.running import Stand, standing
from tests.faults.world import Scale


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run all of them on one event loop, as their nodes are shared."""
    return "asyncio"


@pytest.fixture(scope="session", params=["redis", "nats"])
async def stand(request: Any) -> AsyncGenerator[Stand, None]:
    """Give nodes on a store that faults may happen to, for each store in turn."""
    async with standing(request.param) as made:
        yield made


@pytest.fixture(scope="session")
async def alone(anyio_backend: str) -> AsyncGenerator[Stand, None]:
    """Give a node that has its bus in memory."""
    async with standing("memory") as made:
        yield made


@pytest.fixture
def seed() -> int:
    """Give the seed of this run, for the report of a test that fails; LINESIDE_FAULTS_SEED repeats one."""
    chosen = int(os.environ.get("LINESIDE_FAULTS_SEED") or random.randrange(1 << 32))
    print(f"seed {chosen}")  # noqa: T201 - pytest shows it when the test fails
    return chosen


@pytest.fixture
def short() -> Scale:
    """Give the size of the short form."""
    return Scale(clients=12)
