"""Controllers stay FastAPI: overrides, included routers, mounts, names, WebSockets, concurrency."""

import inspect
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, Any

import anyio
import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from lineside.controllers import Controller, around_action, before_action, rescue_from
from lineside.routing import path_for, resources


async def attribute() -> str:
    """Is injected into an attribute."""
    return "attribute"


async def callback() -> str:
    """Is asked for by a callback."""
    return "callback"


async def parameter() -> str:
    """Is asked for by an action."""
    return "action"


class Items(Controller):
    """Has a dependency at each place."""

    service: Annotated[str, Depends(attribute)]

    @before_action()
    async def check(self, given: Annotated[str, Depends(callback)]) -> None:
        self.given = given

    async def index(self, own: Annotated[str, Depends(parameter)]) -> list[str]:
        return [self.service, self.given, own]

    async def show(self, id: int, request: Request) -> dict[str, str]:
        return {
            "url": str(request.url_for("item", id=id)),
            "path": path_for(request, "item", id=id),
            "same": str(request.url.path == self.request.url.path),
        }

    async def update(self, id: int) -> int:
        return id


class WithConstructor(Controller):
    """Has a constructor."""

    def __init__(self, service: Annotated[str, Depends(attribute)]) -> None:
        self.service = service

    async def index(self) -> str:
        return self.service


def test_dependency_overrides_reach_attributes_callbacks_and_actions() -> None:
    """Each place is overridden as in any FastAPI app, and only while the override stands."""
    app = FastAPI()
    resources(app, "items", Items)
    client = TestClient(app)
    assert client.get("/items").json() == ["attribute", "callback", "action"]
    for position, dependency in enumerate([attribute, callback, parameter]):
        app.dependency_overrides = {dependency: lambda: "overridden"}
        found = client.get("/items").json()
        assert [at for at, value in enumerate(found) if value == "overridden"] == [position]
    app.dependency_overrides = {}
    assert client.get("/items").json() == ["attribute", "callback", "action"]


def test_a_router_is_included_twice_under_different_prefixes() -> None:
    """Both copies work, have their paths in OpenAPI, and unique operation ids."""
    router = APIRouter()
    resources(router, "items", Items)
    app = FastAPI()
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/orgs/{org}")
    client = TestClient(app)
    assert client.get("/v1/items").json() == client.get("/orgs/acme/items").json()
    document = app.openapi()
    assert {"/v1/items", "/orgs/{org}/items", "/v1/items/{id}"} <= set(document["paths"])
    ids = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids))
    assert "v1_items_index" in ids


def test_routes_of_an_included_router_have_callbacks_and_rescues() -> None:
    """An included route is the same route: callbacks, rescues and strict JSON hold."""

    class Guarded(Controller):
        @before_action()
        async def check(self) -> Response | None:
            return JSONResponse({}, 401) if "anonymous" in self.request.headers else None

        async def create(self, data: dict[str, Any]) -> None:
            raise KeyError("lost")

        @rescue_from(KeyError, status_code=409)
        async def conflict(self) -> str:
            return "rescued"

    router = APIRouter()
    resources(router, "items", Guarded)
    app = FastAPI()
    app.include_router(router, prefix="/v1")
    client = TestClient(app)
    assert client.post("/v1/items", json={}, headers={"anonymous": "1"}).status_code == 401
    assert client.post("/v1/items", json={}).json() == "rescued"
    response = client.post("/v1/items", content=b'{"a": NaN}', headers={"content-type": "application/json"})
    assert response.status_code == 422


def test_dependencies_of_a_router_come_first() -> None:
    """Those of `APIRouter(dependencies=)` are resolved before callbacks with parameters."""
    order: list[str] = []

    async def of_router(x_key: Annotated[str, Header()]) -> None:
        order.append("router")

    class Noting(Controller):
        @before_action()
        async def check(self, page: int = 1) -> None:
            order.append("callback")

        async def index(self) -> int:
            return 1

    router = APIRouter(prefix="/api", dependencies=[Depends(of_router)])
    resources(router, "items", Noting)
    app = FastAPI()
    app.include_router(router)
    client = TestClient(app)
    assert client.get("/api/items", headers={"x-key": "k"}).status_code == 200
    assert order == ["router", "callback"]
    assert client.get("/api/items").status_code == 422
    assert "x-key" in str(app.openapi())


def test_a_mounted_app_knows_its_root_path() -> None:
    """URLs and paths made inside a mounted app lead back to it."""
    inner = FastAPI()
    resources(inner, "items", Items)
    outer = FastAPI()
    outer.mount("/shop", inner)
    found = TestClient(outer).get("/shop/items/7").json()
    assert found == {"url": "http://testserver/shop/items/7", "path": "/shop/items/7", "same": "True"}


def test_url_path_for_finds_the_routes() -> None:
    """Starlette's own look-up works beside `path_for`."""
    app = FastAPI()
    resources(app, "items", Items)
    assert app.url_path_for("item", id=7) == "/items/7"
    assert app.url_path_for("items") == "/items"


def test_the_lifespan_is_not_needed() -> None:
    """A client that never starts the app gets the same answers as one that does."""
    started: list[str] = []

    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        started.append("started")
        yield

    app = FastAPI(lifespan=asynccontextmanager(lifespan))
    resources(app, "items", Items)
    assert TestClient(app).get("/items").status_code == 200
    assert started == []
    with TestClient(app) as client:
        assert client.get("/items").status_code == 200
    assert started == ["started"]


