"""Generic controllers: type parameters become concrete models."""

from typing import Annotated, Any, Generic, TypeVar

import pytest
from fastapi import Body, Depends, FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.controllers import Controller, before_action
from lineside.exceptions import RoutingError
from lineside.routing import resources

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")
T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A generic model with a parameter of its own."""

    items: list[T]


class Repo(Generic[T]):
    """A generic service."""

    kind = "repo"


async def repository() -> Repo[Any]:
    """Open the service."""
    return Repo()


class PostIn(BaseModel):
    """What a client sends."""

    title: str


class PostOut(BaseModel):
    """What a client gets."""

    id: int
    title: str = ""


class Crud(Controller, Generic[In, Out]):
    """Two parameters, used in callbacks, actions and attributes."""

    repo: Annotated[Repo[Out], Depends(repository)]

    @before_action(only=["update"])
    async def check(self, data: In) -> None:
        self.checked = data

    async def index(self) -> Page[Out]:
        return Page[Any](items=[])  # type: ignore[return-value]  # the concrete model is not known here

    async def pages(self) -> list[Page[Out]]:
        return []

    async def latest(self) -> Out | None:
        return None

    async def create(self, data: Annotated[In, Body()]) -> dict[str, Out]:
        return {}

    async def update(self, id: int, data: In) -> list[Out] | None:
        return []


class ReadOnly(Crud[In, PostOut], Generic[In]):
    """The first level: one parameter filled."""


class Posts(ReadOnly[PostIn]):
    """The second level: both filled."""


def document(controller: type[Controller]) -> dict[str, Any]:
    """Return the OpenAPI document of a controller."""
    app = FastAPI()
    resources(app, "posts", controller, collection={"pages": "GET", "latest": "GET"})
    return app.openapi()


def test_parameters_resolve_through_two_levels() -> None:
    """Bodies and responses are the concrete models, wherever the parameter stands."""
    found = document(Posts)
    paths = found["paths"]

    def response(path: str, method: str, status: str = "200") -> Any:
        return paths[path][method]["responses"][status]["content"]["application/json"]["schema"]

    def reference(name: str) -> dict[str, str]:
        return {"$ref": f"#/components/schemas/{name}"}

    body = paths["/posts"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == reference("PostIn")
    assert response("/posts", "get") == reference("Page_PostOut_")
    assert response("/posts/pages", "get")["items"] == reference("Page_PostOut_")
    assert response("/posts/latest", "get")["anyOf"] == [reference("PostOut"), {"type": "null"}]
    assert response("/posts", "post", "201")["additionalProperties"] == reference("PostOut")
    assert response("/posts/{id}", "put")["anyOf"][0]["items"] == reference("PostOut")
    assert found["components"]["schemas"]["Page_PostOut_"]["properties"]["items"]["items"] == reference(
        "PostOut"
    )


def test_a_generic_action_validates_its_body() -> None:
    """The concrete model decides what is valid."""
    app = FastAPI()
    resources(app, "posts", Posts)
    client = TestClient(app)
    assert client.post("/posts", json={"title": 1}).status_code == 422
    assert client.post("/posts", json={"title": "a"}).status_code == 201
    assert client.put("/posts/1", json={"title": "a"}).json() == []


def test_two_controllers_of_one_generic_base_do_not_meet() -> None:
    """Each has the models of its own arguments."""

    class TagIn(BaseModel):
        name: str

    class Tags(Crud[TagIn, int]):
        pass

    app = FastAPI()
    resources(app, "posts", Posts)
    resources(app, "tags", Tags)
    paths = app.openapi()["paths"]
    bodies = [
        paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for path in ("/posts", "/tags")
    ]
    assert bodies == ["#/components/schemas/PostIn", "#/components/schemas/TagIn"]


def test_an_open_parameter_is_an_error() -> None:
    """A class that nobody gave its arguments has no document: the message says what to write."""
    with pytest.raises(RoutingError, match=r"Crud\..*~Out is open; .*`Base\[Post\]`"):
        document(Crud)
    with pytest.raises(RoutingError, match=r"~In is open"):
        document(ReadOnly)


@pytest.mark.parametrize("inside", [False, True])
def test_an_open_parameter_inside_a_model_is_an_error(inside: bool) -> None:
    """Pydantic would take `Page[T]` for a page of anything: it is refused, at any depth."""

    class Paged(Controller, Generic[T]):
        if inside:

            async def index(self) -> list[Page[T]]:
                return []
        else:

            async def index(self) -> Page[T]:
                return Page[T](items=[])

    class Forgotten(Paged):  # type: ignore[type-arg]  # what is tested
        pass

    app = FastAPI()
    with pytest.raises(RoutingError, match="~T is open"):
        resources(app, "posts", Forgotten)


def test_a_generic_model_may_stand_alone() -> None:
    """`-> Page` in a controller that is not generic means a page of anything, as in FastAPI."""

    class Plain(Controller):
        async def index(self) -> Page:  # type: ignore[type-arg]  # what is tested
            return Page(items=[1, "a"])

    app = FastAPI()
    resources(app, "posts", Plain)
    assert TestClient(app).get("/posts").json() == {"items": [1, "a"]}
