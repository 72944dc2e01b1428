"""Constraints: patterns, host, header, function; what does not match falls through."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from lineside.controllers import Controller
from lineside.exceptions import RoutingError
from lineside.routing import header, host, resource, resources, scope


class Numbered(Controller):
    """Answers for numbers."""

    async def show(self, id: str) -> str:
        return f"number {id}"

    async def index(self) -> str:
        return "numbered"


class Named(Controller):
    """Answers for anything else."""

    async def show(self, id: str) -> str:
        return f"name {id}"

    async def index(self) -> str:
        return "named"


@pytest.mark.parametrize("included", [False, True])
def test_a_pattern_that_does_not_match_falls_through(included: bool) -> None:
    """The next route is tried, then it is a 404; an included router behaves the same."""
    app = FastAPI()
    target: Any = APIRouter() if included else app
    resources(target, "posts", Numbered, constraints={"id": "[0-9]+"})
    resources(target, "posts", Named, constraints={"id": "[a-z][a-z0-9_-]{2,15}"})
    if included:
        app.include_router(target)
    client = TestClient(app)
    assert client.get("/posts/7").json() == "number 7"
    assert client.get("/posts/ada_1").json() == "name ada_1"
    assert client.get("/posts/7x").status_code == 404
    assert client.get("/posts/ab").status_code == 404


def test_a_pattern_matches_the_whole_value() -> None:
    """Neither a part of it nor a line of it."""
    app = FastAPI()
    resources(app, "posts", Numbered, constraints={"id": "[0-9]+"})
    client = TestClient(app)
    assert client.get("/posts/7%0A").status_code == 404
    assert client.get("/posts/7%0Ax").status_code == 404


def test_a_collection_is_not_asked_for_a_members_parameter() -> None:
    """A pattern holds where the path has its parameter."""
    app = FastAPI()
    resources(app, "posts", Numbered, constraints={"id": "[0-9]+"})
    assert TestClient(app).get("/posts").json() == "numbered"


@pytest.mark.parametrize("pattern", ["[0-9", "(a)\\1", "(?=a)b", "a" * 1_001])
def test_a_bad_pattern_fails_at_declaration(pattern: str) -> None:
    """What cannot be compiled, or not be matched in linear time, is an error that names the parameter."""
    with pytest.raises(RoutingError, match="constraint of 'id'"):
        resources(FastAPI(), "posts", Numbered, constraints={"id": pattern})


def test_a_constraint_on_an_unknown_parameter_is_an_error() -> None:
    """The message has the known ones."""
    with pytest.raises(
        RoutingError, match=r"resources\('posts'\): .* unknown parameter 'slug'; known: \['id'\]"
    ):
        resources(FastAPI(), "posts", Numbered, constraints={"slug": "[a-z]+"})


def test_a_constraint_of_a_singular_resource_on_an_unknown_parameter_is_an_error() -> None:
    """A singular resource has no parameter of its own: a pattern for one would hold nowhere."""

    class Profile(Controller):
        async def show(self) -> str:
            return "profile"

    with pytest.raises(RoutingError, match=r"unknown parameter 'id'; known: \[\]"):
        resource(FastAPI(), "profile", Profile, constraints={"id": "[0-9]+"})


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        ("api.example.com", True),
        ("API.Example.COM", True),
        ("api.example.com:8000", True),
        ("www.example.com", False),
        ("api.example.com.evil.test", False),
        ("evil.test:api.example.com", False),
        ("apiXexample.com", False),
        ("", False),
    ],
)
def test_host_is_compared_without_case_and_port(given: str, matches: bool) -> None:
    """Only the name counts, and all of it."""
    app = FastAPI()
    resources(scope(app, constraints=host("api.example.com")), "posts", Numbered)
    resources(app, "posts", Named)
    found = TestClient(app).get("/posts", headers={"host": given}).json()
    assert found == ("numbered" if matches else "named")


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        ("acme.example.com", True),
        ("a.b.example.com", False),
        ("example.com", False),
        (".example.com", False),
    ],
)
def test_a_star_stands_for_one_label_of_a_host(given: str, matches: bool) -> None:
    """Subdomains match one level deep."""
    app = FastAPI()
    resources(app, "posts", Numbered, constraints=host("*.example.com"))
    assert (TestClient(app).get("/posts", headers={"host": given}).status_code == 200) == matches


@pytest.mark.parametrize(("given", "matches"), [("[::1]:8000", True), ("[::1]", True), ("[::2]", False)])
def test_an_ipv6_host(given: str, matches: bool) -> None:
    """The colons of an address are not taken for a port."""
    app = FastAPI()
    resources(app, "posts", Numbered, constraints=host("[::1]"))
    assert (TestClient(app).get("/posts", headers={"host": given}).status_code == 200) == matches


def test_a_header_may_be_there_or_have_a_value() -> None:
    """Its name is compared without case, its value exactly."""
    app = FastAPI()
    resources(app, "posts", Numbered, constraints=header("X-Beta", "yes"))
    resources(app, "posts", Named, constraints=header("x-beta"))
    client = TestClient(app)
    assert client.get("/posts", headers={"x-beta": "yes"}).json() == "numbered"
    assert client.get("/posts", headers={"x-beta": "Yes"}).json() == "named"
    assert client.get("/posts").status_code == 404


def test_a_function_sees_the_connection_with_its_path_parameters() -> None:
    """A constraint of one's own gets what Starlette knows about the request."""

    def even(connection: HTTPConnection) -> bool:
        return int(connection.path_params["id"]) % 2 == 0

    app = FastAPI()
    resources(app, "posts", Numbered, only=["show"], constraints=[{"id": "[0-9]+"}, even])
    client = TestClient(app)
    assert client.get("/posts/2").status_code == 200
    assert client.get("/posts/3").status_code == 404
    assert client.get("/posts/x").status_code == 404


