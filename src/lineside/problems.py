"""Errors as responses: FastAPI's own shape, or a problem document when the client asks for one.

One argument adds the handlers to an app:

    from fastapi import FastAPI
    from lineside.problems import error_handlers

    app = FastAPI(exception_handlers=error_handlers())

Every error of lineside then answers with its ``status_hint`` and ``{"detail": ...}``. A client that
names ``application/problem+json`` in ``Accept`` gets RFC 9457 instead. The text of a server-side
fault is logged and never sent, except with ``debug=True``.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol, cast, overload, runtime_checkable
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request, Response, WebSocket, WebSocketException
from fastapi.encoders import jsonable_encoder
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.utils import is_body_allowed_for_status_code
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketState

from lineside._accept import quality
from lineside._lifespan import check_not_started
from lineside.exceptions import (
    InvalidJSONError,
    LinesideError,
    NotAcceptableError,
    PayloadTooLargeError,
    UnknownVersionError,
)
from lineside.instrumentation import request_id

__all__ = [
    "PROBLEM_JSON",
    "ErrorHandler",
    "error_handlers",
    "has_handler",
    "install_error_handlers",
    "merged_handlers",
    "problem_response",
    "server_error_handler",
    "to_http_exception",
    "websocket_exception",
]

PROBLEM_JSON: Final = "application/problem+json"

ErrorHandler = Callable[[Request, Any], Awaitable[Response]]
"""What FastAPI keeps in ``app.exception_handlers``."""

_logger = logging.getLogger("lineside.problems")

_MAX_ERRORS: Final = 1_000
_MAX_REASON_BYTES: Final = 123
# What is overloaded or restarting is mostly back soon (RFC 9110 section 10.2.3).
_RETRY_SECONDS: Final = "1"

# What FastAPI installs by itself: to replace it overrides nothing of the author's.
_FASTAPI_DEFAULTS: Final = (http_exception_handler, request_validation_exception_handler)

# The data of an error that a client can act on, as extension members (RFC 9457 section 3.2).
_MEMBERS: Final[Mapping[type[Exception], tuple[str, ...]]] = {
    InvalidJSONError: ("position",),
    NotAcceptableError: ("offered",),
    PayloadTooLargeError: ("limit",),
    UnknownVersionError: ("version", "known"),
}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"


def _status_of(error: Exception) -> int:
    if isinstance(error, LinesideError):
        return error.status_hint
    if isinstance(error, StarletteHTTPException):
        return error.status_code
    return 422 if isinstance(error, RequestValidationError) else 500


def _headers_of(error: Exception) -> Mapping[str, str]:
    if isinstance(error, StarletteHTTPException):
        return error.headers or {}
    if isinstance(error, LinesideError) and error.status_hint == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": _RETRY_SECONDS}
    # A cache must not show one client's 406 to another.
    return {"Vary": "Accept"} if isinstance(error, NotAcceptableError) else {}


def _printable(text: object) -> str:
    # A lone surrogate from the client's JSON cannot be sent: UTF-8 has no bytes for it.
    return str(text).encode("utf-8", "replace").decode("utf-8")


def _detail_of(error: Exception, status: int, *, debug: bool) -> Any:
    found = _errors_in(error)
    if found is not None:
        return _validation_errors(found)
    if isinstance(error, StarletteHTTPException):
        detail: Any = error.detail  # Starlette says str; FastAPI allows any JSON
        return _printable(detail) if isinstance(detail, str) else detail
    if isinstance(error, LinesideError) and error.public:
        return _printable(error.message)
    return _printable(f"{type(error).__name__}: {error}") if debug else _phrase(status)


@runtime_checkable
class _OffersDetails(Protocol):
    """An error that lists what is wrong in FastAPI's shape, as `RecordInvalid` does."""

    def details(self) -> list[dict[str, Any]]: ...


def _errors_in(error: Exception) -> Sequence[Any] | None:
    """Return the single errors of a request, or of what lineside says of one: an error with ``details()``."""
    if isinstance(error, RequestValidationError):
        return error.errors()
    if not isinstance(error, LinesideError) or not isinstance(error, _OffersDetails):
        return None
    return error.details()


def _validation_errors(errors_in: Sequence[Any]) -> list[Any]:
    """Return FastAPI's own list; without the input when the input itself cannot be written as JSON."""
    # A list of 200,000 wrong items would take seconds to write down, and tell nobody more.
    found = errors_in[:_MAX_ERRORS]
    try:
        errors: list[Any] = jsonable_encoder(found)
        JSONResponse(errors)
    except (ValueError, TypeError, RecursionError):
        # NaN, a lone surrogate, bytes that are no text, or a nesting that no encoder survives.
        return [
            {
                "type": entry["type"],
                "loc": [part if isinstance(part, int) else _printable(part) for part in entry["loc"]],
                "msg": _printable(entry["msg"]),
            }
            for entry in found
        ]
    return errors


