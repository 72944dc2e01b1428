"""Clients that are cut off, do not read, or attack: the others notice nothing, and the ledger is clean."""

import pytest

from tests.faults.running import Stand
from tests.faults.world import Scale

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def test_f14_cuts_lose_nothing_until_the_history_ends_and_then_it_is_told(
    stand: Stand, seed: int, short: Scale
) -> None:
    assert (await stand.run("F14", seed=seed, scale=short)).verdict.gaps


async def test_f14_cuts_lose_nothing_on_one_node_in_memory(alone: Stand, seed: int, short: Scale) -> None:
    assert (await alone.run("F14", seed=seed, scale=short)).verdict.gaps


async def test_f15_clients_that_do_not_read_delay_nobody(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F15", seed=seed, scale=short)).verdict.acked


async def test_f15_clients_that_do_not_read_delay_nobody_on_one_node_in_memory(
    alone: Stand, seed: int, short: Scale
) -> None:
    assert (await alone.run("F15", seed=seed, scale=short)).verdict.acked


async def test_f27_hostile_frames_in_an_outage_cost_nothing(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F27", seed=seed, scale=short)).verdict.acked
