"""N+1 queries: the same SELECT once for each record of a list, found where it happens.

As Prosopite does, this compares what runs: one SELECT again and again with other values, in one transaction
and from one place, which is a line of the user's code and the lines that led to it. So lazy loading,
``find`` in a loop and raw SQL are found alike. What a save or a flush asks is no such loop: writing N
records takes N statements. Neither are the parts of one eager load, ``in_batches``, questions about tables
and migrations.
"""

import logging
import os
import sys
import sysconfig
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal, get_args
from weakref import WeakKeyDictionary

import greenlet
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import reflection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import strategies, unitofwork
from sqlalchemy.sql import ddl

from lineside.exceptions import ConfigurationError
from lineside.models._association import _lazy
from lineside.models._exceptions import NPlusOneQueriesError

NPlusOneMode = Literal["off", "warn", "raise"]
Place = tuple[tuple[str, int], ...]

_logger = logging.getLogger("lineside.models")
_MODES: Final[dict[str, NPlusOneMode]] = {"development": "warn", "test": "raise"}
# Two are often meant, as for the accounts of a transfer; three from one line are a loop.
_THRESHOLD: Final = 3
_PLACES: Final = 1_000
_MODELS: Final = Path(__file__).parents[1]
_EXEMPT: Final = (
    unitofwork.__file__,
    str(_MODELS / "_relation" / "_batches.py"),
    # The database is asked about each table, when tables are made and when they are compared.
    ddl.__file__,
    reflection.__file__,
    *(str(_MODELS / "_migrations" / name) for name in ("_generate.py", "_run.py")),
)
_LIBRARIES: Final = tuple(
    f"{folder}{os.sep}"
    for folder in (
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
        Path(__file__).parents[2],
    )
)

_is_allowed: ContextVar[bool] = ContextVar("lineside_allow_n_plus_one", default=False)


class NPlusOneWarning(UserWarning):
    """The same query ran once for each record of a list; load them together."""


@contextmanager
def allow_n_plus_one() -> Generator[None]:
    """Let the block ask as often as it likes (as Prosopite's ``pause``)."""
    token = _is_allowed.set(True)
    try:
        yield
    finally:
        _is_allowed.reset(token)


def default_n_plus_one_mode(environment: str | None = None) -> NPlusOneMode:
    """Return what an environment asks for: development warns, test raises, all others do nothing.

    Args:
        environment: Its name. Default: the variable ``LINESIDE_ENV``.
    """
    name = os.environ.get("LINESIDE_ENV", "") if environment is None else environment
    return _MODES.get(name, "off")


def checked_mode(mode: NPlusOneMode | None) -> NPlusOneMode:
    """Return a mode, or that of the environment.

    Raises:
        ConfigurationError: The mode is unknown.
    """
    chosen = default_n_plus_one_mode() if mode is None else mode
    if chosen not in get_args(NPlusOneMode):
        raise ConfigurationError(
            f"unknown n_plus_one={chosen!r}; it is one of {', '.join(get_args(NPlusOneMode))}"
        )
    return chosen


def watch_for_n_plus_one(
    engine: Engine | AsyncEngine, mode: NPlusOneMode | None = None, *, threshold: int = _THRESHOLD
) -> None:
    """Watch what runs on an engine for N+1 queries.

    Code in ``site-packages`` is a library's; a place is always a line of other code.

    Args:
        engine: The engine. Off means that nothing listens to it, and nothing is slower.
        mode: ``"warn"`` warns and logs once for each place; ``"raise"`` raises `NPlusOneQueriesError`
            instead of running the query; default: `default_n_plus_one_mode`.
        threshold: How often a SELECT may run from one place in one transaction before it counts, each
            time with other values: the third time by default.

    Raises:
        ConfigurationError: The mode is unknown.
    """
    chosen = checked_mode(mode)
    if chosen != "off":
        sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
        report = _raise if chosen == "raise" else _warn_once()
        event.listen(sync_engine, "before_cursor_execute", _Watch(threshold, report))


@contextmanager
def collect_n_plus_one(*, threshold: int = _THRESHOLD) -> Generator[list[str]]:
    """Collect the N+1 queries of all engines while the block runs.

    Args:
        threshold: As for `watch_for_n_plus_one`.

    Yields:
        A message for each query that counts.
    """
    found: list[str] = []
    watch = _Watch(threshold, lambda message, _place: found.append(message))
    event.listen(Engine, "before_cursor_execute", watch)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", watch)


class _Watch:
    """What has run on one engine: per connection, statement and place, the values it ran with."""

    def __init__(self, threshold: int, report: Callable[[str, Place], None]) -> None:
        self._threshold = threshold
        self._report = report
        # A session takes a new Connection for each transaction: what it held goes with it.
        self._seen: WeakKeyDictionary[Connection, dict[tuple[str, Place], set[int]]] = WeakKeyDictionary()

    def __call__(
        self, connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        """Count a statement that is about to run."""
        if _is_allowed.get() or not statement.startswith(("SELECT", "select")):
            return
        place = _place()
        if not place:
            return
        seen = self._seen.setdefault(connection, {})
        if len(seen) >= _PLACES:
            seen.clear()
        values = seen.setdefault((statement, place), set())
        if len(values) < self._threshold:
            values.add(hash(repr(parameters)))
        if len(values) >= self._threshold:
            self._report(_message(statement, place), place)


def _message(statement: str, place: Place) -> str:
    filename, line = place[0]
    return (
        f"{filename}:{line} runs this query once for each record of a list; {_remedy()}, "
        f"or say `with allow_n_plus_one():` if it is meant: {statement[:500]}"
    )


def _raise(message: str, _place: Place) -> None:
    raise NPlusOneQueriesError(message)


def _warn_once() -> Callable[[str, Place], None]:
    """Return what warns once for each place."""
    warned: set[Place] = set()

    def warn(message: str, place: Place) -> None:
        if place in warned or len(warned) >= _PLACES:
            return
        warned.add(place)
        _logger.warning("N+1 queries: %s", message)
        warnings.warn_explicit(message, NPlusOneWarning, *place[0])

    return warn


def _place() -> Place:
    """Return the lines of the user's code that led here, the innermost first; none for what is exempt."""
    lines: list[tuple[str, int]] = []
    for frame in _frames():
        code = frame.f_code
        if code.co_filename in _EXEMPT:
            return ()
        if code.co_filename == strategies.__file__ and code.co_name.startswith("_load_via_"):
            return ()  # one of the parts in which `selectinload` asks for many keys
        if _is_users(code.co_filename):
            lines.append((code.co_filename, frame.f_lineno))
    return tuple(lines)


def _frames() -> Iterator[FrameType]:
    """Walk from here outwards, also from SQLAlchemy's greenlet into the coroutine that waits for it."""
    current: greenlet.greenlet | None = greenlet.getcurrent()
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while current is not None:
        while frame is not None:
            yield frame
            frame = frame.f_back
        current = current.parent
        frame = None if current is None else current.gr_frame


@lru_cache(maxsize=4096)
def _is_users(filename: str) -> bool:
    return not filename.startswith(("<", *_LIBRARIES))


def _remedy() -> str:
    name = next(filter(None, map(_lazy.name_being_loaded, _frames())), None)
    if name is not None:
        return f'add .includes("{name}") to the query that finds them'
    return "ask for all of them at once, with .includes(...) on the query that finds them or .where(id=[...])"
