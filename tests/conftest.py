"""What every test shares: the event loop that async tests run on."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop that FastAPI's servers use."""
    return "asyncio"
