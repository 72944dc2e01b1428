"""The WebSocket's route: raw ASGI, so that nothing of a request is kept for the life of a socket."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, params
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, WebSocketRoute

from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["Place", "SocketRoute", "add_sockets", "place_of"]


class SocketRoute(WebSocketRoute):
    """A WebSocket route for an ASGI app, which may stand at a router's own prefix.

    FastAPI's own keeps two exit stacks and a session for as long as a socket lives.

    Args:
        path: Its path, ``""`` for the prefix itself.
        endpoint: The ASGI app.
        name: For ``url_path_for``.
    """

    def __init__(self, path: str, endpoint: Any, *, name: str) -> None:
        super().__init__(path or "/", endpoint, name=name)
        # FastAPI puts the prefix in front of it where the router is included.
        self.path = path


def add_sockets(router: APIRouter, endpoint: Any, *, name: str) -> None:
    """Add the WebSocket at the router's prefix, with and without a slash behind it.

    Args:
        router: The cable's router.
        endpoint: The ASGI app.
        name: For ``url_path_for``.
    """
    router.routes += [SocketRoute("", endpoint, name=name), SocketRoute("/", endpoint, name=name)]
    router.add_api_route("", _ask_for_upgrade, methods=["GET"], include_in_schema=False)


async def _ask_for_upgrade() -> None:
    # RFC 9110 section 15.5.22: the answer names the protocol.
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    raise HTTPException(426, "this is a WebSocket endpoint; connect with a WebSocket client", headers)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a router was included.

    Attributes:
        path: The prefixes above it, with their parameters.
        dependencies: What the including routers resolve first, outermost first.
    """

    path: str
    dependencies: Sequence[params.Depends]


def place_of(marker: BaseRoute, routes: Sequence[BaseRoute], *, below: str) -> Place:
    """Find where a router was included, by one of its routes.

    Args:
        marker: An HTTP route of it, without dependencies of its own.
        routes: The app's.
        below: The marker's path in its router.

    Raises:
        CableConfigurationError: It was included twice, or nowhere.
    """
    found = [each for each in iter_route_contexts(routes) if each.original_route is marker]
    if len(found) != 1:
        raise CableConfigurationError(
            f"the cable's router is included {len(found)} times in the app that starts it; include it once, "
            "and give a second cable a router and a name of its own"
        )
    path = (found[0].path or "").removesuffix(below)
    return Place(path, tuple(getattr(found[0], "dependencies", ())))
