"""Nodes killed, paused, drained and replaced under load: clients go on elsewhere, and the ledger is clean."""

import pytest

from tests.faults.running import Stand
from tests.faults.world import Scale

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def test_f10_the_clients_of_a_killed_node_go_on_elsewhere(
    stand: Stand, seed: int, short: Scale
) -> None:
    assert (await stand.run("F10", seed=seed, scale=short)).verdict.gaps == 0


async def test_f10_what_only_a_killed_nodes_memory_had_is_told(alone: Stand, seed: int, short: Scale) -> None:
    assert (await alone.run("F10", seed=seed, scale=short)).verdict.gaps


async def test_f11_a_node_that_comes_back_late_does_no_harm(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F11", seed=seed, scale=short)).verdict.acked


async def test_f12_a_drained_node_cuts_nobody_off(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F12", seed=seed, scale=short)).verdict.gaps == 0


async def test_f12_a_drained_node_in_memory_cuts_nobody_off(alone: Stand, seed: int, short: Scale) -> None:
    assert (await alone.run("F12", seed=seed, scale=short)).verdict.acked


async def test_f13_a_rolling_restart_loses_nothing(stand: Stand, seed: int, short: Scale) -> None:
    assert (await stand.run("F13", seed=seed, scale=short)).verdict.acked


async def test_f29_several_processes_with_a_bus_in_memory_do_not_start(
    alone: Stand, seed: int, short: Scale
) -> None:
    await alone.run("F29", seed=seed, scale=short)
