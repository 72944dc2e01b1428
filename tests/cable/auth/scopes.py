"""ASGI scopes and a clock for the tests of authentication."""

from typing import Any


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def websocket(
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    *,
    query: str = "",
    scheme: str = "wss",
    host: str | None = "app.example.com",
    subprotocols: list[str] | None = None,
) -> dict[str, Any]:
    """Return the scope of a WebSocket handshake."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    if host is not None:
        pairs.insert(0, ("host", host))
    if subprotocols:
        pairs.append(("sec-websocket-protocol", ", ".join(subprotocols)))
    return {
        "type": "websocket",
        "scheme": scheme,
        "path": "/cable",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "subprotocols": subprotocols or [],
        "client": ("192.0.2.1", 50_000),
    }


def http(headers: dict[str, str] | list[tuple[str, str]] | None = None, **more: Any) -> dict[str, Any]:
    """Return the scope of an HTTP request."""
    scope = websocket(headers, **{"scheme": "https", **more})
    del scope["subprotocols"]
    return {**scope, "type": "http", "method": "GET"}
