"""``POST /ticket``: a one-time ticket for pages whose WebSocket or EventSource can set no header."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from lineside.cable._auth._headers import single_header
from lineside.cable._auth._tickets import Tickets
from lineside.cable._cable import Cable
from lineside.cable._fastapi._api_route import APIRouteOfCable
from lineside.cable._fastapi._gate import Gate
from lineside.signing import Signer

__all__ = ["Ticket", "add_tickets"]

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "Nobody is authenticated"},
    403: {"description": "The page's origin is refused"},
    429: {"description": "This peer asks too often"},
    501: {"description": "The bus keeps no values"},
    503: {"description": "The bus does not answer"},
}


class Ticket(BaseModel):
    """A ticket.

    Attributes:
        ticket: What goes into the query string: ``?ticket=``.
        expires_in: How long it is good, in seconds.
    """

    ticket: str = Field(repr=False)
    expires_in: float


class _OnBus:
    """Keeps tickets where every node finds them."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        await self._cable.bus.require_membership().put(key, value, ttl_seconds=ttl_seconds)

    async def take(self, key: str) -> bytes | None:
        return await self._cable.bus.require_membership().take(key)


def add_tickets(router: APIRouter, cable: Cable, gate: Gate, secret: str) -> None:
    """Add the route, and let the gate redeem what it issues.

    Args:
        router: The cable's router.
        cable: The cable.
        gate: Authenticates who asks, as it does for a socket.
        secret: Signs the tickets.
    """
    tickets = gate.tickets = Tickets(Signer([secret]), _OnBus(cable))

    async def issue(request: Request, response: Response) -> Ticket:
        """Ask for a ticket, with the token or cookie that a socket would need.

        It lets one connection in, from the same origin. What it stands for is what the token says now.
        """
        identity = await gate.admit_with_token(request.scope)
        ticket = await tickets.issue(identity, origin=single_header(request.scope, b"origin"))
        response.headers.update({"Cache-Control": "no-store", **gate.cors_headers(request.scope)})
        return Ticket(ticket=ticket, expires_in=tickets.ttl_seconds)

    route = APIRouter(route_class=APIRouteOfCable)
    route.add_api_route("/ticket", issue, methods=["POST"], responses=_ANSWERS, summary="Ask for a ticket")
    router.include_router(route)
