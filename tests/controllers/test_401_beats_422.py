"""Who may not come in learns nothing about the shape of a request."""

from typing import Annotated, Any, ClassVar

import pytest
from fastapi import Depends, FastAPI, File, Header, Response
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.controllers import Controller, before_action
from lineside.routing import resources


class PostIn(BaseModel):
    """The body of a post."""

    title: str


class Early(Controller):
    """Its guard needs nothing from FastAPI: it runs before the body is read."""

    resolved: ClassVar[list[str]] = []

    @before_action()
    async def authenticate(self) -> Response | None:
        return None if "x-key" in self.request.headers else JSONResponse({}, 401)


class Late(Controller):
    """Its guard has a parameter: it runs while FastAPI resolves dependencies."""

    @before_action()
    async def authenticate(self, x_key: Annotated[str | None, Header()] = None) -> Response | None:
        return None if x_key else JSONResponse({}, 401)


async def dependency() -> str:
    """Note that it was resolved."""
    Early.resolved.append("dependency")
    return "resolved"


class Actions(Controller):
    """What both have."""

    async def show(self, id: int) -> int:
        return id

    async def create(self, data: PostIn, given: Annotated[str, Depends(dependency)]) -> PostIn:
        return data

    async def upload(self, file: Annotated[bytes, File()]) -> int:
        return len(file)


class EarlyPosts(Actions, Early):
    """All actions behind the early guard."""


class LatePosts(Actions, Late):
    """All actions behind the late guard."""


BAD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "path parameter": ("GET", "/posts/abc", {}),
    "body field": ("POST", "/posts", {"json": {"title": 1}}),
    "missing body": ("POST", "/posts", {}),
    "broken JSON": ("POST", "/posts", {"content": b"{bad", "headers": {"content-type": "application/json"}}),
    "not UTF-8": ("POST", "/posts", {"content": b'"\xff"', "headers": {"content-type": "application/json"}}),
    "malformed multipart": (
        "POST",
        "/posts/upload",
        {"content": b"nothing", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    ),
    "multipart without boundary": (
        "POST",
        "/posts/upload",
        {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
    ),
}


def client_for(controller: type[Controller]) -> TestClient:
    """Route the posts with an upload."""
    app = FastAPI()
    resources(app, "posts", controller, collection={"upload": "POST"})
    return TestClient(app)


@pytest.mark.parametrize("controller", [EarlyPosts, LatePosts])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_401_without_a_key_and_4xx_with_one(controller: type[Controller], case: str) -> None:
    """The guard speaks first; behind it the fault of the request is named."""
    method, path, options = BAD[case]
    client = client_for(controller)
    assert client.request(method, path, **options).status_code == 401
    allowed = {**options.get("headers", {}), "x-key": "1"}
    assert client.request(method, path, **{**options, "headers": allowed}).status_code in (400, 422)


@pytest.mark.parametrize("controller", [EarlyPosts, LatePosts])
def test_broken_json_is_fastapis_own_422(controller: type[Controller]) -> None:
    """Behind the guard the error says where the JSON breaks."""
    headers = {"x-key": "1", "content-type": "application/json"}
    detail = client_for(controller).post("/posts", content=b"{bad", headers=headers).json()["detail"]
    assert detail[0]["type"] == "json_invalid"
    assert detail[0]["loc"] == ["body", 1]


@pytest.mark.parametrize("controller", [EarlyPosts, LatePosts])
def test_dependencies_of_the_action_are_not_resolved_when_a_callback_halts(
    controller: type[Controller],
) -> None:
    """No session opens and no query runs for a request that is refused."""
    Early.resolved.clear()
    client = client_for(controller)
    assert client.post("/posts", json={"title": "a"}).status_code == 401
    assert Early.resolved == []
    assert client.post("/posts", json={"title": "a"}, headers={"x-key": "1"}).status_code == 201
    assert Early.resolved == ["dependency"]


def test_later_callbacks_do_not_run_when_the_parameters_of_an_earlier_one_are_invalid() -> None:
    """A callback relies on those before it: without them it does not run."""
    ran: list[str] = []

    class Chain(Controller):
        @before_action()
        async def load(self, id: int) -> None:
            ran.append("load")

        @before_action()
        async def simple(self) -> None:
            ran.append("simple")

        @before_action()
        async def check(self, page: int = 1) -> None:
            ran.append("check")

        async def show(self) -> int:
            ran.append("show")
            return 1

    app = FastAPI()
    resources(app, "posts", Chain)
    response = TestClient(app).get("/posts/abc")
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["path", "id"]
    assert ran == []


def test_an_earlier_guard_beats_invalid_parameters_of_a_later_callback() -> None:
    """401 also comes before the 422 of another callback."""

    class Chain(Late):
        @before_action()
        async def load(self, id: int) -> None: ...

        async def show(self) -> int:
            return 1

    app = FastAPI()
    resources(app, "posts", Chain)
    client = TestClient(app)
    assert client.get("/posts/abc").status_code == 401
    assert client.get("/posts/abc", headers={"x-key": "1"}).status_code == 422


def test_a_callback_with_a_body_of_its_own_says_that_the_json_is_broken() -> None:
    """The reason of a broken body is not lost when a callback misses its part of it."""

    class WithBody(Controller):
        @before_action()
        async def check(self, data: PostIn) -> None: ...

        async def create(self, data: PostIn) -> PostIn:
            return data

    app = FastAPI()
    resources(app, "posts", WithBody)
    response = TestClient(app).post("/posts", content=b"{bad", headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["detail"][0]["type"] == "json_invalid"
