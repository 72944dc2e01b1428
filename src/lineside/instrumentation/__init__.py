"""Named events, request ids, log lines and metrics, for your code as for ours.

Time a piece of work, and let anybody listen who wants to:

    from lineside.instrumentation import Event, instrument, subscribe

    seen: list[Event] = []
    with subscribe("render.*", seen.append), instrument("render.page", template="home") as payload:
        payload["rows"] = 3

    assert seen[0].payload == {"template": "home", "rows": 3}
    assert seen[0].duration >= 0

``lineside.instrumentation.asgi`` has the middleware that gives each request its id, an event and
its metrics; ``lineside.instrumentation.fastapi`` has the route that shows the metrics.
"""

from lineside.instrumentation._events import (
    Event,
    Instrumented,
    Notifier,
    Subscriber,
    Subscription,
    instrument,
    notifier,
    subscribe,
)
from lineside.instrumentation._logging import (
    JSONFormatter,
    LoggedRequestIds,
    RequestIdFilter,
    log_request_ids,
)
from lineside.instrumentation._metric import Counter, Gauge, Histogram
from lineside.instrumentation._metrics import Metrics
from lineside.instrumentation._request_id import (
    accept_request_id,
    new_request_id,
    request_id,
    using_request_id,
)

__all__ = [
    "Counter",
    "Event",
    "Gauge",
    "Histogram",
    "Instrumented",
    "JSONFormatter",
    "LoggedRequestIds",
    "Metrics",
    "Notifier",
    "RequestIdFilter",
    "Subscriber",
    "Subscription",
    "accept_request_id",
    "instrument",
    "log_request_ids",
    "new_request_id",
    "notifier",
    "request_id",
    "subscribe",
    "using_request_id",
]
