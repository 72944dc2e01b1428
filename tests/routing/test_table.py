"""The list of routes."""

from fastapi import APIRouter, FastAPI, WebSocket
from starlette.responses import PlainTextResponse

from lineside.controllers import Controller
from lineside.routing import RouteRow, resources, route_list


class Posts(Controller):
    """Has two actions."""

    async def index(self) -> int:
        return 1

    async def update(self, id: int) -> int:
        return id


def test_the_list_has_routes_of_every_kind() -> None:
    """Actions, plain functions, included, mounted and WebSocket routes, in the order they are tried."""
    app = FastAPI(openapi_url=None)
    resources(app, "posts", Posts)

    @app.api_route("/plain", methods=["POST", "GET"])
    async def plain() -> int:
        return 1

    @app.websocket("/live", name="live")
    async def live(websocket: WebSocket) -> None: ...

    router = APIRouter(prefix="/v1")
    resources(router, "posts", Posts, only=["index"])
    app.include_router(router, prefix="/api")
    inner = FastAPI(openapi_url=None)
    resources(inner, "posts", Posts, only=["index"])
    app.mount("/inner", inner, name="inner")
    app.mount("/raw", PlainTextResponse("raw"), name="raw")
    module = __name__
    assert route_list(app) == [
        RouteRow(("GET",), "/posts", "posts", "Posts.index"),
        RouteRow(("PATCH",), "/posts/{id}", "post", "Posts.update"),
        RouteRow(("PUT",), "/posts/{id}", "post", "Posts.update"),
        RouteRow(
            ("GET", "POST"),
            "/plain",
            "plain",
            f"{module}.test_the_list_has_routes_of_every_kind.<locals>.plain",
        ),
        RouteRow(
            ("WEBSOCKET",), "/live", "live", f"{module}.test_the_list_has_routes_of_every_kind.<locals>.live"
        ),
        RouteRow(("GET",), "/api/v1/posts", "posts", "Posts.index"),
        RouteRow(("MOUNT",), "/inner", "inner", "FastAPI"),
        RouteRow(("GET",), "/inner/posts", "posts", "Posts.index"),
        RouteRow(("MOUNT",), "/raw", "raw", "PlainTextResponse"),
    ]


def test_fastapis_own_routes_are_listed() -> None:
    """The documents of FastAPI are routes as well."""
    assert "/openapi.json" in [row.path for row in route_list(FastAPI())]
