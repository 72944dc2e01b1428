"""The route class of everything that `resources`, `namespace` and `scope` add."""

import re
from typing import Any

from fastapi import Request
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from lineside.controllers.endpoints import ControllerRoute
from lineside.exceptions import RequestError
from lineside.problems import to_http_exception
from lineside.routing._constraints import Requirements

#: Where the route class finds the requirements of its endpoint.
REQUIREMENTS = "__lineside_requirements__"
_REFUSAL = "lineside.refusal"


class ConstrainedRoute(ControllerRoute):
    """Matches a path quickly, and only when its constraints hold."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        self._literal = max(re.split(r"\{[^}]*\}", path), key=len)
        self._requirements: Requirements = getattr(endpoint, REQUIREMENTS, Requirements())
        self._is_constrained = bool(self._requirements)
        super().__init__(path, endpoint, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as Starlette does; a constraint that does not hold is no match."""
        # Most of hundreds of routes end here: a path without the route's longest fixed piece cannot
        # match its regular expression, under any prefix or mount.
        if self._literal not in scope["path"]:
            return Match.NONE, {}
        match, child_scope = super().matches(scope)
        if match is Match.NONE or not self._is_constrained:
            return match, child_scope
        try:
            met = self._requirements.met_by(scope, child_scope["path_params"])
        except RequestError as refusal:
            child_scope[_REFUSAL] = refusal
            return match, child_scope
        return (match, child_scope) if met else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or say why a constraint refused it."""
        refusal: RequestError | None = scope.pop(_REFUSAL, None)
        if refusal is not None:
            raise to_http_exception(refusal, Request(scope)) from refusal
        await super().handle(scope, receive, send)
