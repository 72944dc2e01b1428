"""Route templates and the route that shows the metrics."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket
from fastapi.staticfiles import StaticFiles
from fastapi.testclient import TestClient
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route
from starlette.routing import Router as StarletteRouter

from lineside.exceptions import MissingDependencyError
from lineside.instrumentation import Event, Metrics, Notifier
from lineside.instrumentation.asgi import RequestContextMiddleware
from lineside.instrumentation.fastapi import UNLISTED, UNMATCHED, RouteTemplates, metrics_router


async def answer() -> str:
    return "ok"


class Routes:
    """An app with the middleware, and the route that each request was counted under."""

    def __init__(self, app: FastAPI, *, root_path: str = "") -> None:
        self.app = app
        self.events: list[Event] = []
        notifier = Notifier()
        notifier.subscribe("request.lineside", self.events.append)
        app.add_middleware(RequestContextMiddleware, notifier=notifier)
        self.client = TestClient(app, follow_redirects=False, root_path=root_path)

    def of(self, path: str, method: str = "GET", **kwargs: Any) -> str:
        self.client.request(method, path, **kwargs)
        route = self.events[-1].payload["route"]
        assert isinstance(route, str)
        return route


def test_a_flat_route_has_its_template() -> None:
    """The label is the template, without convertors."""
    app = FastAPI()
    app.get("/posts/{id}")(answer)
    app.get("/files/{name:path}")(lambda: "file")
    app.get("/")(lambda: "home")
    routes = Routes(app)
    assert routes.of("/posts/7") == "/posts/{id}"
    assert routes.of("/files/a/b/c") == "/files/{name}"
    assert routes.of("/") == "/"


def test_put_and_patch_of_one_action_are_one_template() -> None:
    """Two operations of an endpoint at one path do not need to be told apart."""
    app = FastAPI()
    app.put("/posts/{id}")(answer)
    app.patch("/posts/{id}")(answer)
    routes = Routes(app)
    assert routes.of("/posts/7", "PUT") == routes.of("/posts/7", "PATCH") == "/posts/{id}"


def test_prefixes_of_included_routers_are_in_the_template() -> None:
    """Prefixes of any depth are there, although the scope does not have them."""
    inner, outer, app = APIRouter(prefix="/posts"), APIRouter(prefix="/api"), FastAPI()
    inner.get("/{id}")(answer)
    outer.include_router(inner)
    app.include_router(outer, prefix="/{tenant}")
    assert Routes(app).of("/acme/api/posts/7") == "/{tenant}/api/posts/{id}"


def test_one_endpoint_at_several_paths_is_told_apart() -> None:
    """The path decides, by the same convertors as in routing and in the same order."""
    app, router = FastAPI(), APIRouter()
    router.get("/posts/{id:int}")(answer)
    router.get("/posts/{slug}")(answer)
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    routes = Routes(app)
    assert routes.of("/v1/posts/7") == "/v1/posts/{id}"
    assert routes.of("/v2/posts/7") == "/v2/posts/{id}"
    assert routes.of("/v2/posts/seven") == "/v2/posts/{slug}"
    assert routes.of("/v2/posts/a.b+c") == "/v2/posts/{slug}"


@pytest.mark.parametrize("root_path", ["", "/proxy"])
def test_a_root_path_is_no_part_of_the_template(root_path: str) -> None:
    """Behind a proxy that strips a prefix the templates are the app's own."""
    app, router = FastAPI(), APIRouter()
    router.get("/posts/{id}")(answer)
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    routes = Routes(app, root_path=root_path)
    assert routes.of("/v2/posts/7") == "/v2/posts/{id}"
    assert routes.of(f"{root_path}/v1/posts/7") == "/v1/posts/{id}"


def test_what_no_route_serves_has_one_label() -> None:
    """404 and the redirect to a trailing slash are unmatched; 405 has the template of its path."""
    app = FastAPI()
    app.get("/posts/{id}")(answer)
    app.get("/slash/")(answer)
    routes = Routes(app)
    assert routes.of("/nothing/here") == UNMATCHED
    assert routes.of("/slash") == UNMATCHED
    assert routes.of("/posts/7", "DELETE") == "/posts/{id}"


