"""Namespaces and scopes: prefixes, names, and guards that guard everything inside."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from lineside.controllers import Controller, before_action
from lineside.controllers.endpoints import guard
from lineside.exceptions import RoutingError
from lineside.routing import RouteScope, namespace, path_for, resource, resources, scope

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class Posts(Controller):
    """Notes its action."""

    async def index(self) -> str:
        LOG.append("index")
        return "index"

    async def show(self, id: int) -> int:
        LOG.append("show")
        return id

    async def create(self, data: dict[str, int]) -> dict[str, int]:
        LOG.append("create")
        return data


async def admin_only(request: Request) -> Response | None:
    """Refuse whoever is no admin."""
    LOG.append("admin_only")
    return None if request.headers.get("role") == "admin" else JSONResponse({}, 403)


async def with_key(x_key: Annotated[str | None, Header()] = None) -> Response | None:
    """Refuse whoever has no key."""
    LOG.append("with_key")
    return None if x_key else JSONResponse({}, 401)


def guarded(target: Any) -> RouteScope:
    """Make a namespace in a namespace, with a guard each."""
    return namespace(namespace(target, "admin", before=[admin_only]), "reports", before=[with_key])


@pytest.fixture(params=["app", "router"])
def client(request: pytest.FixtureRequest) -> TestClient:
    """An app with everything inside two namespaces, added to the app or to a router."""
    app = FastAPI()
    target: Any = app if request.param == "app" else APIRouter()
    inner = guarded(target)
    resources(inner, "posts", Posts).resources("comments", Posts)
    resource(inner, "profile", type("Profile", (Controller,), {"show": lambda self: "profile"}))

    @inner.get("/plain")
    async def plain(page: int = 1) -> int:
        LOG.append("plain")
        return page

    @inner.post("/made")
    def made() -> str:
        return "made"

    @inner.route("/any", methods=["PUT", "PATCH", "DELETE"])
    async def anything() -> str:
        return "any"

    if target is not app:
        app.include_router(target)
    return TestClient(app)


INSIDE = [
    ("GET", "/admin/reports/posts"),
    ("GET", "/admin/reports/posts/1"),
    ("POST", "/admin/reports/posts"),
    ("GET", "/admin/reports/posts/1/comments"),
    ("GET", "/admin/reports/profile"),
    ("GET", "/admin/reports/plain"),
    ("POST", "/admin/reports/made"),
    ("PUT", "/admin/reports/any"),
    ("PATCH", "/admin/reports/any"),
    ("DELETE", "/admin/reports/any"),
]


@pytest.mark.parametrize(("method", "path"), INSIDE)
def test_guards_guard_everything_inside(client: TestClient, method: str, path: str) -> None:
    """Resources, nested ones, a singular one and plain functions: none is open."""
    json = {"json": {"a": 1}} if path.endswith("posts") and method == "POST" else {}
    assert client.request(method, path, **json).status_code == 403
    assert client.request(method, path, headers={"x-key": "1"}, **json).status_code == 403
    assert client.request(method, path, headers={"role": "admin"}, **json).status_code == 401
    headers = {"role": "admin", "x-key": "1"}
    assert client.request(method, path, headers=headers, **json).status_code in (200, 201)


def test_guards_run_outermost_first_and_before_the_controllers_own(client: TestClient) -> None:
    """A guard that halts keeps the inner ones from running."""
    client.get("/admin/reports/posts")
    assert LOG == ["admin_only"]
    LOG.clear()
    client.get("/admin/reports/posts", headers={"role": "admin", "x-key": "1"})
    assert LOG == ["admin_only", "with_key", "index"]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/admin/reports/posts/abc", {}),
        ("GET", "/admin/reports/plain?page=abc", {}),
        ("POST", "/admin/reports/posts", {"json": {"a": "b"}}),
        (
            "POST",
            "/admin/reports/posts",
            {"content": b"{bad", "headers": {"content-type": "application/json"}},
        ),
    ],
)
def test_guards_beat_422(client: TestClient, method: str, path: str, options: dict[str, Any]) -> None:
    """Who may not come in learns nothing about the request's faults, from controllers or functions."""
    assert client.request(method, path, **options).status_code == 403
    allowed = {**options.get("headers", {}), "role": "admin", "x-key": "1"}
    assert client.request(method, path, **{**options, "headers": allowed}).status_code == 422


def test_prefixes_and_names_appear_once(client: TestClient) -> None:
    """Neither paths nor names have a prefix twice."""
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {path.replace("/1", "/{id}", 1) for _, path in INSIDE if "comments" not in path} | {
        "/admin/reports/posts/{post_id}/comments",
        "/admin/reports/posts/{post_id}/comments/{id}",
    }
    assert path_for(client.app, "admin_reports_post", id=1) == "/admin/reports/posts/1"  # type: ignore[arg-type]  # a FastAPI app


def test_guards_made_by_one_factory_all_run() -> None:
    """Guards are told apart by what they are and not by their name, the controller's own included."""

    def role(name: str) -> Any:
        async def check(request: Request) -> Response | None:
            LOG.append(name)
            return None

        return check

    class Own(Posts):
        @before_action()
        async def check(self) -> None:
            LOG.append("own")

    app = FastAPI()
    outer = namespace(app, "a", before=[role("one"), role("two")])
    resources(namespace(outer, "b", before=[role("three")]), "posts", Own)
    TestClient(app).get("/a/b/posts")
    assert LOG == ["one", "two", "three", "own", "index"]


