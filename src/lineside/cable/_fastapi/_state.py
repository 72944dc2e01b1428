"""Where an app's cables are found: by name, in its state."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import HTTPConnection

from lineside.cable._cable import Cable
from lineside.cable._protocol._identity import Identity
from lineside.exceptions import ConfigurationError

__all__ = ["IDENTITY", "CableDep", "IdentityDep", "cable_named", "cables_of", "get_cable", "get_identity"]

_STATE: Final = "lineside_cables"
IDENTITY: Final = "lineside.cable.identity"
"""The key of a scope under which dependencies find who is connected."""


def cables_of(app: Any) -> dict[str, Cable]:
    """Return the cables of an app that runs, by name; what is changed there is changed for all.

    Args:
        app: The FastAPI app.
    """
    cables: dict[str, Cable] | None = getattr(app.state, _STATE, None)
    if cables is None:
        cables = {}
        setattr(app.state, _STATE, cables)
    return cables


async def get_cable(connection: HTTPConnection) -> Cable:
    """Return the app's cable; for ``Depends``. Of several it is the one called ``"default"``.

    Raises:
        ConfigurationError: The app has none, or does not run.
    """
    cables = cables_of(connection.app)
    return next(iter(cables.values())) if len(cables) == 1 else _find(cables, "default")


def cable_named(name: str) -> Callable[[HTTPConnection], Awaitable[Cable]]:
    """Return a dependency that gives one of several cables of an app.

    Args:
        name: The ``name=`` of its `cable_router`.
    """

    async def get_named_cable(connection: HTTPConnection) -> Cable:
        return _find(cables_of(connection.app), name)

    return get_named_cable


def _find(cables: dict[str, Cable], name: str) -> Cable:
    cable = cables.get(name)
    if cable is None:
        known = ", ".join(map(repr, cables)) or "none"
        raise ConfigurationError(
            f"the app has no running cable called {name!r} (there is {known}): include cable_router(...) in "
            "the app that is served, and start its lifespan: in tests `with TestClient(app):`"
        )
    return cable


async def get_identity(connection: HTTPConnection) -> Identity:
    """Return who is connected; for the dependencies of channels.

    Raises:
        ConfigurationError: This is not resolved for a connection of a cable.
    """
    identity: Identity | None = connection.scope.get(IDENTITY)
    if identity is None:
        raise ConfigurationError("only the dependencies of channels know who is connected to the cable")
    return identity


CableDep = Annotated[Cable, Depends(get_cable)]
"""The app's `Cable`."""

IdentityDep = Annotated[Identity, Depends(get_identity)]
"""In the dependencies of channels: who is connected, as it was decided before the upgrade."""
