"""Callbacks with FastAPI parameters of their own."""

from typing import Annotated, Any

import pytest
from fastapi import Body, Cookie, Depends, FastAPI, Header, Query, Response
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.controllers import Controller, around_action, before_action
from lineside.routing import resources


class Filter(BaseModel):
    """A model of query parameters."""

    limit: int = 10
    tag: list[str] = []


class Draft(BaseModel):
    """A body."""

    title: str


async def tenant(x_tenant: Annotated[str, Header()] = "none") -> str:
    """Name the tenant of a request."""
    return x_tenant


class Posts(Controller):
    """Notes what its callbacks got."""

    seen: dict[str, Any]

    @before_action(only=["show"], responses={410: {"description": "Gone"}})
    async def by_path(self, id: int) -> None:
        self.seen = {"path": id}

    @before_action(only=["show"])
    async def by_query(self, page: Annotated[int, Query(ge=1)] = 1) -> None:
        self.seen["query"] = page

    @before_action(only=["show"])
    async def by_header(self, x_key: Annotated[str, Header()]) -> None:
        self.seen["header"] = x_key

    @before_action(only=["show"])
    async def by_cookie(self, theme: Annotated[str, Cookie()] = "light") -> None:
        self.seen["cookie"] = theme

    @before_action(only=["show"])
    async def by_dependency(self, name: Annotated[str, Depends(tenant)]) -> None:
        self.seen["dependency"] = name

    @before_action(only=["index"])
    async def by_model(self, filter: Annotated[Filter, Query()]) -> None:
        self.seen = filter.model_dump()

    @before_action(only=["create"])
    async def by_body(self, data: Draft) -> Response | None:
        self.seen = {"body": data.title}
        return JSONResponse({"refused": data.title}, 409) if data.title == "spam" else None

    @around_action(only=["create"], responses={503: {"description": "Busy"}})
    async def around_with_parameter(self, slow: bool = False) -> Any:
        self.seen["around"] = slow
        yield

    async def index(self) -> dict[str, Any]:
        return self.seen

    async def show(self) -> dict[str, Any]:
        return self.seen

    async def create(self, data: Draft) -> dict[str, Any]:
        return {**self.seen, "action": data.title}


@pytest.fixture
def app() -> FastAPI:
    """An app with the posts."""
    app = FastAPI()
    resources(app, "posts", Posts)
    return app


def test_path_query_header_cookie_and_dependency(app: FastAPI) -> None:
    """Each kind of parameter reaches its callback, converted."""
    client = TestClient(app, cookies={"theme": "dark"})
    response = client.get("/posts/7?page=2", headers={"x-key": "k", "x-tenant": "acme"})
    assert response.json() == {
        "path": 7,
        "query": 2,
        "header": "k",
        "cookie": "dark",
        "dependency": "acme",
    }


def test_a_parameter_of_a_callback_is_validated(app: FastAPI) -> None:
    """A wrong value is FastAPI's own 422."""
    response = TestClient(app).get("/posts/7?page=0", headers={"x-key": "k"})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["query", "page"]


def test_a_model_of_query_parameters(app: FastAPI) -> None:
    """A query model works as in a path operation."""
    assert TestClient(app).get("/posts?limit=3&tag=a&tag=b").json() == {"limit": 3, "tag": ["a", "b"]}


def test_a_body_is_shared_by_callback_and_action(app: FastAPI) -> None:
    """The same body reaches both, and the callback may halt."""
    client = TestClient(app)
    assert client.post("/posts", json={"title": "a"}).json() == {"body": "a", "around": False, "action": "a"}
    assert client.post("/posts", json={"title": "spam"}).status_code == 409


def test_parameters_of_callbacks_are_in_openapi(app: FastAPI) -> None:
    """The document has the callbacks' parameters, bodies and responses, and no hidden ones."""
    show = app.openapi()["paths"]["/posts/{id}"]["get"]
    assert {(p["in"], p["name"], p["required"]) for p in show["parameters"]} == {
        ("path", "id", True),
        ("query", "page", False),
        ("header", "x-key", True),
        ("cookie", "theme", False),
        ("header", "x-tenant", False),
    }
    assert show["responses"]["410"] == {"description": "Gone"}
    create = app.openapi()["paths"]["/posts"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Draft")
    assert [p["name"] for p in create["parameters"]] == ["slow"]
    assert "503" in create["responses"]
    assert "lineside" not in str(app.openapi())


def test_two_bodies_are_embedded_as_in_fastapi() -> None:
    """A callback's body beside another of the action: each has its key."""

    class Two(Controller):
        @before_action()
        async def check(self, token: Annotated[str, Body()]) -> None:
            self.token = token

        async def create(self, data: Draft) -> dict[str, str]:
            return {"token": self.token, "title": data.title}

    app = FastAPI()
    resources(app, "posts", Two)
    response = TestClient(app).post("/posts", json={"token": "t", "data": {"title": "a"}})
    assert response.json() == {"token": "t", "title": "a"}