def test_an_error_in_a_route_has_its_template() -> None:
    """404 by the action's own hand and 422 belong to the route."""
    app = FastAPI()

    @app.get("/posts/{id}")
    async def show(id: int) -> None:
        raise HTTPException(404)

    routes = Routes(app)
    assert routes.of("/posts/7") == "/posts/{id}"
    assert routes.of("/posts/seven") == "/posts/{id}"


def test_mounted_apps_have_the_path_of_the_mount_and_their_template(tmp_path: Path) -> None:
    """FastAPI and Starlette apps below a mount are seen into; files and unknown paths are not."""
    (tmp_path / "a.txt").write_text("a")
    app, sub, deep = FastAPI(), FastAPI(), APIRouter(prefix="/deep")
    deep.get("/{id}")(answer)
    sub.include_router(deep)
    sub.get("/items/{id}")(answer)
    app.mount("/sub/{tenant}", sub)
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.router.routes.append(
        Mount("/plain", routes=[Route("/hello/{name}", lambda request: PlainTextResponse("hello"))])
    )
    routes = Routes(app)
    assert routes.of("/sub/acme/items/7") == "/sub/{tenant}/items/{id}"
    assert routes.of("/sub/acme/deep/7") == "/sub/{tenant}/deep/{id}"
    assert routes.of("/plain/hello/ann") == "/plain/hello/{name}"
    assert routes.of("/static/a.txt") == "/static/{path}"
    assert routes.of("/static/missing") == "/static/{path}"
    assert routes.of("/sub/acme/nothing") == "/sub/{tenant}/{path}"


