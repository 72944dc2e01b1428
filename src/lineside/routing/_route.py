"""The route classes of everything that `resources`, `namespace` and `scope` add."""

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


class ResourceRoute(ControllerRoute):
    """Tells most paths apart from its own without a regular expression."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        self._literal = max(re.split(r"\{[^}]*\}", path), key=len)
        super().__init__(path, endpoint, **options)
        controller = self.plan.controller
        if controller and self.body_field is not None and options.get("max_body_size") is None:
            # A GET that reads a body is rare and costs as much memory: once more, with the limit.
            options["max_body_size"] = controller.max_body_size
            super().__init__(path, endpoint, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as Starlette does."""
        # Most of hundreds of routes end here: a path without the route's longest fixed piece cannot
        # match its regular expression, under any prefix or mount.
        return super().matches(scope) if self._literal in scope["path"] else (Match.NONE, {})


class ConstrainedRoute(ResourceRoute):
    """Matches only when its constraints hold; a class of its own, so that no other route asks for them."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        self._requirements: Requirements = getattr(endpoint, REQUIREMENTS, Requirements())
        super().__init__(path, endpoint, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as Starlette does; a constraint that does not hold is no match."""
        match, child_scope = super().matches(scope)
        if match is Match.NONE:
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