def _wants_problem(request: HTTPConnection) -> bool:
    """Tell whether the client named the problem format, and wants it no less than plain JSON."""
    accept = ",".join(request.headers.getlist("accept"))
    if "problem+json" not in accept.lower():
        return False
    weight, specificity = quality(accept, PROBLEM_JSON)
    return specificity >= 2 and weight > 0 and weight >= quality(accept, "application/json")[0]


def _members(error: Exception, detail: Any) -> dict[str, Any]:
    """Return ``detail`` as the text that RFC 9457 wants, and everything else as extension members."""
    found = _errors_in(error)
    if found is not None:
        count = len(found)  # of all; `errors` may have fewer
        return {"detail": f"The request has {count} invalid value(s); see errors.", "errors": detail}
    members = {
        name: getattr(error, name)
        for kind, names in _MEMBERS.items()
        if isinstance(error, kind)
        for name in names
    }
    return {"detail" if isinstance(detail, str) else "details": detail, **members}


def _problem(request: HTTPConnection, members: Mapping[str, Any], *, status: int) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "instance": quote("/" + str(request.scope["path"]).lstrip("/"), errors="replace"),
        **members,
    }


def _request_id() -> dict[str, str]:
    identifier = request_id()
    return {"request_id": identifier} if identifier else {}


