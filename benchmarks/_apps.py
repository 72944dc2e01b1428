"""The apps that `benchmarks.http` compares: one action written in several ways."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

from lineside.controllers import Controller, after_action, around_action, before_action
from lineside.routing import resources

#: Routes of the app with many routes: each resource has index, create, show, update (twice) and destroy.
RESOURCES = 84
ROUTES_EACH = 6


class Item(BaseModel):
    """What is shown and posted."""

    id: int
    name: str
    limit: int


class Clock:
    """Something to inject."""


async def get_clock() -> Clock:
    """Give a clock, as a dependency does."""
    return Clock()


GivenClock = Annotated[Clock, Depends(get_clock)]


class Shown(Controller):
    """A controller without callbacks."""

    async def show(self, id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        """Show an item."""
        return Item(id=id, name="signal", limit=limit)


class Threaded(Controller):
    """A controller whose action is a plain ``def``."""

    def show(self, id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        """Show an item."""
        return Item(id=id, name="signal", limit=limit)


class Created(Controller):
    """A controller with a JSON body."""

    async def create(self, item: Item) -> Item:
        """Take an item and give it back."""
        return item


class Guarded(Controller):
    """A controller with three before-callbacks."""

    @before_action()
    async def sign_in(self) -> None:
        """Set what a sign-in would."""
        self.user = "ada"

    @before_action()
    async def find_account(self) -> None:
        """Use what the first has set."""
        self.account = self.user

    @before_action(only=["show"])
    async def allow(self) -> None:
        """Use what the second has set."""
        self.allowed = bool(self.account)

    async def show(self, id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        """Show an item."""
        return Item(id=id, name="signal", limit=limit)


class Surrounded(Guarded):
    """A controller with an around and an after as well."""

    @around_action()
    async def measure(self) -> AsyncGenerator[None, Response]:
        """Let everything pass."""
        yield

    @after_action()
    async def log(self) -> None:
        """Look at nothing."""


class Injected(Controller):
    """A controller with an injected attribute."""

    clock: GivenClock

    async def show(self, id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        """Show an item."""
        return Item(id=id, name="signal" if self.clock else "", limit=limit)


class Whole(Controller):
    """A controller with what an API resource has."""

    async def index(self) -> list[Item]:
        """List nothing."""
        return []

    async def create(self, item: Item) -> Item:
        """Take an item and give it back."""
        return item

    async def show(self, id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        """Show an item."""
        return Item(id=id, name="signal", limit=limit)

    async def update(self, id: int, item: Item) -> Item:  # noqa: A002 - the name of the path parameter
        """Take an item and give it back."""
        return item

    async def destroy(self, id: int) -> None:  # noqa: A002 - the name of the path parameter
        """Remove nothing."""


def _app() -> FastAPI:
    # Without /docs: cbv refuses a router that has other routes, and its pages would dilute every ratio.
    return FastAPI(openapi_url=None)


def with_controller(controller: type[Controller]) -> FastAPI:
    """Return an app with one resource, at ``/items``."""
    app = _app()
    resources(app, "items", controller)
    return app


def with_posting_function() -> FastAPI:
    """Return the peer of `Created`."""
    app = _app()

    @app.post("/items", status_code=201)
    async def create(item: Item) -> Item:
        return item

    return app


def with_limited_function() -> FastAPI:
    """Return the peer of `Created` with the limit of the body's size that a controller has by default."""
    app = _app()

    @app.post("/items", status_code=201, max_body_size=Controller.max_body_size)
    async def create(item: Item) -> Item:
        return item

    return app


def with_plain_function() -> FastAPI:
    """Return a ``def`` function: FastAPI runs it in a worker thread."""
    app = _app()

    @app.get("/items/{id}")
    def show(id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        return Item(id=id, name="signal", limit=limit)

    return app


def with_included_function(levels: int) -> FastAPI:
    """Return the function behind some levels of ``include_router``."""
    router = APIRouter()

    @router.get("/items/{id}")
    async def show(id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        return Item(id=id, name="signal", limit=limit)

    for _ in range(levels - 1):
        inner, router = router, APIRouter()
        router.include_router(inner)
    app = _app()
    app.include_router(router)
    return app


def with_middleware() -> FastAPI:
    """Return the function behind one ``BaseHTTPMiddleware`` that does nothing."""
    app = with_one_function()

    async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return app


def with_one_function() -> FastAPI:
    """Return the peer of `Shown` and `Guarded`."""
    app = _app()

    @app.get("/items/{id}")
    async def show(id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        return Item(id=id, name="signal", limit=limit)

    return app


def with_depending_function() -> FastAPI:
    """Return the peer of `Injected`: a function with the same ``Depends``."""
    app = _app()

    @app.get("/items/{id}")
    async def show(id: int, clock: GivenClock, limit: int = 10) -> Item:  # noqa: A002 - the path parameter
        return Item(id=id, name="signal" if clock else "", limit=limit)

    return app


def with_many_resources() -> FastAPI:
    """Return an app with about 500 routes of controllers."""
    app = _app()
    for number in range(RESOURCES):
        resources(app, f"r{number}s", Whole)
    return app


def with_many_functions() -> FastAPI:
    """Return an app with the same paths and methods as flat FastAPI routes."""
    app = _app()
    for number in range(RESOURCES):
        _add_flat(app, f"/r{number}s")
    return app


def _add_flat(app: FastAPI, path: str) -> None:
    @app.get(path)
    async def index() -> list[Item]:
        return []

    @app.post(path, status_code=201)
    async def create(item: Item) -> Item:
        return item

    @app.get(path + "/{id}")
    async def show(id: int, limit: int = 10) -> Item:  # noqa: A002 - the name of the path parameter
        return Item(id=id, name="signal", limit=limit)

    @app.patch(path + "/{id}")
    async def update(id: int, item: Item) -> Item:  # noqa: A002 - the name of the path parameter
        return item

    @app.put(path + "/{id}")
    async def update_put(id: int, item: Item) -> Item:  # noqa: A002 - the name of the path parameter
        return item

    @app.delete(path + "/{id}", status_code=204)
    async def destroy(id: int) -> None:  # noqa: A002 - the name of the path parameter
        return None


def with_cbv() -> FastAPI:
    """Return fastapi-utils' class-based view: FastAPI resolves the class as a dependency."""
    from fastapi_utils.cbv import cbv

    app = _app()

    @cbv(app.router)
    class Items:
        @app.router.get("/items/{id}")
        async def show(self, id: int, limit: int = 10) -> Item:  # noqa: A002 - the path parameter
            return Item(id=id, name="signal", limit=limit)

    return app


def with_litestar() -> Any:
    """Return Litestar's controller: another framework, no FastAPI in it."""
    from litestar import Controller as LitestarController
    from litestar import Litestar, get

    class Items(LitestarController):
        path = "/items"

        @get("/{id:int}")
        async def show(self, id: int, limit: int = 10) -> Item:  # noqa: A002 - the path parameter
            return Item(id=id, name="signal", limit=limit)

    return Litestar([Items], openapi_config=None, logging_config=None)


def served_function() -> FastAPI:
    """Return what uvicorn serves as the peer (with ``--factory``)."""
    return with_one_function()


def served_controller() -> FastAPI:
    """Return what uvicorn serves as ours (with ``--factory``)."""
    return with_controller(Shown)
