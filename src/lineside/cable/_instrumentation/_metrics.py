"""The figures of a cable: GoHub's, in units that are right, and those of what waits, is lost or refused.

What is counted anyway (`CableStats`) is read when the metrics are asked for. Only sizes and times are
measured as they happen, and only where metrics are wanted.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from lineside.instrumentation import Metrics

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["CableMetrics"]

_BATCH: Final = 256

_PREFIX: Final = "lineside_cable_"
_SIZES: Final = (64, 256, 1_024, 4_096, 16_384, 65_536, 262_144)
_LAGS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Batched:
    """Figures that go to their histogram many at a time: one by one, each would cost as much as a write.

    Args:
        series: The histogram.
    """

    __slots__ = ("_series", "_waiting")

    def __init__(self, series: Any) -> None:
        self._series = series
        self._waiting: list[float] = []

    def observe(self, value: float) -> None:
        """Take a figure."""
        self._waiting.append(value)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Bring the histogram up to date."""
        waiting, self._waiting = self._waiting, []
        for value in waiting:
            self._series.observe(value)


class CableMetrics:
    """Shows a cable's figures; each has the label ``cable``, and none has a label that a client chooses.

    Gauges: ``connected_clients``, ``active_rooms`` (with members on this node), ``streams``,
    ``outbox_bytes``. Counters: ``connections``, ``disconnections``, ``messages`` (``direction``: in, out),
    ``room_joins``, ``room_leaves``, ``room_messages``, ``errors`` (``code``), ``faults`` (of the app's
    code), ``auth`` (``result``: success, failure), ``history`` (``result``: confirmed, or why it was
    rejected), ``sessions_restored``, ``slow_clients``, ``rate_limited``, ``malformed``, ``evictions``
    (``reason`` for which the server ended a connection), ``events_dropped``. Histograms:
    ``message_size_bytes``, ``message_latency_seconds`` (from a client's ``ping``, by its clock),
    ``request_seconds``, ``bus_lag_seconds`` (from the publisher's clock to this node's).

    Args:
        cable: The cable.
        metrics: Where the figures are shown, each with ``lineside_cable_`` in front.
        name: What the label says; two cables of an app have two names.
    """

    def __init__(self, cable: "Cable", metrics: Metrics, *, name: str = "cable") -> None:
        self._cable = cable
        self._metrics = metrics
        self._name = name
        self._counted: dict[tuple[str, str], int] = {}
        self._batched: list[_Batched] = []
        # Asked before the metrics that it brings up to date, because it is there before them.
        metrics.registry.register(self)
        self._size = self._histogram("message_size_bytes", "Bytes of frames from clients", _SIZES)
        self._latency = self._histogram("message_latency_seconds", "Seconds from a client's ping", _LAGS)
        self._request = self._histogram("request_seconds", "Seconds to answer a typed message", _LAGS)
        self._lag = self._histogram("bus_lag_seconds", "Seconds from publishing to delivery", _LAGS)
        self.update()
        cable.meter = self
        cable.hub.lagged = self.lagged

    def close(self) -> None:
        """Measure and show nothing more."""
        self.update()
        self._cable.meter = None
        self._cable.hub.lagged = None
        self._metrics.registry.unregister(self)

    def received(self, size: int) -> None:
        """Measure a client's frame.

        Args:
            size: Its bytes.
        """
        self._size.observe(size)

    def latency(self, seconds: float) -> None:
        """Measure how old a ping was; a client's clock may be ahead."""
        self._latency.observe(max(0.0, seconds))

    def answered(self, seconds: float) -> None:
        """Measure how long an answer took."""
        self._request.observe(seconds)

    def lagged(self, seconds: float) -> None:
        """Measure how long a message was on the bus; the publisher's clock may be ahead."""
        self._lag.observe(max(0.0, seconds))

    def describe(self) -> Iterable[Any]:
        """Name no metric: this is a collector that only brings others up to date."""
        return ()

    def collect(self) -> Iterable[Any]:
        """Bring every metric up to date; called when the metrics are asked for."""
        self.update()
        return ()

    def update(self) -> None:
        """Bring every metric up to date."""
        cable, stats = self._cable, self._cable.stats
        for batched in self._batched:
            batched.flush()
        self._gauge("connected_clients", "Connections of this node", len(cable.connections))
        self._gauge("active_rooms", "Rooms with members on this node", len(cable.rooms.seats.rooms()))
        self._gauge("streams", "Streams that this node listens to", len(cable.hub.streams))
        waiting = sum(connection.outbox.size for connection in list(cable.connections.values()))
        self._gauge("outbox_bytes", "Bytes that wait for clients to read", waiting)
        self._count("connections", "Connections that were welcomed", stats.connections_opened)
        self._count("disconnections", "Connections that have ended", stats.connections_closed)
        self._count("messages", "Messages", stats.messages_received, direction="in")
        self._count("messages", "Messages", stats.deliveries, direction="out")
        self._count("room_joins", "Places taken in rooms", stats.room_joins)
        self._count("room_leaves", "Places given up in rooms", stats.room_leaves)
        self._count("room_messages", "Messages sent to rooms", stats.room_messages)
        self._count("faults", "Errors of the app's code", stats.faults)
        self._count("auth", "Handshakes", stats.auth_successes, result="success")
        self._count("auth", "Handshakes", stats.auth_failures, result="failure")
        self._count("history", "Replays", stats.history_confirmed, result="confirmed")
        self._count("sessions_restored", "Sessions that went on", stats.sessions_restored)
        self._count("slow_clients", "Clients that did not read", stats.slow_clients)
        self._count("rate_limited", "Frames that came too fast", stats.rate_limited)
        self._count("malformed", "Frames that no protocol knows", stats.malformed)
        self._count("events_dropped", "Events that no function was told", cable.events.dropped)
        for code, count in list(stats.errors.items()):
            self._count("errors", "Requests answered with an error", count, code=str(code))
        for reason, count in list(stats.connections_refused.items()):
            self._count("refused", "Connections that were not taken", count, reason=reason)
        for reason, count in list(stats.history_rejected.items()):
            self._count("history", "Replays", count, result=reason)
        for reason, count in list(stats.disconnections.items()):
            self._count("evictions", "Connections that the server ended", count, reason=reason)

    def _gauge(self, name: str, description: str, value: float) -> None:
        gauge = self._metrics.gauge(_PREFIX + name, description, labels=("cable",))
        gauge.set(value, cable=self._name)

    def _count(self, name: str, description: str, value: int, **labels: str) -> None:
        counter = self._metrics.counter(_PREFIX + name, description, labels=("cable", *labels))
        key = (name, ",".join(labels.values()))
        counter.inc(value - self._counted.get(key, 0), cable=self._name, **labels)
        self._counted[key] = value

    def _histogram(self, name: str, description: str, buckets: tuple[float, ...]) -> _Batched:
        made = self._metrics.histogram(_PREFIX + name, description, labels=("cable",), buckets=buckets)
        batched = _Batched(made.series(cable=self._name))
        self._batched.append(batched)
        return batched
