"""PostgreSQL killed, paused, emptied and cut off while two nodes publish: the ledger must be clean."""

from collections.abc import Iterator

import pytest

from lineside.testing._bus_nodes import Collector
from tests.bus.faults import DepartureFaults, two_nodes
from tests.bus.ledger import KEPT
from tests.services import Postgres, running_postgres

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def own() -> Iterator[Postgres]:
    """A PostgreSQL that only this test has, and may kill."""
    with running_postgres() as server:
        yield server


class TestPostgres(DepartureFaults):
    """What every store's outage must cost."""

    recovery_seconds = 3.0


async def test_a_message_of_any_size_arrives_in_its_place(own: Postgres) -> None:
    """Behind a large one, which is fetched, a small one waits; kept or not."""
    async with two_nodes(own.url) as (one, other):
        for stream, history in (("kept", KEPT), ("unkept", None)):
            heard = Collector()
            await other.subscribe(stream, heard, history=history is not None)
            sent = [bytes([n]) * size for n, size in enumerate((1, 5_000, 5_601, 2, 7_999, 1_000_000, 3))]
            for data in sent:
                await one.publish(stream, data, history=history)
            await heard.has(len(sent))
            assert heard.data == sent
