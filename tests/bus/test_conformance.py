"""One suite over every backend, with real servers."""

import pytest

from lineside.testing import BusConformance
from tests.bus.conftest import MakeBackend


@pytest.mark.anyio
@pytest.mark.services
class TestEveryBackend(BusConformance):
    """Everything that is promised to those who use a bus, whatever carries it."""

    @pytest.fixture(autouse=True)
    def _on(self, make_backend: MakeBackend) -> None:
        self.make_backend = make_backend
