"""Where a token may be in a request, and the request without it.

In this order: ``Authorization: Bearer``, the WebSocket subprotocol ``anycable-token.<token>``, AnyCable's
header ``x-jid``, and the query parameters ``jid`` (AnyCable) and ``token`` (GoHub). The first place that
has one decides. Browsers can set the subprotocol but no header; a query string ends in access logs, so
prefer the subprotocol, or a one-time ticket.
"""

from typing import Any, Final
from urllib.parse import unquote_plus

from lineside.cable._auth._bearer import bearer_token
from lineside.cable._auth._headers import Scope, header_values, query_values
from lineside.cable._auth._refusals import InvalidToken

__all__ = ["QUERY_SECRETS", "TOKEN_SUBPROTOCOL", "find_token", "without_tokens"]

TOKEN_SUBPROTOCOL: Final = "anycable-token."  # noqa: S105 - the prefix of one
"""The prefix of a subprotocol that carries a token; a server never selects it."""

QUERY_SECRETS: Final = ("jid", "token", "ticket")
"""Query parameters that never reach a log."""

_SECRET_HEADERS: Final = frozenset({b"authorization", b"x-jid"})
_PROTOCOLS: Final = b"sec-websocket-protocol"


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


def without_tokens(scope: Scope) -> dict[str, Any]:
    """Return a copy of a scope that channels may see and logs may print: no token is left in it.

    Cookies stay: an app's own dependencies read its session from them.

    Args:
        scope: The request's ASGI scope.
    """
    clean = dict(scope)
    clean["headers"] = [
        (name, _public_protocols(value) if name.lower() == _PROTOCOLS else value)
        for name, value in scope.get("headers", ())
        if name.lower() not in _SECRET_HEADERS
    ]
    if "subprotocols" in scope:
        clean["subprotocols"] = [
            name for name in scope["subprotocols"] if not name.startswith(TOKEN_SUBPROTOCOL)
        ]
    clean["query_string"] = b"&".join(
        part
        for part in scope.get("query_string", b"").split(b"&")
        if unquote_plus(part.partition(b"=")[0].decode("latin-1")) not in QUERY_SECRETS
    )
    return clean


def _public_protocols(value: bytes) -> bytes:
    names = [name.strip() for name in value.split(b",")]
    return b", ".join(name for name in names if not name.startswith(TOKEN_SUBPROTOCOL.encode()))
