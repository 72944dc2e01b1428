"""Whether a node takes connections, for load balancers and rolling deploys."""

from datetime import UTC, datetime
from typing import Final, Literal

from fastapi import APIRouter, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from lineside import __version__
from lineside.cable._cable import Cable

__all__ = ["HEALTH", "Health", "add_health"]

HEALTH: Final = "/health"
"""The path below the router's prefix."""


class Health(BaseModel):
    """The state of a node, with the fields of GoHub's.

    Attributes:
        status: ``"ok"``; ``"draining"``: it takes no connections, ask another node; ``"degraded"``: its bus
            does not answer.
        connections: How many this node has.
        bus: Whether the bus answers.
        time: The node's clock (RFC 3339).
        version: lineside's.
    """

    status: Literal["ok", "draining", "degraded"]
    connections: int
    bus: Literal["ok", "unavailable"]
    time: datetime
    version: str


def add_health(router: APIRouter, cable: Cable) -> APIRoute:
    """Add ``GET /health``: 200, or 503 while the node takes no connections or its bus is away.

    Args:
        router: The cable's router.
        cable: The cable.

    Returns:
        The route.
    """

    async def health(response: Response) -> Health:
        found = _health_of(cable)
        if found.status != "ok":
            response.status_code = 503
        response.headers["Cache-Control"] = "no-store"
        return found

    router.add_api_route(
        HEALTH,
        health,
        methods=["GET"],
        responses={503: {"model": Health, "description": "This node takes no connections"}},
        summary="Whether the cable takes connections",
    )
    route = router.routes[-1]
    assert isinstance(route, APIRoute)
    router.add_api_route(HEALTH, health, methods=["HEAD"], include_in_schema=False)
    return route


def _health_of(cable: Cable) -> Health:
    connected = cable.bus.connected
    return Health(
        status="draining" if not cable.accepting else "ok" if connected else "degraded",
        connections=len(cable.connections),
        bus="ok" if connected else "unavailable",
        time=datetime.now(UTC),
        version=__version__,
    )
