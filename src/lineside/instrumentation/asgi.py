"""The one middleware: request id, event, request metrics and the check of the host.

It is plain ASGI and goes around an app like any other:

    from fastapi import FastAPI

    from lineside.instrumentation.asgi import RequestContextMiddleware

    app = FastAPI()
    app.add_middleware(RequestContextMiddleware, allowed_hosts=["example.com", "localhost"])
"""

import re
import time
from asyncio import CancelledError
from collections.abc import Iterable, Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineside.exceptions import ConfigurationError
from lineside.instrumentation._events import Event, Notifier
from lineside.instrumentation._events import notifier as process_notifier
from lineside.instrumentation._hosts import AllowedHosts
from lineside.instrumentation._metrics import Metrics
from lineside.instrumentation._request_id import accept_request_id, current_request_id, new_request_id
from lineside.instrumentation.fastapi import RouteTemplates
from lineside.problems import problem_response

__all__ = ["EVENT", "SCOPE_KEY", "RequestContextMiddleware"]

EVENT: Final = "request.lineside"
"""The name of the event of each request and WebSocket."""

SCOPE_KEY: Final = "lineside.request_id"
"""Where the id stands in the ASGI scope, also for handlers that run outside of the middleware."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What proxies log when the client has gone before it was answered.
_CLIENT_GONE: Final = 499


class RequestContextMiddleware:
    """Gives each request and WebSocket an id, an event and its metrics; refuses foreign hosts.

    The id is in ``request_id()``, in ``scope["lineside.request_id"]`` and in the response.
    The event ``"request.lineside"`` carries ``type`` (``"http"`` or ``"websocket"``),
    ``method``, ``path``, ``route`` (the template, never the path) and ``status``; it comes when
    the app is done, and its duration ends with the last byte of the response.

    Args:
        app: The app inside.
        notifier: Where the events go; by default the one of the process.
        metrics: Where requests are recorded; None for nowhere. WebSockets are not recorded: the
            hours that one is open would say nothing about requests.
        allowed_hosts: The hosts that the app is known by, for instance ``["example.com",
            "*.example.com", "[::1]:8000"]``. Any other gets 400, a WebSocket is closed before
            it is accepted. None does not look.
        trust_request_id: Whether the id of a client or proxy is used, if it is well-formed.
        header: The name of the header of the request and of the response.

    Raises:
        ConfigurationError: A pattern of ``allowed_hosts`` or the name of the header is impossible.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        notifier: Notifier = process_notifier,
        metrics: Metrics | None = None,
        allowed_hosts: Sequence[str] | None = None,
        trust_request_id: bool = True,
        header: str = "X-Request-ID",
    ) -> None:
        if not _TOKEN.fullmatch(header):
            raise ConfigurationError(f"{header!r} is no name for a header; write for instance 'X-Request-ID'")
        self._app = app
        self._notifier = notifier
        self._metrics = metrics
        self._hosts = None if allowed_hosts is None else AllowedHosts(allowed_hosts)
        self._trusts = trust_request_id
        self._header = header.lower().encode()
        self._templates = RouteTemplates()
        # Only asked when this middleware goes around the whole app: inside, the scope knows it.
        self._inner = _with_routes(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket; anything else goes through untouched."""
        if scope["type"] != "http" and scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        # A middleware further out, of an app that this one is mounted in, has given an id already.
        identifier = scope.get(SCOPE_KEY)
        if identifier is None:
            identifier = scope[SCOPE_KEY] = self._identify(scope)
        exchange = _Exchange(send, (self._header, identifier.encode()))
        app, root_path = scope.get("app", self._inner), scope.get("root_path", "")
        token = current_request_id.set(identifier)
        try:
            if self._hosts is None or _is_for(self._hosts, scope):
                await self._app(scope, receive, exchange.send)
            else:
                await _refuse_host(scope, receive, exchange.send)
        except BaseException as error:
            self._tell(app, scope, exchange, root_path=root_path, error=error)
            # The id is left standing: the handler of unexpected errors and the server's own
            # log line come later, in the same task, which ends with the request.
            raise
        self._tell(app, scope, exchange, root_path=root_path)
        current_request_id.reset(token)

    def _identify(self, scope: Scope) -> str:
        if self._trusts:
            for name, value in scope["headers"]:
                if name == self._header:
                    return accept_request_id(value.decode("latin-1"))
        return new_request_id()

    def _tell(
        self,
        app: object,
        scope: Scope,
        exchange: "_Exchange",
        *,
        root_path: str,
        error: BaseException | None = None,
    ) -> None:
        metrics = self._metrics if scope["type"] == "http" else None
        heard = self._notifier.listens(EVENT)
        if metrics is None and not heard:
            return
        duration = (exchange.ended or time.perf_counter()) - exchange.started
        status = exchange.status
        if status is None:
            status = _CLIENT_GONE if isinstance(error, CancelledError) else 500
        route = self._templates.find(app, scope, root_path=root_path)
        method: str = scope.get("method", "WEBSOCKET")
        if metrics is not None:
            metrics.record_request(route, method, status, duration)
        if heard:
            payload = {
                "type": scope["type"],
                "method": method,
                "path": scope["path"],
                "route": route,
                "status": status,
            }
            self._notifier.publish(Event(EVENT, time.time() - duration, duration, payload, error))


class _Exchange:
    """What goes out for one request: the id is added, status and end are noted."""

    __slots__ = ("_id", "_send", "ended", "started", "status")

    def __init__(self, send: Send, identifier: tuple[bytes, bytes]) -> None:
        self._send = send
        self._id = identifier
        self.status: int | None = None
        self.started = time.perf_counter()
        self.ended: float | None = None

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            await self._send(message)
            if not message.get("more_body"):
                self.ended = time.perf_counter()
            return
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            self.status = message.get("status", 101)
            # Never in place: an app may send the same response object many times.
            message = {**message, "headers": self._with_id(message.get("headers", ()))}
        elif kind == "websocket.close" and self.status is None:
            self.status = 403
        await self._send(message)

    def _with_id(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        listed = list(headers)
        own = self._id[0]
        for name, _ in listed:
            if name == own:
                return listed
        listed.append(self._id)
        return listed


def _with_routes(app: ASGIApp) -> object:
    inner: Any = app
    while not hasattr(inner, "routes") and hasattr(inner, "app"):
        inner = inner.app
    return inner


def _is_for(hosts: AllowedHosts, scope: Scope) -> bool:
    # Two Host headers are an attack on whoever reads the other one (RFC 9112 section 3.2).
    given = [value for name, value in scope["headers"] if name == b"host"]
    return len(given) == 1 and hosts.allow(given[0])


async def _refuse_host(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})
        return
    error = HTTPException(status_code=400, detail="this host is not served here; check the Host header")
    await problem_response(HTTPConnection(scope), error)(scope, receive, send)
