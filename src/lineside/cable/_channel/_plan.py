"""What one channel class needs at run time, worked out once when it is registered."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import TypeAdapter

from lineside.cable._channel._arguments import Arguments, adapter_of, hints_of
from lineside.cable._channel._channel import Channel
from lineside.cable._channel._injection import (
    Inject,
    NewAbility,
    dependencies_of,
    refuse_dependencies,
)
from lineside.cable._channel._marks import Periodic
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._values import json_value
from lineside.callbacks import Planned, adapted

__all__ = ["ActionPlan", "ChannelPlan", "RescuePlan", "TimerPlan", "plan_channel"]

_NAME_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """An action, or ``subscribed``.

    Attributes:
        name: The method's name.
        call: What runs, with the channel as its first argument.
        arguments: What it takes from the client.
        answers: Shapes the answer by the return annotation; None when there is none.
        callbacks: What runs around it.
    """

    name: str
    call: Callable[..., Any]
    arguments: Arguments
    answers: TypeAdapter[Any] | None = None
    callbacks: tuple[Planned, ...] = ()

    def answer(self, returned: Any) -> Any:
        """Return the answer as a JSON value, shaped by the return annotation as FastAPI's responses are."""
        if self.answers is None:
            return json_value(returned)
        checked = self.answers.validate_python(returned, from_attributes=True)
        return self.answers.dump_python(checked, mode="json", by_alias=True)


@dataclass(frozen=True, slots=True)
class RescuePlan:
    """A method that answers errors."""

    name: str
    call: Callable[..., Any]
    takes_error: bool


@dataclass(frozen=True, slots=True)
class TimerPlan:
    """A method that runs again and again."""

    periodic: Periodic
    call: Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPlan:
    """A channel's class, ready to be opened.

    Attributes:
        channel: The class.
        subscribed: Its ``subscribed`` with the callbacks; the call does nothing if it has none of its own.
        unsubscribed: Its ``unsubscribed``, or None.
        unsubscribe: The callbacks around that.
        actions: By name.
        rescues: By class of error.
        timers: What runs again and again.
        dependencies: The injected attributes.
        inject: Resolves them.
        new_ability: Makes abilities.
    """

    channel: type[Channel]
    subscribed: ActionPlan
    unsubscribed: Callable[..., Any] | None
    unsubscribe: tuple[Planned, ...]
    actions: Mapping[str, ActionPlan]
    rescues: Mapping[type[Exception], RescuePlan]
    timers: tuple[TimerPlan, ...]
    dependencies: Mapping[str, inspect.Parameter]
    inject: Inject | None
    new_ability: NewAbility | None

    def rescue_for(self, error: Exception) -> RescuePlan | None:
        """Return what answers an error: the handler of the most specific class."""
        for kind in type(error).__mro__:
            if kind in self.rescues:
                return self.rescues[kind]
        return None


def plan_channel(
    channel: type[Channel], *, inject: Inject | None = None, new_ability: NewAbility | None = None
) -> ChannelPlan:
    """Work out a channel's class.

    Args:
        channel: The class.
        inject: Resolves injected attributes.
        new_ability: Makes abilities.

    Raises:
        CableConfigurationError: The class cannot be a channel that clients may use; the message says why.
    """
    _check(channel)
    _check_parameters(channel)
    declared = channel.__lineside_declaration__
    dependencies = dependencies_of(channel)
    if inject is None:
        refuse_dependencies(channel, dependencies)
    return ChannelPlan(
        channel=channel,
        subscribed=ActionPlan(
            "subscribed",
            adapted(channel.subscribed) if _has_own(channel, "subscribed") else _nothing,
            _arguments(channel, "subscribed", place="params"),
            callbacks=declared.callbacks["subscribe"].applying_to("subscribe", channel),
        ),
        unsubscribed=adapted(channel.unsubscribed) if _has_own(channel, "unsubscribed") else None,
        unsubscribe=declared.callbacks["unsubscribe"].applying_to("unsubscribe", channel),
        actions={name: _plan_action(channel, name) for name in channel.__lineside_actions__},
        rescues={error: _plan_rescue(channel, name) for error, name in declared.rescues.items()},
        timers=tuple(TimerPlan(each, adapted(getattr(channel, each.name))) for each in declared.periodics),
        dependencies=dependencies,
        inject=inject,
        new_ability=new_ability,
    )


def _check(channel: type[Channel]) -> None:
    name: object = cast("object", channel.channel_name)
    if channel is Channel or inspect.isabstract(channel):
        raise CableConfigurationError(f"{channel.__name__} is abstract; register a class derived from it")
    if not isinstance(name, str) or not 0 < len(name.encode()) <= _NAME_BYTES:
        raise CableConfigurationError(
            f"{channel.__name__}.channel_name is text of 1 to {_NAME_BYTES} bytes, not {name!r:.40}"
        )
    guards = channel.__lineside_declaration__.callbacks["subscribe"].entries
    if not (channel.public or _has_own(channel, "subscribed") or any(c.kind == "before" for c in guards)):
        raise CableConfigurationError(
            f"{channel.__name__} is a channel without a rule: nobody could subscribe. Define `subscribed` "
            "and call self.authorize(...) or self.allow(...) in it, or set `public = True`"
        )
    try:
        inspect.signature(channel).bind()
    except TypeError as error:
        raise CableConfigurationError(
            f"{channel.__name__}.__init__ {error}; a channel is made without arguments, for each subscription"
        ) from None


def _check_parameters(channel: type[Channel]) -> None:
    """Refuse what would be called with other arguments than it takes."""
    declared = channel.__lineside_declaration__
    # By name, how many arguments beside `self` it may be given: an after gets the result, a rescue the error.
    given = {"unsubscribed": 0, **dict.fromkeys((each.name for each in declared.periodics), 0)}
    for callbacks in declared.callbacks.values():
        given |= {each.name: int(each.kind == "after") for each in callbacks.entries}
    given |= dict.fromkeys(declared.rescues.values(), 1)
    for name, most in given.items():
        parameters = list(inspect.signature(getattr(channel, name)).parameters.values())[1:]
        needed = [each for each in parameters if each.default is inspect.Parameter.empty]
        if len(needed) > most:
            raise CableConfigurationError(
                f"{channel.__name__}.{name} takes `{needed[most]}`, which nobody gives it; "
                "read self.params, or keep what `subscribed` found in an attribute"
            )


def _has_own(channel: type[Channel], name: str) -> bool:
    return getattr(channel, name) is not getattr(Channel, name)


async def _nothing(_channel: Channel) -> None:
    """Stand for a ``subscribed`` that the class does not define."""


def _arguments(channel: type[Channel], method: str, *, place: str) -> Arguments:
    own = _has_own(channel, method) if hasattr(Channel, method) else True
    function = getattr(channel, method) if own else _nothing
    return Arguments(function, name=f"{channel.__name__}.{method}", place=place)


def _plan_action(channel: type[Channel], name: str) -> ActionPlan:
    function = getattr(channel, name)
    where = f"{channel.__name__}.{name}"
    returned = hints_of(function, name=where).get("return", Any)
    return ActionPlan(
        name,
        adapted(function),
        _arguments(channel, name, place="data"),
        None if returned in (Any, type(None)) else adapter_of(returned, name=f"{where} -> ..."),
        channel.__lineside_declaration__.callbacks["command"].applying_to(name, channel),
    )


def _plan_rescue(channel: type[Channel], name: str) -> RescuePlan:
    function = getattr(channel, name)
    return RescuePlan(name, adapted(function), len(inspect.signature(function).parameters) > 1)
