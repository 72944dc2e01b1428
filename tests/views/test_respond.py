"""One action, several formats: chosen by Accept, filtered by the response model, shown in OpenAPI."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.templating import Jinja2Templates
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from lineside.exceptions import ConfigurationError, RoutingError
from lineside.problems import error_handlers
from lineside.views import Formats, respond_to

PLANTED = "planted-password-hash"


class BlogPost(BaseModel):
    id: int
    title: str
    tags: list[str] = []
    extra: dict[str, Any] = {}
    shown_at: str | None = Field(default=None, alias="shownAt")


def stored(title: str = "Hello") -> dict[str, Any]:
    return {"id": 1, "title": title, "tags": ["a", "b"], "password_hash": PLANTED}


ran: list[str] = []
formats = respond_to(
    "json", "xml", html=lambda post, request: f"<h1>{post['title']} {request.url.path}</h1>", text=True
)


def cookie(response: Response) -> None:
    response.set_cookie("seen", "1")


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    router = APIRouter(prefix="/v1")

    @router.get("/posts/{id}", response_model=BlogPost, responses=formats.responses())
    @formats
    async def show(id: int, request: Request, loud: bool = False) -> Any:
        assert request.url.path.startswith("/v1/posts")
        return stored("HELLO" if loud else "Hello")

    @router.get("/sync")
    @respond_to("xml", "json", "text")
    def sync() -> BlogPost:
        return BlogPost.model_validate(stored())

    @router.post("/posts", status_code=201, dependencies=[Depends(cookie)])
    @respond_to("json", "xml")
    async def create(tasks: BackgroundTasks) -> BlogPost:
        ran.append("action")
        tasks.add_task(ran.append, "background")
        return BlogPost.model_validate(stored())

    @router.get("/teapot")
    @respond_to("json", "xml")
    async def teapot(response: Response) -> BlogPost:
        response.status_code = 418
        response.headers["X-Pot"] = "yes"
        return BlogPost.model_validate(stored())

    app.include_router(router)
    ran.clear()
    return TestClient(app)


def get(client: TestClient, path: str, accept: str | None) -> Any:
    return client.get(path, headers={} if accept is None else {"Accept": accept})


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/*;q=0.1", "text/xml, */*"])
def test_json_is_the_first_offer_and_stays_fastapis_own(client: TestClient, accept: str | None) -> None:
    """The body is what the undecorated function would give; Vary tells caches that Accept decides."""
    if accept is None:
        del client.headers["accept"]
    response = get(client, "/v1/posts/1", accept)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["vary"] == "Accept"
    assert response.json() == {"id": 1, "title": "Hello", "tags": ["a", "b"], "extra": {}, "shownAt": None}


def test_xml_has_the_models_name_and_items(client: TestClient) -> None:
    """`BlogPost` is `<blog_post>`, each element of a list is an `<item>`."""
    response = get(client, "/v1/posts/1", "application/xml")
    assert response.headers["content-type"] == "application/xml"
    assert response.headers["vary"] == "Accept"
    root = ElementTree.fromstring(response.content)
    assert root.tag == "blog_post"
    assert root.findtext("title") == "Hello"
    assert [item.text for item in root.findall("tags/item")] == ["a", "b"]
    assert root.find("shownAt") is not None


def test_html_and_text_come_from_functions_or_by_default(client: TestClient) -> None:
    """A function may take the request; text without one is JSON for a reader."""
    page = get(client, "/v1/posts/1?loud=true", "text/html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text == "<h1>HELLO /v1/posts/1</h1>"
    text = get(client, "/v1/posts/1", "text/plain")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert '"title": "Hello"' in text.text


@pytest.mark.parametrize("accept", ["application/json", "application/xml", "text/html", "text/plain"])
def test_a_field_outside_the_response_model_is_in_no_format(client: TestClient, accept: str) -> None:
    """The response model filters before any format is written (T9)."""
    response = get(client, "/v1/posts/1", accept)
    assert response.status_code == 200
    assert PLANTED not in response.text


def test_the_routes_response_model_options_hold_in_every_format() -> None:
    """Exclusions and aliases of the route are not JSON's alone, and a callable sees the filtered data."""
    app = FastAPI()
    seen: list[Any] = []

    @app.get(
        "/",
        response_model=list[BlogPost],
        response_model_exclude={"__all__": {"title"}},
        response_model_by_alias=False,
    )
    @respond_to("json", "xml", text=lambda posts: seen.append(posts) or "ok")
    def index() -> Any:
        return [stored("hidden title")]

    client = TestClient(app)
    assert "hidden title" not in get(client, "/", "application/xml").text
    assert get(client, "/", "text/plain").text == "ok"
    assert seen == [[{"id": 1, "tags": ["a", "b"], "extra": {}, "shown_at": None}]]