def problem_response(
    request: HTTPConnection,
    error: Exception,
    *,
    status: int | None = None,
    debug: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Turn any error into the response that a client may see; this never raises.

    Args:
        request: The request (or WebSocket handshake) that failed; its ``Accept`` decides the format.
        error: The error. Its own status is used: ``status_hint`` of ours, ``status_code`` of an
            ``HTTPException``, 422 for a ``RequestValidationError``, 500 for anything else.
        status: An HTTP status to use instead.
        debug: Send the text of errors that are not public.
        headers: Response headers to add to the error's own.

    Returns:
        ``{"detail": ...}`` as FastAPI writes it, or a problem document (RFC 9457) with
        ``Vary: Accept`` when the client names ``application/problem+json`` at least as gladly
        as ``application/json``. A wildcard never asks for a problem document.
    """
    code = _status_of(error) if status is None else status
    merged = {**_headers_of(error), **(headers or {})}
    if not is_body_allowed_for_status_code(code):
        return Response(status_code=code, headers=merged)
    detail = _detail_of(error, code, debug=debug)
    unexpected = code >= 500 and not isinstance(error, StarletteHTTPException)
    extra = _request_id() if unexpected else {}
    if not _wants_problem(request):
        return _json({"detail": detail, **extra}, status=code, headers=merged)
    content = _problem(request, {**_members(error, detail), **extra}, status=code)
    response = _json(content, status=code, headers=merged, media_type=PROBLEM_JSON)
    response.headers.add_vary_header("Accept")
    return response


def _json(
    content: dict[str, Any], *, status: int, headers: Mapping[str, str], media_type: str = "application/json"
) -> Response:
    try:
        return JSONResponse(content, status_code=status, headers=headers, media_type=media_type)
    except (ValueError, TypeError, RecursionError):
        # Somebody's structured detail is no JSON; a 4xx must not become a 500 because of it.
        return JSONResponse(
            {"detail": _phrase(status)}, status_code=status, headers=headers, media_type=media_type
        )


def has_handler(connection: HTTPConnection, error: Exception) -> bool:
    """Tell whether the app that serves this connection has a handler for this error.

    Args:
        connection: The request or WebSocket.
        error: The error about to be raised.

    Returns:
        True when a handler is installed for its class or a base of it.
    """
    handlers, statuses = connection.scope.get("starlette.exception_handlers", ({}, {}))
    if isinstance(error, StarletteHTTPException) and error.status_code in statuses:
        return True
    return any(kind in handlers for kind in type(error).__mro__)


@overload
def to_http_exception(error: LinesideError) -> HTTPException: ...
@overload
def to_http_exception(error: LinesideError, request: HTTPConnection | None) -> Exception: ...
def to_http_exception(error: LinesideError, request: HTTPConnection | None = None) -> Exception:
    """Return the exception to raise so that any FastAPI app, with or without our handlers, answers well.

    Args:
        error: An error of lineside.
        request: The connection it belongs to.

    Returns:
        The error itself where the connection's app has a handler for it; otherwise an
        ``HTTPException`` with its status and its public message. Raise it ``from error``.
    """
    if request is not None and has_handler(request, error):
        return error
    status = error.status_hint
    return HTTPException(
        status, detail=_detail_of(error, status, debug=False), headers=dict(_headers_of(error)) or None
    )


async def _end_websocket(websocket: WebSocket, error: Exception, response: Response) -> None:
    """Answer a failed WebSocket: a denial response before it is accepted, a close frame afterwards."""
    if WebSocketState.DISCONNECTED in (websocket.client_state, websocket.application_state):
        return
    status = response.status_code
    extensions: Mapping[str, Any] = websocket.scope.get("extensions") or {}
    if websocket.application_state is WebSocketState.CONNECTING and "websocket.http.response" in extensions:
        await websocket.send_denial_response(response)
        return
    closing = websocket_exception(status, _detail_of(error, status, debug=False))
    await websocket.close(code=closing.code, reason=closing.reason)


def websocket_exception(status: int, reason: object) -> WebSocketException:
    """Return the exception that closes a WebSocket as this HTTP status would answer a request.

    Args:
        status: An HTTP status. Below 500 the close is 1008, the peer's fault; otherwise 1011, ours
            (RFC 6455 section 7.4.1).
        reason: What the peer may read. Its text is cut to 123 bytes of UTF-8, for a control frame has
            125 and the code takes two (RFC 6455 section 5.5).
    """
    cut = _printable(reason).encode("utf-8")[:_MAX_REASON_BYTES].decode("utf-8", "ignore")
    return WebSocketException(code=1008 if status < 500 else 1011, reason=cut)


def error_handlers(*, debug: bool = False) -> dict[type[Exception], ErrorHandler]:
    """Return the handlers for our errors, ``HTTPException`` and ``RequestValidationError``.

    Give them to ``FastAPI(exception_handlers=...)``, or use :func:`install_error_handlers` on an
    app that exists. Responses to the latter two are FastAPI's own, byte for byte, unless the client
    asks for ``application/problem+json``. A fault of the server (500 and above) is logged with its
    traceback, for its text is not sent.

    Args:
        debug: Send the text of errors that are not public.

    Returns:
        A new dict, for the caller to change.
    """

    async def lineside_error(request: Request, error: LinesideError) -> Response | None:
        response = problem_response(request, error, debug=debug)
        if response.status_code >= 500:
            _logger.error("%s: %s", type(error).__name__, error, exc_info=error)
        if isinstance(request, WebSocket):
            await _end_websocket(request, error, response)
            return None
        return response

    async def fastapi_error(request: Request, error: Exception) -> Response:
        return problem_response(request, error)

    return {
        # Starlette lets a WebSocket's handler return None; FastAPI's type knows requests alone.
        LinesideError: cast("ErrorHandler", lineside_error),
        StarletteHTTPException: fastapi_error,
        RequestValidationError: fastapi_error,
    }


def merged_handlers(handlers: Mapping[Any, Any], *, debug: bool = False) -> dict[Any, Any]:
    """Return our error handlers under an app's own; its author's win, FastAPI's defaults give way.

    Args:
        handlers: The app's handlers, by class of error or by status.
        debug: Send the text of errors that are not public.
    """
    chosen = {kind: handler for kind, handler in handlers.items() if handler not in _FASTAPI_DEFAULTS}
    return {**handlers, **error_handlers(debug=debug), **chosen}


async def server_error_handler(request: Request, error: Exception) -> Response:
    """Answer an unexpected error with 500 and nothing of its text.

    Install it for ``Exception``. Starlette raises the error again after the response, so that the
    server logs it and tests see it; the response carries the request id to find that log line.

    Args:
        request: The request that failed.
        error: The error, of any class.

    Returns:
        ``{"detail": "Internal Server Error"}``, with ``request_id`` and ``X-Request-ID`` when there is one.
    """
    identifier = request_id()
    # Starlette answers outside of every middleware, so nobody else adds the header here.
    return problem_response(
        request, error, status=500, headers={"X-Request-ID": identifier} if identifier else None
    )


def install_error_handlers(app: FastAPI, *, debug: bool = False) -> None:
    """Add our error handlers to an app, never in the place of one that its author installed.

    Args:
        app: The app, before it serves its first request.
        debug: Send the text of errors that are not public.

    Raises:
        ConfigurationError: The app has started; its handlers can no longer change.
    """
    check_not_started(app, "install_error_handlers()")
    merged = merged_handlers(app.exception_handlers, debug=debug)
    if 500 not in merged:
        merged.setdefault(Exception, server_error_handler)
    app.exception_handlers.update(merged)
