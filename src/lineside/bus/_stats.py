"""What the bus counts."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineside.instrumentation import Metrics

__all__ = ["BusStats"]


class BusStats:
    """Counts what happens on a bus, by the event's name.

    The names: ``published``, ``delivered``, ``duplicates`` (dropped), ``filled`` (messages that were
    brought from the log), ``discontinuities``, ``listener_errors``, ``overflows``, ``lost`` and ``restored``
    (the server), ``unavailable`` (calls that failed), ``skipped_`` and why a message from outside was not
    taken: ``skipped_garbage``, ``skipped_version``, ``skipped_namespace``, ``skipped_unsigned``,
    ``skipped_forged``, ``skipped_oversize``.

    Args:
        metrics: Shows them as ``lineside_bus_events_total`` with the label ``event``.

    Attributes:
        counts: The figures.
    """

    __slots__ = ("_counter", "_series", "counts")

    def __init__(self, metrics: "Metrics | None" = None) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self._counter = (
            metrics.counter("lineside_bus_events", "What happened on the cluster bus", labels=("event",))
            if metrics is not None
            else None
        )
        self._series: dict[str, Any] = {}

    def count(self, event: str, amount: int = 1) -> None:
        """Add to a figure.

        Args:
            event: Its name.
            amount: How much.
        """
        self.counts[event] += amount
        if self._counter is not None:
            series = self._series.get(event)
            if series is None:
                series = self._series[event] = self._counter.series(event=event)
            series.inc(amount)
