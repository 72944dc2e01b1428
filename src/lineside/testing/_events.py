"""What happened inside the app, as its events tell it."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from lineside.instrumentation import Event, Notifier, notifier

__all__ = ["EventLog", "capture_events"]

_MAX_EVENTS: Final = 10_000


class EventLog:
    """The events of one test, oldest first.

    Args:
        max_events: How many are kept; older ones give way.
    """

    def __init__(self, *, max_events: int = _MAX_EVENTS) -> None:
        self._events: deque[Event] = deque(maxlen=max_events)

    def add(self, event: Event) -> None:
        """Keep one more event."""
        self._events.append(event)

    def named(self, name: str) -> list[Event]:
        """Return the events of one name, oldest first."""
        return [event for event in self._events if event.name == name]

    @property
    def names(self) -> list[str]:
        """The names of all events, oldest first."""
        return [event.name for event in self._events]

    def __iter__(self) -> Iterator[Event]:
        return iter(tuple(self._events))

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        return f"EventLog({self.names})"


@contextmanager
def capture_events(app: Any = None, *, pattern: str = "*") -> Generator[EventLog]:
    """Collect events while the block runs.

    Args:
        app: The app. One that ``Lineside(app)`` was made for has a notifier of its own; without
            one the events of the process are collected.
        pattern: A name, ``"prefix.*"`` or ``"*"``.

    Yields:
        The log that fills.

    Raises:
        ConfigurationError: The pattern is none of the three forms.
    """
    log = EventLog()
    with _notifier_of(app).subscribe(pattern, log.add):
        yield log


def _notifier_of(app: Any) -> Notifier:
    installed = getattr(getattr(app, "state", None), "lineside", None)
    found = getattr(installed, "notifier", None)
    return found if isinstance(found, Notifier) else notifier
