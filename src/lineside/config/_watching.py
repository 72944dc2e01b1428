"""Telling watchers what changed: in order, one at a time, never while a lock is held."""

import asyncio
import inspect
import logging
import threading
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeAlias, cast

from lineside.config._snapshot import Snapshot
from lineside.exceptions import ConfigurationError

_logger = logging.getLogger("lineside.config")

Watcher: TypeAlias = Callable[[Any, Any], Awaitable[None] | None]
"""Called with the old and the new value; None stands for a key that is not there."""

MAX_CHAIN = 16
"""Changes made by watchers of changes made by watchers ... before the next one is refused."""
MAX_WAITING = 1_000
"""Changes that wait for their watchers before the next one is refused."""

_Change = tuple[Snapshot, Snapshot, int]
_chain: ContextVar[int] = ContextVar("lineside_config_chain", default=0)


class Watch:
    """A watcher at its key; made by ``config.watch``.

    An async watcher runs on the event loop it was registered on, one call at a time: changes
    that arrive meanwhile become one call, from the oldest old value to the newest new one.

    Attributes:
        key: The dotted key it watches.
    """

    def __init__(self, key: str, fn: Watcher, *, forget: Callable[["Watch"], None]) -> None:
        self.key = key
        self._fn = fn
        self._forget = forget
        self._stopped = False
        # An object with `async def __call__` counts; its method is looked up as Python does, on the class.
        self._async = inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(type(fn).__call__)
        self._home = _running_loop() if self._async else None
        self._lock = threading.Lock()
        self._waiting: _Change | None = None
        self._busy = False
        self._task: object = None

    def stop(self) -> None:
        """Stop watching; no call begins after this. Stopping twice is fine."""
        self._stopped = True
        self._forget(self)

    def deliver(self, change: _Change) -> None:
        """Call the watcher when the value under its key changed."""
        old, new, chain = change
        if self._stopped or old.values.get(self.key) == new.values.get(self.key):
            return
        if not self._async:
            _chain.set(chain)
            try:
                self._fn(old.values.get(self.key), new.values.get(self.key))
            except Exception as error:  # noqa: BLE001 - one watcher must not silence the others
                self._log(error, old, new)
            return
        with self._lock:
            self._waiting = change if self._waiting is None else (self._waiting[0], new, chain)
            if self._busy:
                return
            self._busy = True
        self._start()

    def _start(self) -> None:
        here = _running_loop()
        if self._home is not None and self._home.is_running() and self._home is not here:
            running = asyncio.run_coroutine_threadsafe(self._work(), self._home)
            running.add_done_callback(self._finished)
            self._task = running
        elif here is not None:
            task = here.create_task(self._work())
            task.add_done_callback(self._finished)
            self._task = task  # the loop itself keeps only a weak reference
        else:
            asyncio.run(self._work())

    def _finished(self, task: "asyncio.Task[None] | Future[None]") -> None:
        if task.cancelled():  # at the end of its loop; the next change starts anew
            self._busy = False

    async def _work(self) -> None:
        while (change := self._next()) is not None:
            await self._call(change)

    def _next(self) -> _Change | None:
        with self._lock:
            change, self._waiting = self._waiting, None
            if change is None:
                self._busy = False  # under the lock: a change that arrives now starts a new task
            return change

    async def _call(self, change: _Change) -> None:
        old, new, chain = change
        if self._stopped:
            return
        _chain.set(chain)
        try:
            await cast("Awaitable[None]", self._fn(old.values.get(self.key), new.values.get(self.key)))
        except Exception as error:  # noqa: BLE001 - one watcher must not silence the others
            self._log(error, old, new)

    def _log(self, error: Exception, old: Snapshot, new: Snapshot) -> None:
        # As text, masked: the watcher's error may well quote the secret it was called with.
        trace = "".join(traceback.format_exception(error))
        _logger.error("the watcher of %r failed:\n%s", self.key, new.redactor.text(old.redactor.text(trace)))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Notifier:
    """Delivers changes to the watchers of one configuration."""

    def __init__(self) -> None:
        self._watches: tuple[Watch, ...] = ()
        self._changes: deque[_Change] = deque()
        self._lock = threading.Lock()
        self._delivering = False

    def watch(self, key: str, fn: Watcher) -> Watch:
        """Register a watcher."""
        watch = Watch(key, fn, forget=self._forget)
        with self._lock:
            self._watches += (watch,)
        return watch

    def _forget(self, watch: Watch) -> None:
        with self._lock:
            self._watches = tuple(kept for kept in self._watches if kept is not watch)

    def ensure_room(self) -> None:
        """Refuse a change that watchers could not be told of.

        Raises:
            ConfigurationError: Watchers change each other's keys in circles, or cannot keep up.
        """
        if _chain.get() >= MAX_CHAIN:
            raise ConfigurationError(
                f"watchers changed the configuration {MAX_CHAIN} times in a chain; a watcher must not "
                "set a key that leads back to itself"
            )
        if len(self._changes) >= MAX_WAITING:
            raise ConfigurationError(
                f"{MAX_WAITING} changes wait for their watchers; make the watchers faster"
            )

    def add(self, old: Snapshot, new: Snapshot) -> None:
        """Remember a change; `deliver` tells the watchers."""
        self._changes.append((old, new, _chain.get() + 1))

    def deliver(self) -> None:
        """Tell the watchers, unless a call further up or another thread is at it already."""
        with self._lock:
            if self._delivering:
                return
            self._delivering = True
        before = _chain.get()
        try:
            while (change := self._next()) is not None:
                for watch in self._watches:
                    watch.deliver(change)
        finally:
            self._delivering = False
            _chain.set(before)

    def _next(self) -> _Change | None:
        with self._lock:
            if self._changes:
                return self._changes.popleft()
            self._delivering = False  # under the lock: a change that arrives now is delivered by its own call
            return None
