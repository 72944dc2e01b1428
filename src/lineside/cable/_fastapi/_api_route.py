"""The route class of the HTTP API: bodies are read strictly, and the cable's errors are answers."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from lineside.cable._auth._refusals import AccessRefused
from lineside.cable._fastapi._statuses import status_of
from lineside.cable._server._handshake import Refused
from lineside.exceptions import InvalidJSONError, LinesideError, PayloadTooLargeError
from lineside.strict_json import loads

__all__ = ["APIRouteOfCable", "http_exception"]

_SERVER_ERROR = 500


class APIRouteOfCable(APIRoute):
    """A FastAPI route whose errors have statuses in every app, with or without handlers of ours."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(_StrictRequest(request.scope, request.receive))
            except LinesideError as error:
                raise http_exception(error) from error

        return handle


class _StrictRequest(Request):
    async def json(self) -> Any:
        body = await self.body()
        try:
            return loads(body, max_bytes=None)
        except (InvalidJSONError, PayloadTooLargeError) as error:
            # Not the body itself: what cannot be read cannot be shown either.
            detail = [{"type": "json_invalid", "loc": ["body"], "msg": error.message}]
            raise HTTPException(422, detail) from error


def http_exception(error: LinesideError) -> Exception:
    """Return what FastAPI answers an error with; the error itself where it is a fault of ours.

    Args:
        error: The error.
    """
    if isinstance(error, AccessRefused):
        error = Refused.because(error)
    if isinstance(error, Refused):
        return HTTPException(error.status, error.message, error.headers)
    status = status_of(error)
    return error if status == _SERVER_ERROR else HTTPException(status, error.message)
