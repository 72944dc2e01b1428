"""Where a token may be in a request.

In this order: ``Authorization: Bearer``, the WebSocket subprotocol ``anycable-token.<token>``, AnyCable's
header ``x-jid``, and the query parameters ``jid`` (AnyCable) and ``token`` (GoHub). The first place that
has one decides. Browsers can set the subprotocol but no header; a query string ends in access logs, so
prefer the subprotocol, or a one-time ticket.
"""

from typing import Final

from lineside.cable._auth._bearer import bearer_token
from lineside.cable._auth._headers import Scope, header_values, query_values
from lineside.cable._auth._refusals import InvalidToken

__all__ = ["TOKEN_SUBPROTOCOL", "find_token"]

TOKEN_SUBPROTOCOL: Final = "anycable-token."  # noqa: S105 - the prefix of one
"""The prefix of a subprotocol that carries a token; a server never selects it."""


def find_token(scope: Scope, *, query: bool = True) -> str | None:
    """Return the token of a request, which may be empty; None without one.

    Args:
        scope: The request's ASGI scope.
        query: Look into the query string too.

    Raises:
        InvalidToken: One place has several tokens.
    """
    bearer = bearer_token(scope)
    if bearer is not None:
        return bearer
    offered: list[str] = [
        name.removeprefix(TOKEN_SUBPROTOCOL)
        for name in scope.get("subprotocols", ())
        if name.startswith(TOKEN_SUBPROTOCOL)
    ]
    places = [offered, header_values(scope, b"x-jid")]
    if query:
        places += [query_values(scope, "jid"), query_values(scope, "token")]
    for found in places:
        if len(found) > 1:
            raise InvalidToken("several tokens in one place")
        if found:
            return found[0]
    return None