def test_a_guard_may_be_an_object_or_plain() -> None:
    """A callable object is read by its method, a plain function runs in a thread."""

    class Limit:
        def __init__(self, status: int) -> None:
            self.status = status

        async def __call__(self, full: bool = False) -> Response | None:
            return Response(status_code=self.status) if full else None

    def plain(request: Request) -> Response | None:
        return Response(status_code=418) if "tea" in request.headers else None

    app = FastAPI()
    inner = scope(app, before=[plain, Limit(429)])
    resources(inner, "posts", Posts)
    client = TestClient(app)
    assert client.get("/posts").status_code == 200
    assert client.get("/posts?full=1").status_code == 429
    assert client.get("/posts?full=1", headers={"tea": "1"}).status_code == 418
    assert "full" in str(app.openapi()["paths"]["/posts"]["get"]["parameters"])


def test_guards_may_declare_their_responses() -> None:
    """What a guard answers is in OpenAPI of everything inside."""
    app = FastAPI()
    inner = scope(app, before=[guard(with_key, responses={401: {"description": "No key"}})])
    resources(inner, "posts", Posts)

    @inner.get("/plain")
    async def plain() -> int:
        return 1

    paths = app.openapi()["paths"]
    for path in ("/posts", "/plain"):
        assert paths[path]["get"]["responses"]["401"] == {"description": "No key"}
        assert [parameter["name"] for parameter in paths[path]["get"]["parameters"]] == ["x-key"]


def test_a_scope_leaves_its_siblings_alone() -> None:
    """What is added to one scope is in no other, nor in the app outside."""
    app = FastAPI()
    guarded(app)
    resources(namespace(app, "open"), "posts", Posts)
    resources(app, "posts", Posts)
    client = TestClient(app)
    assert client.get("/open/posts").status_code == client.get("/posts").status_code == 200
    assert LOG == ["index", "index"]


def test_dependencies_of_a_plain_function_are_not_resolved_when_a_guard_halts() -> None:
    """A guard stands in front of a function as in front of an action."""
    resolved: list[str] = []

    async def dependency() -> None:
        resolved.append("resolved")

    app = FastAPI()
    inner = scope(app, before=[with_key])

    @inner.get("/plain")
    async def plain(given: Annotated[None, Depends(dependency)]) -> int:
        return 1

    client = TestClient(app)
    assert client.get("/plain").status_code == 401
    assert resolved == []
    assert client.get("/plain", headers={"x-key": "1"}).json() == 1
    assert resolved == ["resolved"]


def test_a_namespace_may_have_another_path() -> None:
    """Name and path are separate things."""
    app = FastAPI()
    resources(namespace(app, "v1", path="/api/v1"), "posts", Posts)
    assert path_for(app, "v1_posts") == "/api/v1/posts"


def test_scopes_with_paths_have_operation_ids_of_their_own() -> None:
    """The same resource in two scopes makes no two operations of one id."""
    app = FastAPI()
    for path in ("/a", "/b/{tenant}"):
        resources(scope(app, path=path), "posts", Posts)
    ids = [o["operationId"] for path in app.openapi()["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids)) == 6
    assert "a_posts_index" in ids


@pytest.mark.parametrize("path", ["admin", "/admin/", "/"])
def test_a_wrong_path_is_an_error(path: str) -> None:
    """A path begins with a slash and ends without: the message says so."""
    with pytest.raises(RoutingError, match="begin it with `/` and end it without"):
        scope(FastAPI(), path=path)


def test_a_function_may_have_a_name_and_options() -> None:
    """Routes of plain functions take FastAPI's options and a name for `path_for`."""
    app = FastAPI()
    admin = namespace(app, "admin")

    @admin.put("/items/{id}", name="item", status_code=202, summary="Change")
    async def change(id: int) -> int:
        return id

    @admin.patch("/items/{id}")
    async def patch(id: int) -> int:
        return id

    @admin.delete("/items/{id}")
    async def remove(id: int) -> None: ...

    client = TestClient(app)
    assert client.put("/admin/items/1").status_code == 202
    assert client.patch("/admin/items/1").status_code == 200
    assert client.delete("/admin/items/1").status_code == 204
    assert path_for(app, "admin_item", id=1) == "/admin/items/1"
    assert app.openapi()["paths"]["/admin/items/{id}"]["put"]["summary"] == "Change"


def test_a_parameter_may_follow_text_in_a_segment() -> None:
    """A scope's path is FastAPI's: parameters stand wherever they do there."""
    app = FastAPI()
    inner = scope(app, path="/api/v{version}", constraints={"version": "[12]"})
    resources(inner, "posts", Posts)
    client = TestClient(app)
    assert client.get("/api/v1/posts").status_code == 200
    assert client.get("/api/v3/posts").status_code == 404
    assert path_for(app, "post", version=2, id=1) == "/api/v2/posts/1"
