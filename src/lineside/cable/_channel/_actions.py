"""Which methods of a channel a client may call: an allow-list, as Rails' ``action_methods``."""

import inspect
from typing import Final

from lineside.cable._channel._declaration import Declaration, is_marked
from lineside.exceptions import CallbackError

__all__ = ["actions_of"]

_LIFECYCLE: Final = frozenset({"subscribed", "unsubscribed"})


def actions_of(channel: type, root: type, declared: Declaration) -> tuple[str, ...]:
    """Name the actions: public methods that the user's channel classes define.

    Never one is a name that `Channel` itself has, ``subscribed``, ``unsubscribed``, a callback, a rescue, a
    timer, a property, a static or class method, a class, or a method of a mixin that is no channel:
    clients choose the name, so a helper that came along by inheritance must not be reachable.

    Args:
        channel: The class.
        root: `Channel`.
        declared: What the class declares.

    Raises:
        CallbackError: A generator stands where an action should.
    """
    names: dict[str, None] = {}
    for base in reversed(channel.__mro__):
        if base is root or not issubclass(base, root):
            continue
        for name, member in vars(base).items():
            if not name.startswith("_") and inspect.isfunction(member):
                names[name] = None
    taken = declared.methods | _LIFECYCLE
    return tuple(name for name in names if name not in taken and _is_action(channel, root, name))


def _is_action(channel: type, root: type, name: str) -> bool:
    if hasattr(root, name):
        return False
    # A subclass may have put something else in a method's place: that takes the action away.
    member = inspect.getattr_static(channel, name)
    if not inspect.isfunction(member) or is_marked(member):
        return False
    if inspect.isgeneratorfunction(member) or inspect.isasyncgenfunction(member):
        raise CallbackError(
            f"{channel.__name__}.{name} is a generator, and no client can call one; "
            "transmit each value in a plain action, or name the method with a leading underscore"
        )
    return True