def test_a_sync_action_offers_its_own_order(client: TestClient) -> None:
    """The first format answers a client without a wish."""
    assert get(client, "/v1/sync", None).headers["content-type"] == "application/xml"
    assert get(client, "/v1/sync", "text/plain").status_code == 200


def test_status_cookies_and_background_tasks_reach_every_format(client: TestClient) -> None:
    """What FastAPI does for a value happens for a rendered response too."""
    for accept in ("application/json", "application/xml"):
        ran.clear()
        response = client.post("/v1/posts", headers={"Accept": accept})
        assert response.status_code == 201
        assert response.cookies["seen"] == "1"
        assert ran == ["action", "background"]
        pot = get(client, "/v1/teapot", accept)
        assert (pot.status_code, pot.headers["x-pot"]) == (418, "yes")


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0, image/png", "nonsense", "*/*;q=0"])
def test_nothing_acceptable_is_406_before_the_action_runs(client: TestClient, accept: str) -> None:
    """A POST that cannot be answered has no effect; the message names the offers."""
    response = client.post("/v1/posts", headers={"Accept": accept})
    assert response.status_code == 406
    assert response.headers["vary"] == "Accept"
    assert "'application/json', 'application/xml'" in response.json()["detail"]
    assert ran == []


def test_406_goes_through_the_apps_handlers_when_there_are_any() -> None:
    """With `error_handlers()` the error stays our class, so an author's handler can catch it."""
    app = FastAPI(exception_handlers=error_handlers())

    @app.get("/")
    @respond_to("json")
    def show() -> int:
        return 1

    response = get(TestClient(app), "/", "application/problem+json, image/png")
    assert response.status_code == 406
    assert response.json()["offered"] == ["application/json"]


def test_every_format_is_in_openapi(client: TestClient) -> None:
    """The response model stays, the other media types stand beside it, no parameter is added."""
    operation = client.app.openapi()["paths"]["/v1/posts/{id}"]["get"]  # type: ignore[attr-defined]
    content = operation["responses"]["200"]["content"]
    assert set(content) == {"application/json", "application/xml", "text/html", "text/plain"}
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/BlogPost"}
    assert "406" in operation["responses"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["id", "loud"]
    reference = {"$ref": "#/components/schemas/BlogPost"}
    assert formats.openapi_content(reference)["application/xml"] == {"schema": reference}


def test_the_formats_can_be_read_from_the_action() -> None:
    """A router of controllers finds them there."""

    def action() -> None: ...

    marked = respond_to("json", html="x.html")(action)
    found = getattr(marked, "__lineside_formats__")  # noqa: B009 - a function's type has no such attribute
    assert isinstance(found, Formats)
    assert found.media_types == ("application/json", "text/html")
    assert marked.__name__ == "action"


@pytest.mark.anyio
async def test_render_works_without_a_route() -> None:
    """Code of its own may call it with any request: the value is encoded as FastAPI would."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept", b"application/xml")]}
    response = await respond_to("json", "xml").render(Request(scope), BlogPost(id=1, title="x"))
    assert b"<blog_post><id>1</id>" in response.body
    assert response.headers["vary"] == "Accept"


def test_an_action_that_returns_a_response_has_chosen() -> None:
    """As in FastAPI, a response is sent as it is."""
    app = FastAPI()

    @app.get("/")
    @respond_to("json", "xml")
    def show() -> Response:
        return PlainTextResponse("mine")

    assert get(TestClient(app), "/", "application/xml").text == "mine"


def test_a_renderer_may_be_async_and_may_return_a_response() -> None:
    """Its response's own status and headers stay."""
    app = FastAPI()

    async def page(value: Any) -> Response:
        return HTMLResponse(f"<p>{value}</p>", status_code=203)

    async def line(value: Any) -> Response:
        return PlainTextResponse("line", headers={"X-Line": "1"})

    @app.get("/")
    @respond_to("json", html=page, text=line)
    def show() -> int:
        return 7

    html = get(TestClient(app), "/", "text/html")
    assert (html.status_code, html.text) == (203, "<p>7</p>")
    assert get(TestClient(app), "/", "text/plain").headers["x-line"] == "1"


def test_a_template_of_the_app_is_rendered_with_the_model_under_its_name(tmp_path: Path) -> None:
    """Autoescaped, with `value` and `blog_post`, and the route's status."""
    (tmp_path / "show.html").write_text(
        "<h1>{{ blog_post.title }}</h1>{{ value.id }}{{ value.password_hash }}"
    )
    app = FastAPI()
    app.state.lineside_templates = Jinja2Templates(tmp_path)

    @app.get("/", status_code=202)
    @respond_to("json", html="show.html")
    def show() -> BlogPost:
        return BlogPost.model_validate(stored("<script>"))

    response = get(TestClient(app), "/", "text/html")
    assert response.text == "<h1>&lt;script&gt;</h1>1"
    assert response.status_code == 202


def test_a_template_without_templates_names_what_to_set() -> None:
    """The developer's error, with the line to write."""
    app = FastAPI()

    @app.get("/")
    @respond_to("json", html="show.html")
    def show() -> int:
        return 1

    with pytest.raises(ConfigurationError, match=r"lineside_templates = .*Jinja2Templates"):
        get(TestClient(app), "/", "text/html")


@pytest.mark.parametrize(
    "value",
    [
        {"extra": {"</entry><evil/>": "x"}},
        {"extra": {"@onload": "x", "#text": "y", "#comment": "--><evil/>", "xmlns": "z", "?x": 1, "": 2}},
        {"extra": {"a b": {"c": [1, {"d e": None}]}, "entry": 1, "1": True}},
        {"extra": {"quote\"'<&": ["]]>", "<evil/>", "\x00\x08\ufffe"]}},
        {"extra": {"\u00e9": 1, "a:b": 2, "entry": [1, 2]}},
    ],
)
def test_keys_and_texts_from_outside_stay_data_in_xml(value: dict[str, Any]) -> None:
    """Whatever a key or a text holds, the document is well-formed and none of it is markup."""
    app = FastAPI()

    @app.get("/")
    @respond_to("xml")
    def show() -> dict[str, Any]:
        return value

    root = ElementTree.fromstring(TestClient(app).get("/").content)
    assert root.tag == "response"
    assert {element.tag for element in root.iter()} <= {
        "response",
        "extra",
        "entry",
        "item",
        "c",
        "d",
    }
    assert {name for element in root.iter() for name in element.attrib} <= {"key"}
    extra = root.find("extra")
    assert extra is not None
    assert len(extra) == len(value["extra"])


def test_wrong_declarations_are_refused_when_they_are_made() -> None:
    """An unknown format, no format, and a stream, each with what to write instead."""
    with pytest.raises(RoutingError, match=r"does not know \['yaml'\]"):
        respond_to("yaml")  # type: ignore[arg-type]
    with pytest.raises(RoutingError, match="needs a format"):
        respond_to()

    async def stream() -> AsyncIterator[int]:
        yield 1

    def lines() -> Iterator[int]:
        yield 1

    for action in (stream, lines):
        with pytest.raises(RoutingError, match="a stream has one format"):
            respond_to("json", "xml")(action)


def test_xml_without_its_extra_names_the_command() -> None:
    """In a fresh interpreter without the package: at declaration, not at the first request."""
    code = (
        "import sys; sys.modules['xmltodict'] = None\n"
        "from lineside.views import respond_to\n"
        "respond_to('json')\n"
        "try: respond_to('xml')\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'lineside[xml]'" in done.stdout
