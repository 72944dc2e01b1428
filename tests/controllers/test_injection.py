"""Class attributes and constructors that FastAPI fills."""

from typing import Annotated, Any, ClassVar

import pytest
from fastapi import Depends, FastAPI, Header, Response
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from lineside.controllers import Controller, before_action
from lineside.routing import resources


class Store:
    """A service."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant


async def store_for(x_tenant: Annotated[str, Header()] = "none") -> Store:
    """Open the store of a tenant."""
    return Store(x_tenant)


StoreDep = Annotated[Store, Depends(store_for)]


def client_for(controller: type[Controller]) -> TestClient:
    """Route a controller as `/items`."""
    app = FastAPI()
    resources(app, "items", controller)
    return TestClient(app)


class ByAnnotation(Controller):
    """Has its service by annotation."""

    store: StoreDep
    page_size: ClassVar[int] = 20

    async def index(self) -> str:
        return self.store.tenant


class ByDefault(Controller):
    """Has its service as FastAPI's older style says it."""

    store: Store = Depends(store_for)

    async def index(self) -> str:
        return self.store.tenant


class ByConstructor(Controller):
    """Has its service as an argument of its constructor."""

    def __init__(self, store: StoreDep, page: int = 1) -> None:
        self.store = store
        self.page = page

    async def index(self) -> str:
        return self.store.tenant


@pytest.mark.parametrize("base", [ByAnnotation, ByDefault, ByConstructor])
@pytest.mark.parametrize("callback", ["none", "simple", "with a parameter", "in a subclass"])
def test_callbacks_and_actions_use_what_was_injected(base: type[Any], callback: str) -> None:
    """Every way of injection works with and without callbacks, which see it too."""

    async def simple(self: Any) -> Response | None:
        return JSONResponse({}, 403) if self.store.tenant == "evil" else None

    async def with_parameter(self: Any, page: int = 1) -> Response | None:
        return JSONResponse({}, 403) if self.store.tenant == "evil" else None

    members: dict[str, Any] = {}
    if callback != "none":
        members["check"] = before_action()(with_parameter if callback == "with a parameter" else simple)
    controller = type("Items", (base,), members)
    if callback == "in a subclass":
        controller = type("Sub", (controller,), {})
    client = client_for(controller)
    assert client.get("/items", headers={"x-tenant": "acme"}).json() == "acme"
    assert client.get("/items", headers={"x-tenant": "evil"}).status_code == (
        200 if callback == "none" else 403
    )


def test_parameters_of_a_constructor_are_in_openapi() -> None:
    """They are FastAPI parameters as any other; hidden names do not show."""
    app = FastAPI()
    resources(app, "items", ByConstructor)
    parameters = app.openapi()["paths"]["/items"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {"x-tenant", "page"}


def test_a_constructor_may_take_a_path_parameter() -> None:
    """The path's parameter reaches the constructor under its own name, and the action too."""

    class Scoped(Controller):
        def __init__(self, id: int) -> None:
            self.id = id

        async def show(self, id: int) -> list[int]:
            return [self.id, id]

    client = client_for(Scoped)
    assert client.get("/items/7").json() == [7, 7]
    assert client.get("/items/x").status_code == 422


def test_an_attribute_and_a_parameter_may_share_a_name() -> None:
    """An action's parameter does not meet the attribute of the same name."""

    class Same(Controller):
        store: StoreDep

        async def index(self, store: str = "mine") -> list[str]:
            return [self.store.tenant, store]

    assert client_for(Same).get("/items?store=other").json() == ["none", "other"]


def test_a_dependency_is_resolved_once_for_attribute_callback_and_action() -> None:
    """FastAPI's cache holds for all of them: one session per request."""
    opened: list[str] = []

    async def service() -> str:
        opened.append("opened")
        return "service"

    service_dep = Annotated[str, Depends(service)]

    class Shared(Controller):
        service: service_dep

        @before_action()
        async def check(self, service: service_dep) -> None: ...

        async def index(self, service: service_dep) -> str:
            return service

    client_for(Shared).get("/items")
    assert opened == ["opened"]


def test_a_subclass_may_replace_an_injected_attribute() -> None:
    """A plain attribute of a subclass ends the injection of its base."""

    class Fixed(ByAnnotation):
        store: Any = Store("fixed")

    assert client_for(Fixed).get("/items").json() == "fixed"


def test_two_subclasses_share_nothing() -> None:
    """Each (class, action) has an endpoint of its own, whatever its siblings change."""

    class Left(ByAnnotation):
        @before_action()
        async def refuse(self) -> Response:
            return JSONResponse({}, 403)

    class Right(ByAnnotation):
        store: Annotated[Store, Depends(lambda: Store("right"))]

    app = FastAPI()
    for name, controller in (("left", Left), ("right", Right), ("base", ByAnnotation)):
        resources(app, name, controller)
    client = TestClient(app)
    assert client.get("/left").status_code == 403
    assert client.get("/right").json() == "right"
    assert client.get("/base").json() == "none"
    assert "__signature__" not in vars(ByAnnotation.index)


def test_an_object_is_made_for_each_request() -> None:
    """What one request leaves on its controller no other request sees."""
    made: list[int] = []

    class Counting(Controller):
        count = 0

        async def index(self) -> int:
            made.append(id(self))
            self.count += 1
            return self.count

    client = client_for(Counting)
    assert [client.get("/items").json() for _ in range(3)] == [1, 1, 1]
