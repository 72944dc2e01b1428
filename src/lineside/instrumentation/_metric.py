"""One named figure each: a counter, a gauge or a histogram, with a bounded number of series."""

import threading
from collections.abc import Callable
from typing import Any, Final

from lineside.exceptions import ConfigurationError

# Also a limit on the memory that labels from outside can take: labels x length.
_MAX_LABEL_CHARS: Final = 200
OTHER: Final = "other"


class Metric:
    """One named figure; a series for each set of labels, up to a limit."""

    def __init__(self, child: Callable[..., Any], *, name: str, labels: tuple[str, ...], limit: int) -> None:
        self.name = name
        self.labels = labels
        self._child = child
        self._limit = limit
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], Any] = {}

    def series(self, **labels: object) -> Any:
        """Return prometheus-client's own object for one set of labels, to keep it at hand.

        Args:
            labels: A value for each label of the metric.

        Raises:
            ConfigurationError: The labels are not those of the metric.
        """
        try:
            values = tuple([str(labels[label]) for label in self.labels])
        except KeyError:
            values = ()
        if len(labels) != len(self.labels) or len(values) != len(self.labels):
            given, wanted = ", ".join(sorted(labels)) or "none", ", ".join(self.labels) or "none"
            raise ConfigurationError(f"the metric {self.name} has the labels {wanted}; given were {given}")
        series = self._series.get(values)
        return self._add(values) if series is None else series

    def _add(self, values: tuple[str, ...]) -> Any:
        # Half of a surrogate pair could not be shown: the page of all metrics would fail.
        values = tuple([value[:_MAX_LABEL_CHARS].encode("utf-8", "replace").decode() for value in values])
        with self._lock:
            # The last free place belongs to "other", which takes all that comes later.
            if values not in self._series and len(self._series) >= self._limit - 1:
                values = (OTHER,) * len(self.labels)
            if values not in self._series:
                self._series[values] = self._child(*values)
            return self._series[values]


class Counter(Metric):
    """A figure that only grows."""

    def inc(self, amount: float = 1, **labels: object) -> None:
        """Add to the figure.

        Args:
            amount: How much, 1 by default; never negative.
            labels: A value for each label of the metric.
        """
        self.series(**labels).inc(amount)


class Gauge(Metric):
    """A figure that goes up and down."""

    def set(self, value: float, **labels: object) -> None:
        """Replace the figure.

        Args:
            value: The new one.
            labels: A value for each label of the metric.
        """
        self.series(**labels).set(value)

    def inc(self, amount: float = 1, **labels: object) -> None:
        """Add to the figure.

        Args:
            amount: How much, 1 by default.
            labels: A value for each label of the metric.
        """
        self.series(**labels).inc(amount)

    def dec(self, amount: float = 1, **labels: object) -> None:
        """Take away from the figure.

        Args:
            amount: How much, 1 by default.
            labels: A value for each label of the metric.
        """
        self.series(**labels).dec(amount)


class Histogram(Metric):
    """How often figures of each size came."""

    def observe(self, value: float, **labels: object) -> None:
        """Count a figure in its bucket.

        Args:
            value: The figure, for instance seconds or bytes.
            labels: A value for each label of the metric.
        """
        self.series(**labels).observe(value)
