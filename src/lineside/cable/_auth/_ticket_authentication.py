"""Authentication by a one-time ticket where one came, and by something else where none did."""

from typing import Protocol

from lineside.cable._auth._headers import Scope, header_values, query_values
from lineside.cable._auth._refusals import InvalidTicket
from lineside.cable._auth._tickets import Tickets
from lineside.cable._protocol._identity import Identity

__all__ = ["Authentication", "TicketAuthentication", "redeemed"]


class Authentication(Protocol):
    """Tells who is behind a request: `JWTAuthentication`, `TicketAuthentication`, or an app's own."""

    async def authenticate(self, scope: Scope) -> Identity:
        """Return who it is.

        Args:
            scope: The request's ASGI scope.

        Raises:
            MissingToken: Nobody in particular; guests may be let in.
            AccessRefused: Somebody who may not come in.
        """
        ...


class TicketAuthentication:
    """Redeems ``?ticket=``; a request without one is left to another authentication.

    A ticket that is not good is refused, and never left to the other.

    Args:
        tickets: Redeems them.
        otherwise: Tells who comes without a ticket.
    """

    __slots__ = ("_otherwise", "_tickets")

    def __init__(self, tickets: Tickets, otherwise: Authentication) -> None:
        self._tickets = tickets
        self._otherwise = otherwise

    async def authenticate(self, scope: Scope) -> Identity:
        """Return whom the ticket was issued for.

        Args:
            scope: The request's ASGI scope; its Origin has been checked already.

        Raises:
            InvalidTicket: The ticket is forged, over, used, or from another Origin; or there are several.
            AccessRefused: There is none, and the other authentication refuses.
        """
        identity = await redeemed(self._tickets, scope)
        return await self._otherwise.authenticate(scope) if identity is None else identity


async def redeemed(tickets: Tickets, scope: Scope) -> Identity | None:
    """Redeem the ticket of a request.

    Args:
        tickets: Redeems it.
        scope: The request's ASGI scope; its Origin has been checked already.

    Returns:
        Whom it was issued for; None where there is no ticket.

    Raises:
        InvalidTicket: It is forged, over, used, or from another Origin; or there are several.
    """
    offered = query_values(scope, "ticket")
    if not offered:
        return None
    origins = header_values(scope, b"origin")
    if len(offered) > 1 or len(origins) > 1:
        raise InvalidTicket("several tickets or Origins")
    # An EventSource sends no Origin to its own; the page cannot set the header that says so (Fetch).
    site = header_values(scope, b"sec-fetch-site") if scope.get("type") == "http" else []
    return await tickets.redeem(
        offered[0], origin=origins[0] if origins else None, same_origin=site == ["same-origin"]
    )
