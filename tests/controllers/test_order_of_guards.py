"""What may run before a guard, and what must not run behind one that is closed."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Response
from starlette.testclient import TestClient

from lineside.controllers import Controller, before_action
from lineside.routing import namespace, resources

loaded: list[int] = []


@pytest.fixture(autouse=True)
def nothing_loaded() -> None:
    loaded.clear()


async def load(id: int) -> int:
    loaded.append(id)
    if id > 1:
        raise HTTPException(404)
    return id


Loaded = Annotated[int, Depends(load)]


class Guarded(Controller):
    """A guard with a required header stands before an action that loads something."""

    @before_action()
    async def sign_in(self, x_key: Annotated[str, Header(max_length=3)]) -> Response | None:
        return None if x_key == "key" else Response(status_code=401)

    async def show(self, found: Loaded, q: int = 0) -> int:
        return found


class LoadingBehind(Guarded):
    """The second callback loads."""

    @before_action()
    async def find(self, found: Loaded) -> None:
        self.found = found

    async def show(self) -> int:  # type: ignore[override]
        return self.found


def client_of(controller: type[Controller], **options: Any) -> TestClient:
    app = FastAPI(**options)
    resources(app, "things", controller)
    return TestClient(app)


@pytest.mark.parametrize("controller", [Guarded, LoadingBehind])
@pytest.mark.parametrize("headers", [{}, {"X-Key": "too long"}])
def test_a_guard_with_invalid_parameters_stops_what_stands_behind(
    controller: type[Controller], headers: dict[str, str]
) -> None:
    """Nothing is loaded for somebody who did not pass: the answer does not tell which ids exist."""
    client = client_of(controller)
    missing, existing = client.get("/things/7", headers=headers), client.get("/things/1", headers=headers)
    assert missing.status_code == existing.status_code == 422
    assert missing.json() == existing.json()
    assert [entry["loc"] for entry in missing.json()["detail"]] == [["header", "x-key"]]
    assert loaded == []


@pytest.mark.parametrize("controller", [Guarded, LoadingBehind])
def test_a_guard_that_is_passed_costs_what_stands_behind_nothing(controller: type[Controller]) -> None:
    """Once resolved, once run."""
    client = client_of(controller)
    assert client.get("/things/1", headers={"X-Key": "key"}).json() == 1
    assert loaded == [1]
    assert client.get("/things/7", headers={"X-Key": "key"}).status_code == 404
    assert client.get("/things/1", headers={"X-Key": "no"}).status_code == 401


def test_errors_of_the_actions_own_values_are_told_with_the_guards() -> None:
    """All that was sent wrong, as FastAPI tells it."""
    detail = client_of(Guarded).get("/things/1?q=x").json()["detail"]
    assert sorted(entry["loc"] for entry in detail) == [["header", "x-key"], ["query", "q"]]


def test_a_closed_guard_knows_the_parameters_of_an_including_prefix() -> None:
    """A path parameter that only the prefix has is no query parameter."""

    class Tenants(Guarded):
        @before_action()
        async def tenant(self, tenant: int) -> None: ...

    router = APIRouter()
    resources(router, "things", Tenants)
    app = FastAPI()
    app.include_router(router, prefix="/{tenant}")
    client = TestClient(app)
    assert client.get("/5/things/1", headers={"X-Key": "key"}).json() == 1
    answer = client.get("/x/things/1", headers={"X-Key": "key"})
    assert [entry["loc"] for entry in answer.json()["detail"]] == [["path", "tenant"]]


def test_a_dependency_override_reaches_a_closed_guard() -> None:
    """The second look resolves what the first did."""
    app = FastAPI()

    async def key(x_key: Annotated[str, Header()]) -> str:
        return x_key

    class Keyed(Controller):
        @before_action()
        async def sign_in(self, key: Annotated[str, Depends(key)], n: int) -> None: ...

        async def show(self, found: Loaded) -> int:
            return found

    resources(app, "things", Keyed)
    app.dependency_overrides[key] = lambda: "overridden"
    answer = TestClient(app).get("/things/1")
    assert [entry["loc"] for entry in answer.json()["detail"]] == [["query", "n"]]
    assert loaded == []


async def refuse() -> None:
    raise HTTPException(401)


class NotFound(Controller):
    """Its callback asks nothing of FastAPI, so that it could run before everything else."""

    @before_action()
    async def hide(self) -> Response:
        return Response(status_code=404)

    async def index(self) -> None: ...


def test_dependencies_of_the_app_come_before_callbacks() -> None:
    """A login for the whole app is asked before a controller speaks."""
    app = FastAPI(dependencies=[Depends(refuse)])
    resources(app, "things", NotFound)
    resources(namespace(app, "admin"), "things", NotFound)
    assert TestClient(app).get("/things").status_code == 401
    assert TestClient(app).get("/admin/things").status_code == 401


def test_dependencies_of_a_router_come_before_callbacks() -> None:
    """Its own, and those that it is included with."""
    own, included = APIRouter(dependencies=[Depends(refuse)]), APIRouter()
    resources(own, "own", NotFound)
    resources(included, "included", NotFound)
    app = FastAPI()
    app.include_router(own)
    app.include_router(included, dependencies=[Depends(refuse)])
    assert TestClient(app).get("/own").status_code == 401
    assert TestClient(app).get("/included").status_code == 401


def test_without_such_dependencies_a_callback_comes_first() -> None:
    """Before the body is read."""
    assert client_of(NotFound).get("/things").status_code == 404
