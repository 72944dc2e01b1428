"""Controllers in a module with postponed evaluation of annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.controllers import Controller, before_action
from lineside.exceptions import RoutingError
from lineside.routing import namespace, resources

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")


class PostIn(BaseModel):
    """A body."""

    title: str


class PostOut(BaseModel):
    """A response."""

    title: str
    page: int


async def service() -> str:
    """Give a service."""
    return "service"


class Crud(Controller, Generic[T]):
    """A generic base."""

    service: Annotated[str, Depends(service)]

    async def create(self, data: T) -> PostOut:
        return PostOut(title=f"{getattr(data, 'title', '')} {self.service}", page=self.page)


class Posts(Crud[PostIn]):
    """Everything that is annotated."""

    page: int

    @before_action()
    async def paged(self, request: Request, page: int = 1) -> None:
        self.page = page

    async def destroy(self, id: int) -> None: ...


class OnlyChecked(Controller):
    """Names a type that exists for type checkers alone."""

    async def index(self, price: Decimal) -> int:
        return 1


class OnlyCheckedCallback(Controller):
    """The same in a callback."""

    @before_action()
    async def check(self, price: Decimal) -> None: ...

    async def index(self) -> int:
        return 1


class OnlyCheckedAttribute(Controller):
    """The same in an attribute."""

    price: Decimal

    async def index(self) -> int:
        return 1


async def guard(request: Request, page: int = 1) -> None:
    """A guard with postponed annotations."""


def test_postponed_annotations_are_evaluated() -> None:
    """Bodies, callbacks, attributes, guards, type parameters and `-> None` mean what they say."""
    app = FastAPI()
    resources(namespace(app, "api", before=[guard]), "posts", Posts)
    client = TestClient(app)
    assert client.post("/api/posts?page=2", json={"title": "a"}).json() == {"title": "a service", "page": 2}
    assert client.post("/api/posts", json={}).status_code == 422
    assert client.delete("/api/posts/1").status_code == 204
    body = app.openapi()["paths"]["/api/posts"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/PostIn"}


@pytest.mark.parametrize("controller", [OnlyChecked, OnlyCheckedCallback, OnlyCheckedAttribute])
def test_a_name_for_type_checkers_alone_is_a_clear_error(controller: type[Controller]) -> None:
    """The message names the method, the name, and what to do."""
    with pytest.raises(RoutingError, match=r"OnlyChecked.*'Decimal'.*outside `if TYPE_CHECKING:`"):
        resources(FastAPI(), "posts", controller)
