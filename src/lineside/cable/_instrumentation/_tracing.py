"""One publish is one trace, over every node that delivers it (OpenTelemetry, W3C Trace Context).

The context travels in the header ``traceparent`` of the bus' envelope. Without a recording span nothing is
written, and nothing is made where nothing was written: an app without OpenTelemetry pays for a look-up.
"""

import sys
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lineside.bus import Message

__all__ = ["TRACEPARENT", "delivering", "publishing"]

TRACEPARENT: Final = "traceparent"
"""The header with the trace that a message belongs to (W3C Trace Context, section 3.2)."""

_SYSTEM: Final = "lineside"
_UNTRACED: Final = nullcontext()


def publishing(stream: str, headers: dict[str, str]) -> AbstractContextManager[None]:
    """Publish a message within a span, and write the span into its headers.

    Args:
        stream: The stream's name; only attributes name it, so that spans stay few by name.
        headers: The message's headers; nothing is added outside of a recording span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or not trace.get_current_span().is_recording():
        return _UNTRACED
    return _publishing(trace, stream, headers)


@contextmanager
def _publishing(trace: Any, stream: str, headers: dict[str, str]) -> Generator[None]:
    attributes = _attributes(stream, "send")
    with _tracer(trace).start_as_current_span(
        "cable publish", kind=trace.SpanKind.PRODUCER, attributes=attributes
    ):
        _propagator().inject(headers)
        yield


@contextmanager
def delivering(message: "Message") -> Generator[None]:
    """Deliver a message within a span of the trace that it was published in.

    Args:
        message: One with the header `TRACEPARENT`.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield
        return
    parent = _propagator().extract(message.headers)
    attributes = {**_attributes(message.stream, "process"), "messaging.message.id": message.id}
    with _tracer(trace).start_as_current_span(
        "cable deliver", context=parent, kind=trace.SpanKind.CONSUMER, attributes=attributes
    ):
        yield


def _attributes(stream: str, operation: str) -> Mapping[str, str]:
    # The names of OpenTelemetry's semantic conventions for messaging.
    return {
        "messaging.system": _SYSTEM,
        "messaging.destination.name": stream,
        "messaging.operation.type": operation,
    }


def _tracer(trace: Any) -> Any:
    return trace.get_tracer("lineside.cable")


def _propagator() -> Any:
    # Here, and not above: whoever has no OpenTelemetry must be able to import this file.
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()
