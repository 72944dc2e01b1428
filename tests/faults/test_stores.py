"""Redis and NATS killed, paused and emptied under two nodes with clients: the ledger is clean."""

import pytest

from tests.faults.running import Stand
from tests.faults.world import Scale

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def test_f1_a_killed_store_costs_nothing(stand: Stand, seed: int, short: Scale) -> None:
    figures = await stand.run("F1", seed=seed, scale=short)
    assert figures.verdict.acked


async def test_f2_a_paused_store_costs_nothing(stand: Stand, seed: int, short: Scale) -> None:
    figures = await stand.run("F2", seed=seed, scale=short)
    assert figures.verdict.acked


async def test_f3_an_emptied_store_is_told_to_every_client(stand: Stand, seed: int, short: Scale) -> None:
    figures = await stand.run("F3", seed=seed, scale=short)
    assert figures.verdict.gaps
