"""What was wrong with a callback's parameters, when nothing behind the callback may be resolved."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from lineside.controllers._endpoint import probe_for
from lineside.controllers._plan import SCOPE_KEY, Invocation

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Probe:
    """Asks FastAPI for the errors of a closed gate, with a route that has nothing behind the gate.

    FastAPI collects errors until all is resolved, and shows them to nobody before. So a route that was
    stopped at a gate asks again: the gates are skipped, and only what was resolved already is resolved.
    """

    def __init__(self, endpoint: Callable[..., Any]) -> None:
        self._endpoint = endpoint
        self._handlers: dict[tuple[int, frozenset[str]], _Handler] = {}

    async def errors(self, request: Request) -> Exception:
        """Return FastAPI's 422 for this request, or the broken body behind it."""
        invocation: Invocation = request.scope[SCOPE_KEY]
        invocation.is_probe = True
        try:
            await self._handler(request, invocation.passed)(request)
        except RequestValidationError as error:
            return invocation.body_error or error
        return RequestValidationError([])

    def _handler(self, request: Request, closed: int) -> _Handler:
        # Where the router was included, its prefix may bring parameters: the request knows them all.
        names = frozenset(request.path_params)
        known = self._handlers.get((closed, names))
        if known is None:
            path = "".join(f"/{{{name}}}" for name in sorted(names)) or "/"
            route = APIRoute(
                path, probe_for(self._endpoint, closed), dependency_overrides_provider=request.app
            )
            known = self._handlers[(closed, names)] = route.get_route_handler()
        return known
