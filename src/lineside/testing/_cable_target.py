"""What the cable helpers are given: a cable, or an app that has one."""

from collections.abc import Iterable
from typing import Any

from lineside.cable import Cable
from lineside.exceptions import ConfigurationError

__all__ = ["cable_of", "cables_in"]


def cable_of(target: Any) -> Cable:
    """Return the cable of a target.

    Args:
        target: A `Cable`, what has one as ``cable`` (the router), or an app that runs; of several cables
            of an app it is the one called ``"default"``.

    Raises:
        ConfigurationError: There is none.
    """
    own = _own(target)
    if own is not None:
        return own
    cables = _named(target)
    found = next(iter(cables.values())) if len(cables) == 1 else cables.get("default")
    if found is None:
        raise ConfigurationError(
            f"{type(target).__name__} has no running cable; give a Cable, or an app that includes "
            "cable_router(...), inside of `async with running(app):` or of a connected CableClient"
        )
    return found


def cables_in(target: Any) -> Iterable[Cable]:
    """Return every cable of a target; of an app those that run, and none of one that is not FastAPI's.

    Args:
        target: The app, or as for `cable_of`.
    """
    own = _own(target)
    return _named(target).values() if own is None else [own]


def _own(target: Any) -> Cable | None:
    own = target if isinstance(target, Cable) else getattr(target, "cable", None)
    return own if isinstance(own, Cable) else None


def _named(target: Any) -> dict[str, Cable]:
    state = getattr(target, "state", None)
    if state is None:
        return {}
    from lineside.cable._fastapi._state import cables_of

    return cables_of(target)
