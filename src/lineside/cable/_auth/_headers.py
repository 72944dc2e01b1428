"""Headers and query parameters of an ASGI scope, read without trusting that they come once."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["Scope", "header_values", "query_values", "single_header"]

Scope = Mapping[str, Any]
"""An ASGI scope of type ``"http"`` or ``"websocket"``."""

_MAX_QUERY_FIELDS = 100


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return every value of a header, in the order they came.

    Args:
        scope: The request's ASGI scope.
        name: The header's name in lower case.
    """
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key.lower() == name]


def single_header(scope: Scope, name: bytes) -> str | None:
    """Return a header that has one value; None when it is absent or came twice.

    Args:
        scope: The request's ASGI scope.
        name: The header's name in lower case.
    """
    values = header_values(scope, name)
    return values[0] if len(values) == 1 else None


def query_values(scope: Scope, name: str) -> list[str]:
    """Return every value of a query parameter; none of them when there are over 100 parameters.

    Args:
        scope: The request's ASGI scope.
        name: The parameter's name.
    """
    raw: bytes = scope.get("query_string", b"")
    if raw.count(b"&") >= _MAX_QUERY_FIELDS:
        return []
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
    return [value for key, value in pairs if key == name]
