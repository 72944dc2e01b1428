"""The callbacks of a class, planned once, and how they run in SQLAlchemy's sync world."""

import inspect as python_inspect
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from lineside.callbacks import Callback, Callbacks
from lineside.exceptions import CallbackError
from lineside.models._lifecycle._callbacks import WELL_KNOWN, Condition, Moment
from lineside.models._per_class import kept_on

_PLAN: Final = "__lineside_plan__"
_ENDED: Final = object()
WAITING: Final[tuple[Moment, ...]] = ("commit", "rollback")
"""The moments that come when the transaction is over."""


@dataclass(frozen=True, slots=True)
class Step:
    """One callback at one moment of a class.

    Attributes:
        kind: ``"before"``, ``"after"`` or ``"around"``.
        function: The method as it stands in the class.
        label: How errors name it.
        on: The actions for which it runs.
        if_: A condition that must hold.
        unless: A condition that must not.
    """

    kind: str
    function: Callable[[Any], Any]
    label: str
    on: frozenset[str]
    if_: Condition | None
    unless: Condition | None

    def applies_to(self, record: Any, action: str) -> bool:
        """Tell whether it runs for this record and action."""
        if action not in self.on:
            return False
        return (self.if_ is None or holds(self.if_, record)) and (
            self.unless is None or not holds(self.unless, record)
        )

    @property
    def is_async(self) -> bool:
        """Whether its function says that it has to be waited for."""
        return python_inspect.iscoroutinefunction(self.function) or python_inspect.isasyncgenfunction(
            self.function
        )

    def run(self, record: Any) -> None:
        """Run a before or after callback to its end."""
        settled(self.function(record), self.label)

    def begin(self, record: Any) -> "Around":
        """Run the first half of an around callback."""
        around = Around(self.function(record), self.label)
        if around.step() is _ENDED:
            raise CallbackError(f"{self.label} ended without `yield`; yield once")
        return around


class Around:
    """An around callback between its two halves."""

    __slots__ = ("_generator", "_label")

    def __init__(self, generator: Any, label: str) -> None:
        self._generator = generator
        self._label = label

    def step(self) -> object:
        """Run to the next ``yield``, or to the end."""
        if isinstance(self._generator, Generator):
            return next(self._generator, _ENDED)
        return settled(anext(self._generator, _ENDED), self._label)

    def finish(self) -> None:
        """Run the second half."""
        if self.step() is not _ENDED:
            self.close()
            raise CallbackError(f"{self._label} yielded twice; yield once")

    def close(self) -> None:
        """Leave the second half out, except for its ``finally``: the record was not written."""
        if isinstance(self._generator, Generator):
            self._generator.close()
        else:
            settled(self._generator.aclose(), self._label)


def settled(value: Any, label: str) -> Any:
    """Wait for what a callback of the user gave, if it must be waited for.

    Raises:
        CallbackError: It must, and the session is a sync one.
    """
    if not python_inspect.isawaitable(value):
        return value
    if not in_greenlet():
        if python_inspect.iscoroutine(value):
            value.close()
        raise _sync_error(label)
    return await_only(value)


def refuse_async(owner: type, action: str) -> None:
    """Refuse the records of a class whose callbacks nobody here can wait for, whatever their conditions.

    An after_commit would find that out when its row is committed.

    Raises:
        CallbackError: One is async, and the session is a sync one.
    """
    if in_greenlet():
        return
    saving: tuple[Moment, ...] = () if action == "destroy" else ("save",)
    for moment in (*saving, cast("Moment", action), *WAITING):
        for step in steps(owner, moment):
            if step.is_async and action in step.on:
                raise _sync_error(step.label)


def holds(condition: Condition, record: Any) -> bool:
    """Evaluate an ``if_`` or ``unless``: a name on the record, or a function of it."""
    if callable(condition):
        return bool(settled(condition(record), "a condition"))
    value = getattr(record, condition)
    return bool(settled(value(), condition) if callable(value) else value)


def steps(owner: type, moment: Moment) -> tuple[Step, ...]:
    """Return the callbacks of a class at a moment, in the order in which they were declared."""
    return kept_on(owner, _PLAN, lambda: _planned(owner))[moment]


def _planned(owner: type) -> dict[str, tuple[Step, ...]]:
    plan: dict[str, tuple[Step, ...]] = {moment: () for _, moment, _ in WELL_KNOWN.values()}
    for callback in _declared(owner):
        for at in callback.only or ():
            plan[at] = (*plan[at], _step(callback, owner, at))
    return plan


def _sync_error(label: str) -> CallbackError:
    return CallbackError(
        f"{label} is async, and this session is a sync Session; write it with `def`, "
        "or save through an AsyncSession"
    )


def _declared(owner: type) -> Iterable[Callback]:
    """Collect what a class and its bases declare; what is declared again moves to the end."""
    found: dict[tuple[str, frozenset[str] | None, str], Callback] = {}
    for base in reversed(owner.__mro__):
        marked = Callbacks.declared_in(base)
        names = {callback.name for callback in marked}
        plain = [
            _well_known(name)
            for name, member in vars(base).items()
            if name in WELL_KNOWN and name not in names and python_inspect.isfunction(member)
        ]
        for callback in (*marked, *plain):
            key = (callback.kind, callback.only, callback.name)
            found.pop(key, None)
            found[key] = callback
    return found.values()


def _well_known(name: str) -> Callback:
    kind, moment, on = WELL_KNOWN[name]
    return Callback(kind, name, only=frozenset({moment}), options={"on": on, "if_": None, "unless": None})


def _step(callback: Callback, owner: type, moment: str) -> Step:
    function = callback.target(owner)
    label = f"{owner.__name__}.{callback.name} ({callback.kind} {moment})"
    is_generator = python_inspect.isgeneratorfunction(function) or python_inspect.isasyncgenfunction(function)
    if is_generator != (callback.kind == "around"):
        raise CallbackError(
            f"{label}: an around callback is a generator with one `yield`, and no other callback is one"
        )
    options = callback.options
    return Step(callback.kind, function, label, options["on"], options["if_"], options["unless"])