def test_a_mount_in_an_included_router_has_its_prefix() -> None:
    """An opaque app below an included router is counted under prefix and mount."""

    async def opaque(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("ok")(scope, receive, send)

    app, router = FastAPI(), APIRouter()
    router.mount("/inner", opaque)
    app.include_router(router, prefix="/v1")
    assert Routes(app).of("/v1/inner/x/y") == "/v1/inner/{path}"


def test_routes_of_a_host_are_found() -> None:
    """A Host route adds nothing to the path."""
    app = FastAPI()
    app.router.routes.append(
        Host("api.example", StarletteRouter([Route("/x/{id}", lambda r: PlainTextResponse("x"))]))
    )
    assert Routes(app).of("/x/7", headers={"host": "api.example"}) == "/x/{id}"


def test_an_app_mounted_in_itself_comes_to_an_end() -> None:
    """A circle of mounts is walked once."""
    app = FastAPI()
    app.get("/x")(answer)
    app.mount("/again", app)
    assert Routes(app).of("/x") == "/x"


def test_routes_added_later_are_found() -> None:
    """A route added after the first request has its template, on the app and on a router."""
    app, router = FastAPI(), APIRouter()
    app.get("/first")(answer)
    app.include_router(router, prefix="/later")
    routes = Routes(app)
    assert routes.of("/first") == "/first"
    app.get("/second")(lambda: "2")
    assert routes.of("/second") == "/second"
    router.get("/third")(lambda: "3")
    assert routes.of("/later/third") == "/later/third"
    app.get("/fourth")(answer)  # an endpoint that has a template already
    assert routes.of("/fourth") == "/fourth"


def test_an_endpoint_that_is_no_route_is_not_looked_for_without_end() -> None:
    """What is served by endpoints made up on the way has one label, and nothing grows."""
    app = FastAPI()
    app.get("/x")(answer)
    templates = RouteTemplates()
    for _ in range(1_100):
        assert templates.find(app, {"endpoint": object(), "path": "/x"}, root_path="") == UNLISTED
    assert len(templates._found) <= 1_010
    assert templates.find(app, {"endpoint": answer, "path": "/x"}, root_path="") == "/x"


def test_websockets_have_templates_too() -> None:
    """A WebSocket route of an included router is found with its prefix."""
    app, router = FastAPI(), APIRouter()

    @router.websocket("/rooms/{room}")
    async def talk(socket: WebSocket, room: str) -> None:
        await socket.accept()
        await socket.close()

    app.include_router(router, prefix="/v1")
    routes = Routes(app)
    with routes.client.websocket_connect("/v1/rooms/7"):
        pass
    assert routes.events[-1].payload["route"] == "/v1/rooms/{room}"


def test_a_frontend_is_no_unmatched_path(tmp_path: Path) -> None:
    """The files of app.frontend() share one label."""
    (tmp_path / "index.html").write_text("<p>hello")
    app = FastAPI()
    app.get("/api")(answer)
    app.frontend("/", directory=tmp_path)
    routes = Routes(app)
    assert routes.of("/api") == "/api"
    assert {routes.of("/"), routes.of("/some/page")} <= {UNLISTED, UNMATCHED}


def _metrics_app(metrics: Metrics) -> FastAPI:
    app = FastAPI()
    app.get("/posts/{id}")(answer)
    app.add_middleware(RequestContextMiddleware, notifier=Notifier(), metrics=metrics)
    app.include_router(metrics_router(metrics))
    return app


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The router says what to install, too."""
    metrics = Metrics()
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingDependencyError, match=r"lineside\[metrics\]"):
        metrics_router(metrics)


def test_metrics_are_shown_when_asked_for() -> None:
    """The route shows requests and the app's own figures, and is not in the OpenAPI document."""
    metrics = Metrics()
    metrics.counter("user.signup").inc()
    client = TestClient(_metrics_app(metrics))
    client.get("/posts/7")
    page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=")
    assert "user_signup_total 1.0" in page.text
    assert 'http_requests_total{handler="/posts/{id}",method="GET",status="2xx"} 1.0' in page.text
    assert "/metrics" not in client.get("/openapi.json").json()["paths"]


def test_without_the_router_there_is_no_metrics_route() -> None:
    """Metrics are shown by choice."""
    app = FastAPI()
    app.add_middleware(RequestContextMiddleware, notifier=Notifier(), metrics=Metrics())
    assert TestClient(app).get("/metrics").status_code == 404


def test_open_metrics_on_request() -> None:
    """A server that asks for OpenMetrics gets it."""
    page = TestClient(_metrics_app(Metrics())).get(
        "/metrics", headers={"accept": "application/openmetrics-text"}
    )
    assert page.headers["content-type"].startswith("application/openmetrics-text")
    assert page.text.endswith("# EOF\n")


def test_a_dependency_guards_the_metrics() -> None:
    """The router is included like any other, at any path, with dependencies."""

    async def refuse() -> None:
        raise HTTPException(403)

    app = FastAPI()
    app.include_router(
        metrics_router(Metrics(), path="/figures"), prefix="/ops", dependencies=[Depends(refuse)]
    )
    assert TestClient(app).get("/ops/figures").status_code == 403


def test_the_instrumentator_shows_the_same_registry() -> None:
    """An app that has prometheus-fastapi-instrumentator keeps its route, without its matching."""
    metrics = Metrics()
    metrics.counter("user.signup").inc()
    app = FastAPI()
    Instrumentator(registry=metrics.registry).expose(app)
    assert "user_signup_total 1.0" in TestClient(app).get("/metrics").text


def test_several_processes_are_shown_together(tmp_path: Path) -> None:
    """With PROMETHEUS_MULTIPROC_DIR the page sums up the processes that share the folder."""
    code = """
from fastapi import FastAPI
from fastapi.testclient import TestClient
from lineside.instrumentation import Metrics
from lineside.instrumentation.fastapi import metrics_router
metrics = Metrics()
metrics.counter("hits").inc()
app = FastAPI()
app.include_router(metrics_router(metrics))
print(TestClient(app).get("/metrics").text)
"""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    pages = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        for _ in range(2)
    ]
    assert "hits_total 1.0" in pages[0].stdout
    assert "hits_total 2.0" in pages[1].stdout
