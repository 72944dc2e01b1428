"""The links of two nodes to their store, cut in each way: the ledger is clean."""

import pytest

from tests.faults.running import Stand
from tests.faults.world import Scale

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def test_f5_a_black_hole_is_noticed_and_costs_nothing(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F5", seed=seed, scale=short)).verdict.acked


async def test_f6_one_way_loss_doubles_nothing(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F6", seed=seed, scale=short)).verdict.acked


async def test_f8_a_slow_and_narrow_link_costs_only_time(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F8", seed=seed, scale=short)).verdict.acked


async def test_f9_resets_in_the_middle_of_messages_cost_nothing(
    stand: Stand, seed: int, short: Scale
) -> None:
    assert (await stand.run("F9", seed=seed, scale=short)).verdict.acked


async def test_f9_resets_cost_nothing_on_one_node_in_memory(alone: Stand, seed: int, short: Scale) -> None:
    assert (await alone.run("F9", seed=seed, scale=short)).verdict.acked


async def test_f30_a_partition_leaves_nobody_present_twice(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F30", seed=seed, scale=short)).verdict.acked
