"""What every test shares: the event loop that async tests run on."""

import pytest

from tests.services import postgres, postgres_url  # noqa: F401 - fixtures for every test


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop that FastAPI's servers use."""
    return "asyncio"
