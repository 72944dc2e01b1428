"""The list of routes, plain FastAPI ones included, for people and tools."""

from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from lineside.controllers.endpoints import ControllerRoute


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One route as `route_list` shows it.

    Attributes:
        methods: HTTP methods in alphabetical order; ``("WEBSOCKET",)`` or ``("MOUNT",)`` for others.
        path: The full path with the prefixes of including routers.
        name: The route's name, for `path_for`.
        target: Who answers: ``"PostsController.show"``, or a function's name with its module.
    """

    methods: tuple[str, ...]
    path: str
    name: str
    target: str


def route_list(app: FastAPI | APIRouter) -> list[RouteRow]:
    """List all routes in the order in which they are tried (as ``rails routes``).

    Args:
        app: The app or router; routes of included routers and mounted apps are listed too.
    """
    return _rows(app, "")


def _rows(app: FastAPI | APIRouter, prefix: str) -> list[RouteRow]:
    rows: list[RouteRow] = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        path = prefix + (context.path or "")
        if isinstance(route, Mount):
            rows.append(RouteRow(("MOUNT",), path, context.name or "", type(route.app).__name__))
            if isinstance(route.app, FastAPI | APIRouter):
                rows.extend(_rows(route.app, path))
            continue
        methods = tuple(sorted(context.methods)) if context.methods else ("WEBSOCKET",)
        rows.append(RouteRow(methods, path, context.name or "", _target(route, context.endpoint)))
    return rows


def _target(route: object, endpoint: object) -> str:
    if isinstance(route, ControllerRoute) and route.plan.controller is not None:
        return f"{route.plan.controller.__name__}.{route.plan.action}"
    module, name = getattr(endpoint, "__module__", ""), getattr(endpoint, "__qualname__", repr(endpoint))
    return f"{module}.{name}"