def test_put_and_patch_are_two_operations_with_unique_ids() -> None:
    """Both reach `update`; a generated client gets two functions."""
    app = FastAPI()
    resources(app, "items", Items)
    client = TestClient(app)
    assert client.put("/items/1").json() == client.patch("/items/1").json() == 1
    member = app.openapi()["paths"]["/items/{id}"]
    assert (member["put"]["operationId"], member["patch"]["operationId"]) == (
        "items_update_put",
        "items_update",
    )


def test_operation_ids_of_a_large_app_are_unique() -> None:
    """FastAPI warns about a second one; none of ours is."""
    app = FastAPI()
    posts = resources(app, "posts", Items)
    posts.resources("items", Items)
    resources(app, "items", Items)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = app.openapi()
    ids = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids))


def test_the_apps_own_way_to_make_operation_ids_is_kept() -> None:
    """`generate_unique_id_function` of an app is the user's word."""
    app = FastAPI(generate_unique_id_function=lambda route: f"mine-{route.name}-{sorted(route.methods)[0]}")
    resources(app, "items", Items, only=["show"])
    assert app.openapi()["paths"]["/items/{id}"]["get"]["operationId"] == "mine-item-GET"


def test_websockets_beside_resources_are_untouched() -> None:
    """A WebSocket on the path of a resource is the app's own."""
    app = FastAPI()
    resources(app, "items", Items)

    @app.websocket("/items")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("live")
        await websocket.close()

    client = TestClient(app)
    with client.websocket_connect("/items") as socket:
        assert socket.receive_text() == "live"
    assert client.get("/items").status_code == 200


def test_two_apps_serve_one_controller() -> None:
    """Nothing about an app is kept on the class."""
    first, second = FastAPI(), FastAPI()
    for app in (first, second):
        resources(app, "items", Items)
    first.dependency_overrides = {attribute: lambda: "first"}
    assert TestClient(first).get("/items").json()[0] == "first"
    assert TestClient(second).get("/items").json()[0] == "attribute"


@pytest.mark.anyio
async def test_200_concurrent_requests_never_share_a_controller() -> None:
    """All requests are inside the action at once, and each finds what it left on its controller."""
    total = 200
    inside = 0
    everybody = anyio.Event()

    class Meeting(Controller):
        @before_action()
        async def early(self) -> None:
            self.number = self.request.query_params["number"]

        @before_action()
        async def late(self, number: int) -> None:
            self.late_number = number

        @around_action()
        async def around(self) -> AsyncGenerator[None, Response]:
            response = yield
            response.headers["x-number"] = self.number

        async def index(self, number: int) -> list[int]:
            nonlocal inside
            inside += 1
            if inside == total:
                everybody.set()
            await everybody.wait()
            return [int(self.number), self.late_number, number]

    app = FastAPI()
    resources(app, "meetings", Meeting)
    seen: dict[int, Any] = {}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:

        async def ask(number: int) -> None:
            response = await client.get(f"/meetings?number={number}")
            seen[number] = (response.json(), response.headers["x-number"])

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for number in range(total):
                    tasks.start_soon(ask, number)
    assert seen == {number: ([number] * 3, str(number)) for number in range(total)}


def test_context_variables_of_async_callbacks_reach_the_action() -> None:
    """What an async callback sets is visible in the action and behind it, with and without parameters."""
    current: ContextVar[str] = ContextVar("current")
    seen: list[str] = []

    class Contextual(Controller):
        @around_action()
        async def around(self) -> AsyncGenerator[None, Response]:
            token = current.set("early")
            yield
            seen.append(current.get())
            current.reset(token)

        @before_action(only=["show"])
        async def late(self, page: int = 1) -> None:
            current.set("late")

        async def index(self) -> str:
            return current.get()

        async def show(self, id: int) -> str:
            return current.get()

    app = FastAPI()
    resources(app, "items", Contextual)
    client = TestClient(app)
    assert client.get("/items").json() == "early"
    assert client.get("/items/1").json() == "late"
    assert seen == ["early", "late"]


@pytest.mark.parametrize("controller", [Items, WithConstructor])
def test_no_part_of_a_controller_goes_through_the_thread_pool(controller: type[Controller]) -> None:
    """All dependencies that we make are async: a sync one costs as much as two requests."""
    route = APIRouter()
    resources(route, "items", controller, only=["index"])
    pending = [route.routes[0].dependant]  # type: ignore[attr-defined]  # an APIRoute
    while pending:
        dependant = pending.pop()
        assert inspect.iscoroutinefunction(dependant.call)
        pending += dependant.dependencies


def test_middleware_stands_around_controllers() -> None:
    """Pure ASGI middleware of the app sees every request, the last added first."""
    order: list[str] = []

    class Noting:
        def __init__(self, app: ASGIApp, name: str) -> None:
            self.app, self.name = app, name

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            order.append(self.name)
            await self.app(scope, receive, send)

    app = FastAPI()
    resources(app, "items", Items)
    app.add_middleware(Noting, name="inner")
    app.add_middleware(Noting, name="outer")
    assert TestClient(app).get("/items").status_code == 200
    assert order == ["outer", "inner"]


def test_an_asgi_app_is_mounted_beside_resources() -> None:
    """Whatever speaks ASGI stands in the same app."""
    app = FastAPI()
    resources(app, "items", Items)
    app.mount("/raw", PlainTextResponse("raw"))
    client = TestClient(app)
    assert client.get("/raw").text == "raw"
    assert client.get("/items").status_code == 200
