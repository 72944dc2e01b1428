"""Injected attributes of a channel: found here, resolved by a callable that knows the web framework."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from lineside.cable._channel._arguments import hints_of, is_dependency
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._ports import ConnectionPort

__all__ = ["Inject", "NewAbility", "dependencies_of", "refuse_dependencies"]

Inject = Callable[[type, ConnectionPort], AbstractAsyncContextManager[Mapping[str, Any]]]
"""Resolves the attributes that `dependencies_of` finds; entered for each run and closed behind it."""

NewAbility = Callable[[ConnectionPort], Any]
"""Makes the ability of who is connected; called at most once for each run."""


def dependencies_of(channel: type) -> dict[str, inspect.Parameter]:
    """Find the class attributes that are injected: ``name: Annotated[T, Depends(...)]``.

    Args:
        channel: The channel's class.

    Returns:
        Keyword-only parameters by attribute name, with evaluated annotations, bases first.

    Raises:
        CableConfigurationError: An annotation cannot be evaluated.
    """
    hints = hints_of(channel, name=channel.__name__)
    found: dict[str, inspect.Parameter] = {}
    for name, hint in hints.items():
        default = inspect.getattr_static(channel, name, inspect.Parameter.empty)
        if is_dependency(hint, default):
            found[name] = inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=hint,
                default=default if is_dependency(None, default) else inspect.Parameter.empty,
            )
    return found


def refuse_dependencies(channel: type, dependencies: Mapping[str, object]) -> None:
    """Refuse attributes that nobody would fill.

    Raises:
        CableConfigurationError: There are some.
    """
    if dependencies:
        raise CableConfigurationError(
            f"{channel.__name__}: nothing injects {', '.join(dependencies)}; register the channel with "
            "cable_router, or give ChannelRegistry inject="
        )
