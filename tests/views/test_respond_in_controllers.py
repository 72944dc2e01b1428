"""`respond_to` on a controller's action: callbacks, rescues and the response model still hold."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.controllers import Controller, before_action, rescue_from
from lineside.exceptions import NotAcceptableError
from lineside.routing import resources
from lineside.views import respond_to

T = TypeVar("T")


class PostOut(BaseModel):
    id: int
    title: str


class ShowController(Controller, Generic[T]):
    found: dict[str, Any]

    @before_action()
    async def find(self, id: int) -> None:
        self.found = {"id": id, "title": "Hello", "password_hash": "planted"}

    @respond_to("json", "xml", text=lambda post: post["title"])
    async def show(self) -> T:
        found: Any = self.found
        return found


class PostsController(ShowController[PostOut]):
    pass


class RescuedController(ShowController[PostOut]):
    @rescue_from(NotAcceptableError, status_code=415)
    async def say_so(self, error: NotAcceptableError) -> dict[str, Any]:
        return {"try": error.offered}


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    resources(app, "posts", PostsController, only=["show"])
    resources(app, "rescued", RescuedController, only=["show"])
    return TestClient(app)


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("application/json", '{"id":7,"title":"Hello"}'),
        ("application/xml", "<post_out><id>7</id><title>Hello</title></post_out>"),
        ("text/plain", "Hello"),
    ],
)
def test_a_generic_action_answers_in_each_format(client: TestClient, accept: str, body: str) -> None:
    """The callback ran, the type parameter became the model, and the model filtered."""
    response = client.get("/posts/7", headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(accept)
    assert response.headers["vary"] == "Accept"
    assert response.text.endswith(body)


def test_nothing_acceptable_is_406_or_what_the_controller_rescues(client: TestClient) -> None:
    """The error reaches `rescue_from` as our class."""
    assert client.get("/posts/7", headers={"Accept": "image/png"}).status_code == 406
    rescued = client.get("/rescued/7", headers={"Accept": "image/png"})
    assert rescued.status_code == 415
    assert rescued.json() == {"try": ["application/json", "application/xml", "text/plain"]}
