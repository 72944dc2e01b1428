"""Named events with timing, for whoever wants to listen."""

import inspect
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from lineside.exceptions import ConfigurationError

_logger = logging.getLogger("lineside.instrumentation")

# Names should be constants of the code; a program that makes them up only loses the cache.
_MAX_CACHED_NAMES: Final = 1_000
# A subscriber may cause events, and their subscribers more: a circle ends here.
_MAX_NESTING: Final = 8


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, how long it took, and how it ended.

    Attributes:
        name: The name it was instrumented with, for instance ``"request.lineside"``.
        started_at: When it began, in seconds since 1970 (UTC).
        duration: How long it took, in seconds of a monotonic clock (Rails' is in milliseconds).
        payload: What the code said about it.
        error: The exception that ended it, None when it went well.
    """

    name: str
    started_at: float
    duration: float
    payload: dict[str, Any]
    error: BaseException | None = None


Subscriber = Callable[[Event], object]
"""A plain function that is called with each event; it runs in the caller's thread, so it is quick."""


class Subscription:
    """A subscriber's place in a notifier; as a context manager it ends with its block."""

    __slots__ = ("_notifier", "_pattern", "_subscriber")

    def __init__(self, notifier: "Notifier", pattern: str, subscriber: Subscriber) -> None:
        self._notifier = notifier
        self._pattern = pattern
        self._subscriber = subscriber

    @property
    def subscriber(self) -> Subscriber:
        """The function that is called."""
        return self._subscriber

    def covers(self, name: str) -> bool:
        """Tell whether events of this name are wanted."""
        if self._pattern.endswith("*"):
            return name.startswith(self._pattern[:-1])
        return name == self._pattern

    def unsubscribe(self) -> None:
        """Stop listening; doing it twice does no harm."""
        self._notifier.unsubscribe(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.unsubscribe()


class Notifier:
    """Brings events to their subscribers. As Rails' ``ActiveSupport::Notifications``.

    ``lineside.instrumentation`` has one for the process. An app that shares its process with
    another one makes a notifier of its own and hands it to what it uses.
    """

    __slots__ = ("_by_name", "_lock", "_nesting", "_subscriptions")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._by_name: dict[str, tuple[Subscriber, ...]] = {}
        self._nesting = threading.local()

    def subscribe(self, pattern: str, subscriber: Subscriber) -> Subscription:
        """Call a function with each event whose name fits.

        Args:
            pattern: A name, ``"prefix.*"`` for all names that begin so, or ``"*"`` for all.
            subscriber: A plain function of one argument, the ``Event``. What it raises is
                logged and disturbs nobody.

        Returns:
            The subscription, which is also a context manager.

        Raises:
            ConfigurationError: The pattern is none of the three forms, or the function is async.
        """
        prefix = pattern.removesuffix("*")
        if not pattern or "*" in prefix or (prefix != pattern and prefix and not prefix.endswith(".")):
            raise ConfigurationError(f'{pattern!r} is no pattern: give a name, "prefix.*" or "*"')
        if inspect.iscoroutinefunction(subscriber):
            raise ConfigurationError(
                f"{subscriber.__qualname__} is async, and events are told at once: "
                "subscribe a plain function, and let it put the event into a queue"
            )
        subscription = Subscription(self, pattern, subscriber)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
            self._by_name = {}
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription of this notifier; one that is gone already does no harm."""
        with self._lock:
            self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)
            self._by_name = {}

    def listens(self, name: str, /) -> bool:
        """Tell whether anybody wants events of this name; to save the work of describing one."""
        return bool(self._subscribers(name))

    def instrument(self, name: str, /, **payload: Any) -> "Instrumented":
        """Time a block and tell the subscribers how it went.

        Args:
            name: The event's name, what happens first: ``"render.lineside"``. A constant: data
                belongs into the payload.
            payload: What there is to say about it. ``with`` gives it as a dict, and the block
                may add to it.

        Returns:
            A context manager for ``with``, in sync and async code alike.
        """
        return Instrumented(self, name, payload)

    def publish(self, event: Event) -> None:
        """Tell the subscribers of an event that was timed elsewhere.

        Args:
            event: The event. Each subscriber gets the same one.
        """
        subscribers = self._subscribers(event.name)
        if not subscribers:
            return
        nesting: int = getattr(self._nesting, "depth", 0)
        if nesting >= _MAX_NESTING:
            _logger.warning("%s was not told: subscribers cause events of each other in a circle", event.name)
            return
        self._nesting.depth = nesting + 1
        try:
            for subscriber in subscribers:
                _tell(subscriber, event)
        finally:
            self._nesting.depth = nesting

    def _subscribers(self, name: str) -> tuple[Subscriber, ...]:
        found = self._by_name.get(name)
        if found is not None:
            return found
        if not self._subscriptions:
            return ()
        with self._lock:
            found = tuple(each.subscriber for each in self._subscriptions if each.covers(name))
            if len(self._by_name) >= _MAX_CACHED_NAMES:
                self._by_name = {}
            self._by_name[name] = found
        return found


class Instrumented:
    """One block that is being timed; ``Notifier.instrument`` makes it."""

    __slots__ = ("_name", "_notifier", "_payload", "_started", "_started_at")

    def __init__(self, notifier: Notifier, name: str, payload: dict[str, Any]) -> None:
        self._notifier = notifier
        self._name = name
        self._payload = payload
        self._started_at: float | None = None
        self._started = 0.0

    def __enter__(self) -> dict[str, Any]:
        # Whether anybody listens is asked once, as in Rails: a block is told whole or not at all.
        if self._notifier.listens(self._name):
            self._started_at = time.time()
            self._started = time.perf_counter()
        return self._payload

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._started_at is None:
            return
        duration = time.perf_counter() - self._started
        self._notifier.publish(Event(self._name, self._started_at, duration, self._payload, error))


def _tell(subscriber: Subscriber, event: Event) -> None:
    try:
        subscriber(event)
    except Exception:
        # Whatever a listener does, the work that it listens to goes on.
        _logger.exception("a subscriber of %s failed", event.name)


notifier: Final = Notifier()
"""The notifier of the process: ``instrument`` and ``subscribe`` of the package are its methods."""

instrument: Final = notifier.instrument
subscribe: Final = notifier.subscribe
