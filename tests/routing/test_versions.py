"""API versions, by header and by path."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from lineside.controllers import Controller
from lineside.exceptions import RoutingError
from lineside.routing import namespace, path_for, resources, versions


class V1(Controller):
    """The first version."""

    async def index(self) -> str:
        """List as before."""
        return "v1"

    async def show(self, id: int) -> str:
        return "only in v1"


class V2(Controller):
    """The second version."""

    async def index(self) -> str:
        """List anew."""
        return "v2"


@pytest.fixture(params=[False, True], ids=["app", "included"])
def app(request: pytest.FixtureRequest) -> FastAPI:
    """An app with two versions, on it or in an included router."""
    app = FastAPI()
    target: Any = APIRouter() if request.param else app
    api = versions(target, ["1", "2"], default="1")
    resources(api["1"], "users", V1)
    resources(api["2"], "users", V2)
    if request.param:
        app.include_router(target)
    return app


def test_the_header_chooses_the_version(app: FastAPI) -> None:
    """Without the header it is the default."""
    client = TestClient(app)
    assert client.get("/users").json() == "v1"
    assert client.get("/users", headers={"API-Version": "1"}).json() == "v1"
    assert client.get("/users", headers={"api-version": "2"}).json() == "v2"


@pytest.mark.parametrize("asked", ["3", "", "1.0", "latest"])
def test_an_unknown_version_is_400_with_the_known_ones(app: FastAPI, asked: str) -> None:
    """The client learns what it may ask for."""
    response = TestClient(app).get("/users", headers={"API-Version": asked})
    assert response.status_code == 400
    assert response.json()["detail"] == f"unknown API version {asked!r}; known versions: '1', '2'"


def test_a_route_that_a_version_lacks_is_404(app: FastAPI) -> None:
    """A known version without this route has nothing here."""
    client = TestClient(app)
    assert client.get("/users/1").status_code == 200
    assert client.get("/users/1", headers={"API-Version": "2"}).status_code == 404


def test_openapi_describes_the_default_version(app: FastAPI) -> None:
    """One path and method has one operation there."""
    document = app.openapi()
    assert document["paths"]["/users"]["get"]["description"] == "List as before."
    assert "List anew" not in str(document)


def test_each_version_has_names_of_its_own(app: FastAPI) -> None:
    """Route names carry the version."""
    assert path_for(app, "v1_users") == path_for(app, "v2_users") == "/users"


def test_another_header_and_scope() -> None:
    """The header's name is the app's choice, and versions live in a namespace as well."""
    app = FastAPI()
    api = versions(namespace(app, "api"), ["v1", "v2"], header="X-Version", default="v2")
    resources(api["v1"], "users", V1)
    resources(api["v2"], "users", V2)
    client = TestClient(app)
    assert client.get("/api/users").json() == "v2"
    assert client.get("/api/users", headers={"x-version": "v1"}).json() == "v1"
    assert path_for(app, "api_v1_users") == "/api/users"


def test_a_wrong_default_or_version_is_an_error_at_declaration() -> None:
    """A misspelled version would be a route that nobody reaches."""
    with pytest.raises(RoutingError, match=r"default version '3' is none of \('1', '2'\); add it"):
        versions(FastAPI(), ["1", "2"], default="3")
    with pytest.raises(RoutingError, match=r"unknown version '3'; known: \['1', '2'\]; use one of them"):
        versions(FastAPI(), ["1", "2"], default="1")["3"]


def test_versions_by_path_are_namespaces() -> None:
    """An unknown one is a 404, as any path that nobody has."""
    app = FastAPI()
    resources(namespace(app, "v1", path="/api/v1"), "users", V1)
    resources(namespace(app, "v2", path="/api/v2"), "users", V2)
    client = TestClient(app)
    assert client.get("/api/v1/users").json() == "v1"
    assert client.get("/api/v2/users").json() == "v2"
    assert client.get("/api/v3/users").status_code == 404
    assert path_for(app, "v2_users") == "/api/v2/users"
