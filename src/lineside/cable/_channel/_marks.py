"""The decorators of a channel: they only mark, the class collects and checks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Never, TypeVar

from lineside.callbacks import declare
from lineside.exceptions import CallbackError

__all__ = [
    "PERIODIC",
    "PHASE",
    "RESCUES",
    "Periodic",
    "after_command",
    "after_subscribe",
    "after_unsubscribe",
    "around_command",
    "before_command",
    "before_subscribe",
    "before_unsubscribe",
    "periodically",
    "rescue_from",
]

PHASE: Final = "cable_phase"
PERIODIC: Final = "__lineside_periodic__"
RESCUES: Final = "__lineside_rescues__"
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Periodic:
    """A method that runs again and again while a client is subscribed.

    Attributes:
        name: The method's name.
        seconds: How long to wait between two runs.
    """

    name: str
    seconds: float


def _only_options(decorator: str, given: tuple[object, ...]) -> None:
    """Refuse what stands where options belong: mostly the method, when the parentheses are missing."""
    if given:
        raise CallbackError(f"write @{decorator}() with parentheses above the method, options by name")


def before_subscribe(*misplaced: Never) -> Callable[[_Function], _Function]:
    """Run a method before ``subscribed`` (as Rails' `before_subscribe`).

    It refuses by `Channel.reject`, or by raising; what comes behind it is skipped then.

    Args:
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("before_subscribe", misplaced)
    return declare("before", **{PHASE: "subscribe"})


def after_subscribe(*misplaced: Never) -> Callable[[_Function], _Function]:
    """Run a method after ``subscribed``, unless the subscription was rejected.

    Rails' `after_subscribe` runs then, too, unless told ``unless: :subscription_rejected?``.

    Args:
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("after_subscribe", misplaced)
    return declare("after", **{PHASE: "subscribe"})


def before_unsubscribe(*misplaced: Never) -> Callable[[_Function], _Function]:
    """Run a method before ``unsubscribed`` (as Rails' `before_unsubscribe`).

    Args:
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("before_unsubscribe", misplaced)
    return declare("before", **{PHASE: "unsubscribe"})


def after_unsubscribe(*misplaced: Never) -> Callable[[_Function], _Function]:
    """Run a method after ``unsubscribed`` (as Rails' `after_unsubscribe`).

    Args:
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("after_unsubscribe", misplaced)
    return declare("after", **{PHASE: "unsubscribe"})


def before_command(
    *misplaced: Never, only: Iterable[str] | None = None, except_: Iterable[str] = ()
) -> Callable[[_Function], _Function]:
    """Run a method before actions; raising `RequestFailed` answers with it (as Rails' `before_command`).

    It runs before the action's arguments are validated. It returns nothing: a guard that returned
    False would guard nothing, so a value is an error.

    Args:
        only: The actions it runs for; None means all.
        except_: The actions it does not run for.
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("before_command", misplaced)
    return declare("before", only=only, except_=except_, **{PHASE: "command"})


def after_command(
    *misplaced: Never, only: Iterable[str] | None = None, except_: Iterable[str] = ()
) -> Callable[[_Function], _Function]:
    """Run a method after actions that did not fail (as Rails' `after_command`).

    The method takes what the action returned, or nothing; it returns nothing. Last declared, first run.

    Args:
        only: The actions it runs for; None means all.
        except_: The actions it does not run for.
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("after_command", misplaced)
    return declare("after", only=only, except_=except_, **{PHASE: "command"})


def around_command(
    *misplaced: Never, only: Iterable[str] | None = None, except_: Iterable[str] = ()
) -> Callable[[_Function], _Function]:
    """Run a generator around actions (as Rails' `around_command`).

    Its one ``yield`` runs the action and gives what it returned; an error of the action is raised there.

    Args:
        only: The actions it runs for; None means all.
        except_: The actions it does not run for.
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("around_command", misplaced)
    return declare("around", only=only, except_=except_, **{PHASE: "command"})


def rescue_from(*errors: type[Exception]) -> Callable[[_Function], _Function]:
    """Answer errors of this channel with a method (as Rails' `rescue_from`).

    The method takes the error, or nothing. What it returns answers the command; raising
    `RequestFailed` answers with a failure. It runs when the injected values have already seen the
    error, so sessions have rolled back. The most specific class wins. A subscription that failed
    stays rejected, whatever the method returns.

    Args:
        errors: The classes of errors it answers.

    Raises:
        CallbackError: Something else than classes of errors is given, or nothing.
    """
    # Without parentheses `errors` is the method itself, which would be lost.
    if not errors or not all(_is_error_class(error) for error in errors):
        raise CallbackError("rescue_from takes classes of errors: @rescue_from(KeyError)")

    def mark(function: _Function) -> _Function:
        setattr(function, RESCUES, (*getattr(function, RESCUES, ()), *errors))
        return function

    return mark


def periodically(seconds: float) -> Callable[[_Function], _Function]:
    """Run a method again and again while a client is subscribed (as Rails' `periodically`).

    The first run is ``seconds`` after the confirmation. A run never overlaps itself or an action of the
    same subscription; one that fails is logged, and the next one comes. The method is no action.

    Args:
        seconds: How long to wait between two runs.

    Raises:
        CallbackError: ``seconds`` is no number above 0.
    """
    given: object = seconds
    if type(given) not in (int, float) or not 0 < seconds < float("inf"):
        raise CallbackError("periodically takes the seconds between two runs: @periodically(5)")

    def mark(function: _Function) -> _Function:
        setattr(function, PERIODIC, float(seconds))
        return function

    return mark


def _is_error_class(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, Exception)
