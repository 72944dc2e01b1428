"""The figures of a cable: what GoHub had, in units that are right, and no labels that clients choose."""

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from lineside.cable import Cable, CableMetrics
from lineside.instrumentation import Metrics
from tests.cable.fakes import client
from tests.cable.rooms.conftest import ALL

pytestmark = pytest.mark.anyio


def _figures(metrics: Metrics) -> dict[str, float]:
    figures: dict[str, float] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            labels = ",".join(
                f"{k}={v}" for k, v in sorted(sample.labels.items()) if k not in ("cable", "le")
            )
            key = sample.name.removeprefix("lineside_cable_") + (f"{{{labels}}}" if labels else "")
            figures[key] = max(figures.get(key, 0), sample.value)
    return figures


async def test_the_figures_are_those_of_what_happened(node: Cable) -> None:
    """WEAK-HUB-21, HUB-MET-01: room messages once, leaves on disconnect too, sizes in bytes."""
    metrics = Metrics()
    CableMetrics(node, metrics)
    await node.rooms.create("r1")
    alice = await client(node, id="alice", permissions=ALL)
    bob = await client(node, id="bob", permissions=ALL)
    for each in (alice, bob):
        await each.request("join_room", {"room_id": "r1"})
    await alice.request("room_message", {"room_id": "r1", "content": "x" * 300})
    await alice.request("no_such_type")
    await bob.settle()
    figures = _figures(metrics)
    assert (figures["connected_clients"], figures["active_rooms"]) == (2, 1)
    await bob.close()
    figures = _figures(metrics)
    assert (figures["connected_clients"], figures["connections_total"], figures["disconnections_total"]) == (
        1,
        2,
        1,
    )
    assert (figures["room_joins_total"], figures["room_leaves_total"]) == (2, 1)
    assert figures["room_messages_total"] == 1
    assert figures["messages_total{direction=in}"] == 5
    assert figures["messages_total{direction=out}"] == 1
    assert figures["errors_total{code=1001}"] == 1
    assert figures["message_size_bytes_count"] == 5
    assert figures["message_size_bytes_sum"] > 300
    assert figures["request_seconds_count"] == 4
    assert figures["bus_lag_seconds_count"] == 1
    assert figures["bus_lag_seconds_sum"] < 5
    assert figures["outbox_bytes"] == 0


async def test_the_latency_is_in_seconds(node: Cable) -> None:
    """WEAK-HUB-21: GoHub observed milliseconds in buckets of seconds."""
    metrics = Metrics()
    CableMetrics(node, metrics)
    alice = await client(node)
    await alice.request("ping", {"ts": int(node.clock() * 1_000) - 2_000})
    assert 1.9 < _figures(metrics)["message_latency_seconds_sum"] < 60


async def test_reading_twice_counts_once(node: Cable) -> None:
    """What is counted anyway is read when it is asked for; a counter does not grow by being read."""
    metrics = Metrics()
    CableMetrics(node, metrics)
    await client(node)
    assert [_figures(metrics)["connections_total"] for _ in range(3)] == [1, 1, 1]


async def test_two_cables_of_an_app_have_figures_of_their_own(nodes: tuple[Cable, Cable]) -> None:
    """By the label ``cable``."""
    metrics = Metrics()
    for cable, name in zip(nodes, ("chat", "admin"), strict=True):
        CableMetrics(cable, metrics, name=name)
    await client(nodes[0])
    text = generate_latest(metrics.registry).decode()
    assert 'lineside_cable_connected_clients{cable="chat"} 1.0' in text
    assert 'lineside_cable_connected_clients{cable="admin"} 0.0' in text


async def test_nothing_is_measured_after_the_end(node: Cable) -> None:
    """A cable that stops takes nothing of the registry with it but its updates."""
    metrics = Metrics()
    shown = CableMetrics(node, metrics)
    shown.close()
    await (await client(node)).settle()
    assert _figures(metrics)["connections_total"] == 0
    assert node.meter is None
