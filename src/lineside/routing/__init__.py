"""Routing: Rails' resources, namespaces and named paths on FastAPI's own router.

    from fastapi import FastAPI
    from lineside.controllers import Controller
    from lineside.routing import path_for, resources

    class PostsController(Controller):
        async def show(self, id: int) -> dict[str, int]:
            return {"id": id}

    app = FastAPI()
    resources(app, "posts", PostsController, constraints={"id": "[0-9]+"})
    assert path_for(app, "post", id=7) == "/posts/7"

Routes are registered flat on the app or router that is given; they appear in its OpenAPI document and
answer to ``dependency_overrides``, ``include_router`` and ``url_path_for`` like any other.
"""

from lineside.routing._constraints import Constraint, Constraints, header, host
from lineside.routing._paths import path_for
from lineside.routing._resources import ResourceOptions, Resources, resource, resources
from lineside.routing._scope import RouteScope, Target, namespace, scope
from lineside.routing._table import RouteRow, route_list
from lineside.routing._versions import Versions, versions

__all__ = [
    "Constraint",
    "Constraints",
    "ResourceOptions",
    "Resources",
    "RouteRow",
    "RouteScope",
    "Target",
    "Versions",
    "header",
    "host",
    "namespace",
    "path_for",
    "resource",
    "resources",
    "route_list",
    "scope",
    "versions",
]
