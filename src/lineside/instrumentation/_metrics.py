"""The metrics of an app by name, on prometheus-client."""

import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lineside.exceptions import ConfigurationError, MissingDependencyError
from lineside.instrumentation._metric import OTHER, Counter, Gauge, Histogram, Metric

if TYPE_CHECKING:
    import prometheus_client

_MAX_METRICS: Final = 1_000
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)


_M = TypeVar("_M", bound=Metric)


class Metrics:
    """The metrics of one app, by name.

    Args:
        registry: A ``prometheus_client.CollectorRegistry`` to keep the metrics in, for instance
            ``prometheus_client.REGISTRY``. By default a new one, so that two apps in one
            process do not mix.
        namespace: Put in front of each name, with an underscore.
        max_label_sets: How many sets of labels one metric keeps. What comes later is counted
            under the label value ``"other"``: labels from outside cannot fill the memory.

    Raises:
        MissingDependencyError: prometheus-client is not installed.
    """

    def __init__(
        self,
        registry: "prometheus_client.CollectorRegistry | None" = None,
        *,
        namespace: str = "",
        max_label_sets: int = 1_000,
    ) -> None:
        try:
            import prometheus_client
        except ImportError:
            raise MissingDependencyError("prometheus_client", extra="metrics") from None
        if max_label_sets < 1:
            raise ConfigurationError("max_label_sets must be at least 1: one set for everything")
        self.registry: Any = registry if registry is not None else prometheus_client.CollectorRegistry()
        self._client = prometheus_client
        self._namespace = namespace
        self._limit = max_label_sets
        self._lock = threading.Lock()
        self._metrics: dict[str, Metric] = {}
        self._requests: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def counter(self, name: str, description: str = "", *, labels: Sequence[str] = ()) -> Counter:
        """Return the counter of this name, made when it is asked for first.

        Args:
            name: Its name; dots and dashes become underscores: ``"user.signup"`` is
                ``user_signup`` and, as a counter, shown as ``user_signup_total``.
            description: What it counts, for the reader of the metrics.
            labels: The names of its labels.

        Raises:
            ConfigurationError: The name is not possible, or stands for another type or other labels.
        """
        return self._get(Counter, name, description, labels=labels, make=self._client.Counter)

    def gauge(self, name: str, description: str = "", *, labels: Sequence[str] = ()) -> Gauge:
        """Return the gauge of this name, made when it is asked for first.

        Args:
            name: Its name; dots and dashes become underscores.
            description: What it shows, for the reader of the metrics.
            labels: The names of its labels.

        Raises:
            ConfigurationError: The name is not possible, or stands for another type or other labels.
        """
        return self._get(Gauge, name, description, labels=labels, make=self._client.Gauge)

    def histogram(
        self,
        name: str,
        description: str = "",
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = _BUCKETS,
    ) -> Histogram:
        """Return the histogram of this name, made when it is asked for first.

        Args:
            name: Its name; dots and dashes become underscores.
            description: What it measures and in which unit.
            labels: The names of its labels.
            buckets: The upper bounds of the buckets, rising. The default suits seconds from
                5 ms to 10 s. They are taken when the histogram is made.

        Raises:
            ConfigurationError: The name is not possible, or stands for another type or other labels.
        """

        def make(*args: Any, **kwargs: Any) -> Any:
            return self._client.Histogram(*args, buckets=buckets, **kwargs)

        return self._get(Histogram, name, description, labels=labels, make=make)

    def record_request(self, path: str, method: str, status: int, duration: float) -> None:
        """Count a request in ``http_requests_total`` and ``http_request_duration_seconds``.

        Names and labels are those of prometheus-fastapi-instrumentator, so that its dashboards
        go on working: ``handler``, ``method`` and ``status`` as ``"2xx"``.

        Args:
            path: The template of the route, never the path that came.
            method: The HTTP method; one that nobody knows becomes ``"other"``.
            status: The status of the response.
            duration: How long it took, in seconds.
        """
        known = method if method in _METHODS else OTHER
        key = (path, known, status // 100)
        series = self._requests.get(key)
        if series is None:
            series = self._request_series(*key)
            # Templates are few; whoever gives raw paths pays each time.
            if len(self._requests) < self._limit:
                self._requests[key] = series
        counted, timed = series
        counted.inc()
        timed.observe(duration)

    def _request_series(self, path: str, method: str, status_class: int) -> tuple[Any, Any]:
        counted = self.counter("http_requests", "Requests", labels=("handler", "method", "status"))
        timed = self.histogram(
            "http_request_duration_seconds", "Seconds per request", labels=("handler", "method")
        )
        return (
            counted.series(handler=path, method=method, status=f"{status_class}xx"),
            timed.series(handler=path, method=method),
        )

    def _get(
        self, kind: type[_M], name: str, description: str, *, labels: Sequence[str], make: Callable[..., Any]
    ) -> _M:
        full = _full_name(self._namespace, name)
        with self._lock:
            known = self._metrics.get(full)
            if known is None:
                known = self._metrics[full] = self._make(
                    kind, full, description or full, labels=labels, make=make
                )
        if not isinstance(known, kind) or known.labels != tuple(labels):
            raise ConfigurationError(
                f"{full} is a {type(known).__name__.lower()} with the labels "
                f"{', '.join(known.labels) or 'none'}; give the new metric a name of its own"
            )
        return known

    def _make(
        self, kind: type[_M], name: str, description: str, *, labels: Sequence[str], make: Callable[..., Any]
    ) -> _M:
        if len(self._metrics) >= _MAX_METRICS:
            raise ConfigurationError(f"there are {_MAX_METRICS} metrics: put what varies into a label")
        try:
            metric = make(name, description, labelnames=tuple(labels), registry=self.registry)
        except ValueError as error:
            raise ConfigurationError(f"the metric {name} cannot be made: {error}") from None
        child = metric.labels if labels else lambda: metric
        return kind(child, name=name, labels=tuple(labels), limit=self._limit)


def _full_name(namespace: str, name: str) -> str:
    full = re.sub(r"[.\- /]", "_", f"{namespace}_{name}" if namespace else name)
    if not _NAME.fullmatch(full):
        raise ConfigurationError(
            f"{name!r} is no name for a metric: use letters, digits, dots and underscores"
        )
    return full
