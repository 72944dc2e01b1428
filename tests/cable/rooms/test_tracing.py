"""One publish is one trace over all nodes; without a recording span nothing is written at all."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lineside.cable import Cable
from lineside.cable._instrumentation import _tracing
from tests.cable.fakes import client
from tests.cable.rooms.conftest import ALL

pytestmark = pytest.mark.anyio


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Record spans, for this test only: a process has one provider and cannot change it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
    yield exporter
    provider.shutdown()


async def test_one_publish_is_one_trace_over_nodes(
    nodes: tuple[Cable, Cable], spans: InMemorySpanExporter
) -> None:
    """Each node's delivery is a child of the publication, which is a child of what caused it."""
    await nodes[0].rooms.create("r1")
    members = [await client(cable, id=f"c{i}", permissions=ALL) for i, cable in enumerate(nodes)]
    for each in members:
        await each.request("join_room", {"room_id": "r1"})
    with trace.get_tracer("test").start_as_current_span("cause") as cause:
        await nodes[0].rooms.broadcast("r1", "hello")
    for each in members:
        await each.receive_type("room_message")
    found: dict[str, list[ReadableSpan]] = {}
    for span in spans.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    published, deliveries = found["cable publish"], found["cable deliver"]
    assert (len(published), len(deliveries)) == (1, 2)
    trace_id = cause.get_span_context().trace_id
    assert {_id(span) for span in published + deliveries} == {trace_id}
    assert _parent(published[0]) == cause.get_span_context().span_id
    assert {_parent(span) for span in deliveries} == {_own(published[0])}
    assert dict(published[0].attributes or {})["messaging.destination.name"] == "room:r1"


async def test_without_a_recording_span_nothing_is_written(
    nodes: tuple[Cable, Cable], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No header travels, and no span is made where none travels."""

    def never(*_: Any) -> Any:
        raise AssertionError("tracing did something")

    headers: list[dict[str, str]] = []
    publish = nodes[0].bus.publish

    async def listening(*given: Any, **options: Any) -> Any:
        headers.append(dict(options["headers"]))
        return await publish(*given, **options)

    monkeypatch.setattr(_tracing, "_propagator", never)
    monkeypatch.setattr(_tracing, "_tracer", never)
    monkeypatch.setattr(nodes[0].bus, "publish", listening)
    await nodes[0].broadcast("stream", 1)
    assert headers == [{}]


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def _own(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def _parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id
