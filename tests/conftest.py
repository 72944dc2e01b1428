"""What every test shares: the event loop that async tests run on."""

import pytest

from tests.services import (  # noqa: F401 - fixtures for every test
    nats,
    nats_url,
    postgres,
    postgres_url,
    redis,
    redis_url,
)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop that FastAPI's servers use."""
    return "asyncio"
