"""What type checkers infer about controllers and routes."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Annotated, Any, Generic, TypeVar, assert_type

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel

from lineside.controllers import (
    Controller,
    action,
    after_action,
    around_action,
    before_action,
    rescue_from,
    skip_before_action,
)
from lineside.routing import (
    Resources,
    RouteRow,
    RouteScope,
    Versions,
    namespace,
    path_for,
    resource,
    resources,
    route_list,
    scope,
    versions,
)

In = TypeVar("In", bound=BaseModel)


class PostIn(BaseModel):
    """A body."""

    title: str


async def service() -> int:
    """Give a service."""
    return 1


class Crud(Controller, Generic[In]):
    """A generic base."""

    async def create(self, data: In) -> In:
        """Give back what came."""
        return data


class Posts(Crud[PostIn]):
    """A controller with everything."""

    service: Annotated[int, Depends(service)]

    @before_action(only=["show"])
    async def load(self, id: int) -> Response | None:
        """Halt or pass."""
        return None

    @around_action()
    async def around(self) -> AsyncGenerator[None, Response]:
        """Get the response."""
        response = yield
        assert_type(response, Response)

    @after_action()
    def after(self, response: Response) -> None:
        """Get the response."""

    @rescue_from(KeyError)
    async def rescue(self, error: KeyError) -> dict[str, str]:
        """Answer an error."""
        return {"error": str(error)}

    @action(status_code=202)
    async def show(self, id: int) -> dict[str, int]:
        """Answer."""
        assert_type(self.service, int)
        assert_type(self.request, Request)
        assert_type(self.action_name, str)
        return {"id": id}


@skip_before_action("load")
class Open(Posts):
    """A decorated class keeps its type."""


def test_decorators_keep_the_types_of_methods() -> None:
    """An action is called and overridden with the signature it was written with."""
    posts = Posts()
    load: Callable[[int], Coroutine[Any, Any, Response | None]] = posts.load
    show: Callable[[int], Coroutine[Any, Any, dict[str, int]]] = posts.show
    create: Callable[[PostIn], Coroutine[Any, Any, PostIn]] = posts.create
    opened: type[Posts] = Open
    assert None not in (load, show, create, opened)


def test_routing_is_typed() -> None:
    """Every target takes and gives what it says."""
    app = FastAPI()
    posts = assert_type(resources(app, "posts", Posts, only=["show"]), Resources)
    assert_type(posts.resources("comments", Posts, shallow=True), Resources)
    assert_type(resource(app, "profile", Posts, only=["create"]), Resources)
    admin = assert_type(namespace(app, "admin"), RouteScope)
    assert_type(scope(admin, path="/x"), RouteScope)
    api = assert_type(versions(app, ["1"], default="1"), Versions)
    assert_type(api["1"], RouteScope)
    assert_type(path_for(app, "post", id=1), str)
    assert_type(route_list(app), list[RouteRow])

    @admin.get("/plain")
    async def plain(page: int = 1) -> str:
        return str(page)

    unchanged: Callable[[int], Coroutine[Any, Any, str]] = plain
    assert unchanged is not None
