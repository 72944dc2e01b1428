"""What a channel's class declares: callbacks by phase, rescues and timers, checked when it is made."""

from dataclasses import dataclass, field
from typing import Any, Final

from lineside.cable._channel._marks import PERIODIC, PHASE, RESCUES, Periodic
from lineside.callbacks import Callbacks
from lineside.exceptions import CallbackError

__all__ = ["PHASES", "Declaration", "declaration_of", "is_marked"]

PHASES: Final = ("subscribe", "unsubscribe", "command")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a class and its bases declare.

    Attributes:
        callbacks: By phase: ``"subscribe"``, ``"unsubscribe"``, ``"command"``.
        rescues: The method that answers each class of errors.
        periodics: The methods that run again and again.
    """

    callbacks: dict[str, Callbacks] = field(default_factory=lambda: dict.fromkeys(PHASES, Callbacks()))
    rescues: dict[type[Exception], str] = field(default_factory=dict[type[Exception], str])
    periodics: tuple[Periodic, ...] = ()

    @property
    def methods(self) -> frozenset[str]:
        """The names of all methods that are declared to be something else than an action."""
        named = {callback.name for each in self.callbacks.values() for callback in each.entries}
        return frozenset({*named, *self.rescues.values(), *(each.name for each in self.periodics)})


def declaration_of(owner: type) -> Declaration:
    """Collect what a class declares, bases first; a method that overrides one takes its place.

    Args:
        owner: The channel's class.

    Raises:
        CallbackError: A callback was declared with a decorator of another concept.
    """
    declared = Declaration()
    callbacks, rescues = declared.callbacks, declared.rescues
    periodics: dict[str, Periodic] = {}
    for base in reversed(owner.__mro__):
        for callback in Callbacks.declared_in(base):
            phase = callback.options.get(PHASE)
            if phase not in PHASES:
                # Left out without a word, a guard would guard nothing.
                raise CallbackError(
                    f"{base.__name__}.{callback.name} is no callback of a channel; "
                    "write @before_command() or @before_subscribe() of lineside.cable"
                )
            callbacks[phase] = callbacks[phase].append(callback)
        for name, member in vars(base).items():
            rescues.update(dict.fromkeys(_mark(member, RESCUES, ()), name))
            seconds = _mark(member, PERIODIC, None)
            if seconds is not None:
                periodics[name] = Periodic(name, seconds)
    return Declaration(callbacks, rescues, tuple(periodics.values()))


def is_marked(member: object) -> bool:
    """Tell whether a class member is a callback, a rescue or a timer."""
    marks = (_mark(member, RESCUES, ()), _mark(member, PERIODIC, None))
    return Callbacks.declares(member) or any(marks)


def _mark(member: object, name: str, default: Any) -> Any:
    return getattr(member, name, default) if callable(member) and not isinstance(member, type) else default
