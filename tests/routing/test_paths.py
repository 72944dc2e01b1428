"""`path_for`: escaped, complete, and wrong loudly."""

from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.templating import Jinja2Templates
from fastapi.testclient import TestClient

from lineside.controllers import Controller
from lineside.exceptions import PathError
from lineside.routing import path_for, resources


class Posts(Controller):
    """Answers with the path it was asked for."""

    async def index(self) -> str:
        return path_for(self.request, "posts")

    async def show(self, id: str) -> list[str]:
        return [id, path_for(self.request, "post", id=id)]


class Colour(str, Enum):  # noqa: UP042 - FastAPI's own documentation writes enums so
    """An enum of the kind FastAPI reads from a path."""

    RED = "red"


@pytest.fixture
def app() -> FastAPI:
    """An app with posts and comments, and a function of its own."""
    app = FastAPI()
    resources(app, "posts", Posts).resources("comments", Posts)

    @app.get("/files/{path:path}", name="file")
    async def file(path: str) -> str:
        return path

    @app.get("/colours/{colour}", name="colour")
    async def colour(colour: Colour) -> Colour:
        return colour

    return app


@pytest.mark.parametrize("value", ["a b", "a/b", "ä?#&=%", "{id}", "a;b,c", "..a", "~", "%2e", "x\ny", "+"])
@pytest.mark.anyio
async def test_a_value_comes_back_as_it_was(app: FastAPI, value: str) -> None:
    """What is escaped into a path is what the action gets, and nothing leaves its segment."""
    path = path_for(app, "post", id=value)
    assert path.count("/") == 2
    # The transport decodes once, as servers do; the test client decodes twice.
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
        response = await client.get(path)
    if "/" in value:
        # An ASGI path is decoded, a slash in it is a slash: nobody has this path.
        assert response.status_code == 404
    else:
        assert response.json() == [value, path]


def test_a_path_parameter_with_slashes(app: FastAPI) -> None:
    """A ``path`` converter gets its slashes back."""
    path = path_for(app, "file", path="a/b c.txt")
    assert TestClient(app).get(path).json() == "a/b c.txt"


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), (UUID(int=1), "00000000-0000-0000-0000-000000000001"), (Colour.RED, "red"), (1.5, "1.5")],
)
def test_values_are_written_as_fastapi_reads_them(app: FastAPI, value: Any, text: str) -> None:
    """Numbers, UUIDs and the values of enums."""
    assert path_for(app, "colour", colour=value) == f"/colours/{text}"


@pytest.mark.parametrize("value", [None, "", ".", ".."])
def test_a_value_that_no_path_can_carry_is_an_error(app: FastAPI, value: Any) -> None:
    """Browsers fold dots away, and an empty segment is another route."""
    with pytest.raises(PathError, match="parameter 'id' cannot be"):
        path_for(app, "post", id=value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, r"missing parameter \['id'\]; /posts/\{id\} takes \['id'\]"),
        ({"id": 1, "page": 2}, r"unknown parameter \['page'\]"),
        ({"slug": 1}, r"missing parameter \['id'\] and unknown parameter \['slug'\]"),
    ],
)
def test_a_missing_or_unknown_parameter_is_an_error(
    app: FastAPI, params: dict[str, Any], message: str
) -> None:
    """The message names what is wrong and what the route takes."""
    with pytest.raises(PathError, match=message):
        path_for(app, "post", **params)


def test_an_unknown_name_is_an_error_with_the_known_ones(app: FastAPI) -> None:
    """It is also a LookupError, for those who ask."""
    with pytest.raises(LookupError, match=r"path_for\('psot'\): no route has this name; .*post, post_c"):
        path_for(app, "psot", id=1)


def test_a_query_is_escaped(app: FastAPI) -> None:
    """Lists become repeated keys."""
    assert path_for(app, "posts", query={"q": "a b&c", "tag": ["x", "y"]}) == "/posts?q=a+b%26c&tag=x&tag=y"


def test_plain_fastapi_routes_and_routers_have_paths_too(app: FastAPI) -> None:
    """Every named route is found, with the prefixes of routers, also when it is added later."""
    assert path_for(app, "posts") == "/posts"
    router = APIRouter(prefix="/v1")

    @router.get("/late/{x}")
    async def late(x: int) -> int:
        return x

    assert path_for(router, "late", x=1) == "/v1/late/1"
    app.include_router(router, prefix="/api")
    assert path_for(app, "late", x=1) == "/api/v1/late/1"


def test_the_root_path_of_a_request_is_put_in_front(app: FastAPI) -> None:
    """Behind a proxy that strips a prefix, links still lead back."""
    client = TestClient(app, root_path="/shop")
    assert client.get("/posts").json() == "/shop/posts"
    outer = FastAPI()
    outer.mount("/inner", app)
    assert TestClient(outer).get("/inner/posts").json() == "/inner/posts"


def test_a_path_in_a_template(tmp_path: Path) -> None:
    """`path_for` is a plain function: a template gets it as a global."""
    (tmp_path / "post.html").write_text(
        '<a href="{{ path_for(request, "post", id=id) }}">{{ id }}</a>', encoding="utf-8"
    )
    templates = Jinja2Templates(directory=tmp_path)
    templates.env.globals["path_for"] = path_for
    app = FastAPI()
    resources(app, "posts", Posts)

    @app.get("/page")
    async def page(request: Request) -> Any:
        return templates.TemplateResponse(request, "post.html", {"id": 'a"b'})

    assert TestClient(app).get("/page").text == '<a href="/posts/a%22b">a&#34;b</a>'


def test_routes_that_come_later_are_found() -> None:
    """Under a new name, under a known one with other parameters, and in a router that is included already."""
    app = FastAPI()
    router = APIRouter()
    app.include_router(router, prefix="/in")
    app.add_api_route("/things", list, name="things")
    assert path_for(app, "things") == "/things"
    app.add_api_route("/things/{id}", list, name="things")
    router.add_api_route("/later/{id}", list, name="later")
    assert path_for(app, "things", id=1) == "/things/1"
    assert path_for(app, "later", id=2) == "/in/later/2"
    assert path_for(app, "things") == "/things"


def test_a_value_that_no_path_can_carry_costs_no_new_index() -> None:
    """A client that sends such values must not make the app walk over its routes for each of them."""
    app = FastAPI()
    app.add_api_route("/things/{id}", list, name="thing")
    assert path_for(app, "thing", id=1) == "/things/1"
    index = app.state.lineside_paths
    for value in ("", ".", None):
        with pytest.raises(PathError, match="cannot be"):
            path_for(app, "thing", id=value)
    assert app.state.lineside_paths is index