def test_constraints_of_scopes_add_up() -> None:
    """A route asks all scopes around it, and functions inside are constrained too."""
    app = FastAPI()
    inner = scope(scope(app, constraints=header("x-a")), constraints=header("x-b"))
    resources(inner, "posts", Numbered)

    @inner.get("/plain")
    async def plain() -> int:
        return 1

    client = TestClient(app)
    for path in ("/posts", "/plain"):
        assert client.get(path, headers={"x-a": "1"}).status_code == 404
        assert client.get(path, headers={"x-a": "1", "x-b": "1"}).status_code == 200


def test_what_does_not_match_reaches_plain_fastapi_routes() -> None:
    """The next route may be anybody's."""
    app = FastAPI()
    resources(app, "posts", Numbered, constraints={"id": "[0-9]+"})

    @app.get("/posts/{slug}")
    async def by_slug(slug: str) -> str:
        return f"plain {slug}"

    client = TestClient(app)
    assert client.get("/posts/7").json() == "number 7"
    assert client.get("/posts/seven").json() == "plain seven"


def test_a_wrong_method_is_405_only_where_the_constraint_holds() -> None:
    """A path that matches no constraint is a 404 for every method."""
    app = FastAPI()
    resources(app, "posts", Numbered, constraints={"id": "[0-9]+"})
    client = TestClient(app)
    assert client.delete("/posts/7").status_code == 405
    assert client.delete("/posts/x").status_code == 404


def test_a_constraint_works_in_a_mounted_app_and_below_a_prefix() -> None:
    """Neither mount nor prefix changes what a parameter is."""
    inner = FastAPI()
    resources(inner, "posts", Numbered, constraints={"id": "[0-9]+"})
    router = APIRouter(prefix="/api")
    resources(router, "posts", Numbered, constraints={"id": "[0-9]+"})
    app = FastAPI()
    app.mount("/inner", inner)
    app.include_router(router)
    client = TestClient(app)
    for prefix in ("/inner", "/api"):
        assert client.get(f"{prefix}/posts/7").status_code == 200
        assert client.get(f"{prefix}/posts/x").status_code == 404
