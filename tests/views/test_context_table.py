"""The table "What is FastAPI's own" of the guide, row by row: each Gor context feature, running here."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import (
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
)
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.templating import Jinja2Templates
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.exceptions import LinesideError
from lineside.instrumentation.asgi import RequestContextMiddleware
from lineside.problems import error_handlers, install_error_handlers, server_error_handler
from lineside.views import redirect_to, respond_to, save_upload, send_file


class Post(BaseModel):
    title: str


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


def test_gor_ctx_01_a_path_parameter(app: FastAPI, client: TestClient) -> None:
    """`ctx.Param("id")` is an argument of that name, with a type."""

    @app.get("/posts/{id}")
    def show(id: int) -> int:
        return id

    assert client.get("/posts/7").json() == 7
    assert client.get("/posts/seven").status_code == 422


def test_gor_ctx_02_03_a_query_parameter_and_its_default(app: FastAPI, client: TestClient) -> None:
    """`ctx.Query(k)` is an argument, several values are a list; `ctx.QueryDefault(k, d)` is a default."""

    @app.get("/")
    def index(q: str, tag: Annotated[list[str] | None, Query()] = None, page: int = 1) -> Any:
        return [q, tag, page]

    assert client.get("/?q=a&tag=x&tag=y").json() == ["a", ["x", "y"], 1]
    assert client.get("/?q=a&page=3").json() == ["a", None, 3]


def test_gor_ctx_04_a_form_value(app: FastAPI, client: TestClient) -> None:
    """`ctx.FormValue(k)` is `Form()`."""

    @app.post("/")
    def create(title: Annotated[str, Form()]) -> str:
        return title

    assert client.post("/", data={"title": "Hello"}).json() == "Hello"


def test_gor_ctx_05_a_body_bound_to_a_model(app: FastAPI, client: TestClient) -> None:
    """`ctx.Bind(&post)` is an argument whose type is a model; a wrong body is 422."""

    @app.post("/")
    def create(post: Post) -> Post:
        return post

    assert client.post("/", json={"title": "Hello"}).json() == {"title": "Hello"}
    assert client.post("/", json={}).status_code == 422


def test_gor_ctx_06_an_uploaded_file(app: FastAPI, client: TestClient) -> None:
    """`ctx.FormFile(k)` is an `UploadFile`: the file and what its header said."""

    @app.post("/")
    async def create(photo: Annotated[UploadFile, File()]) -> Any:
        return [photo.filename, photo.content_type, len(await photo.read())]

    answer = client.post("/", files={"photo": ("a.png", b"123", "image/png")})
    assert answer.json() == ["a.png", "image/png", 3]


def test_gor_ctx_07_08_a_header_and_a_cookie(app: FastAPI, client: TestClient) -> None:
    """`ctx.Header(k)` is `Header()`, `ctx.Cookie(k)` is `Cookie()`."""

    @app.get("/")
    def show(user_agent: Annotated[str, Header()], theme: Annotated[str, Cookie()] = "light") -> Any:
        return [user_agent, theme]

    assert client.get("/", headers={"User-Agent": "x", "Cookie": "theme=dark"}).json() == ["x", "dark"]
    assert client.get("/", headers={"User-Agent": "x"}).json() == ["x", "light"]


def test_gor_ctx_09_a_template(app: FastAPI, client: TestClient, tmp_path: Path) -> None:
    """`ctx.Render(tpl, data)` is `TemplateResponse`; a missing template is an error, not JSON."""
    (tmp_path / "show.html").write_text("<h1>{{ title }}</h1>")
    templates = Jinja2Templates(tmp_path)

    @app.get("/{name}")
    def show(request: Request, name: str) -> Response:
        return templates.TemplateResponse(request, f"{name}.html", {"title": "<Hello>"})

    assert client.get("/show").text == "<h1>&lt;Hello&gt;</h1>"
    with pytest.raises(Exception, match=r"missing\.html"):
        client.get("/missing")


def test_gor_ctx_10_json_with_a_status(app: FastAPI, client: TestClient) -> None:
    """`ctx.JSON(status, v)` is the returned value with `status_code=`, or a `JSONResponse`."""

    @app.post("/", status_code=201)
    def create() -> Post:
        return Post(title="Hello")

    @app.get("/")
    def show(teapot: bool = False) -> Any:
        return JSONResponse({"tea": True}, status_code=418) if teapot else {"tea": False}

    created = client.post("/")
    assert (created.status_code, created.headers["content-type"]) == (201, "application/json")
    assert client.get("/?teapot=true").status_code == 418


def test_gor_ctx_11_12_text_and_html(app: FastAPI, client: TestClient) -> None:
    """`ctx.Text` is `PlainTextResponse`, `ctx.HTML` is `HTMLResponse`."""

    @app.get("/text")
    def text() -> Response:
        return PlainTextResponse("hello", status_code=202)

    @app.get("/html", response_class=HTMLResponse)
    def html() -> str:
        return "<p>hello</p>"

    assert client.get("/text").headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get("/text").status_code == 202
    assert client.get("/html").headers["content-type"] == "text/html; charset=utf-8"


def test_gor_ctx_13_xml(app: FastAPI, client: TestClient) -> None:
    """`ctx.XML(status, v)` is `respond_to("xml")`."""

    @app.get("/", status_code=203)
    @respond_to("xml")
    def show() -> Post:
        return Post(title="Hello")

    response = client.get("/")
    assert (response.status_code, response.headers["content-type"]) == (203, "application/xml")
    assert "<post><title>Hello</title></post>" in response.text


def test_gor_ctx_14_a_download(app: FastAPI, client: TestClient, tmp_path: Path) -> None:
    """`ctx.File(path)` is `send_file(path, root=...)`."""
    (tmp_path / "report.txt").write_text("numbers")
    app.get("/{name}")(lambda name: send_file(name, root=tmp_path))
    app.exception_handlers.update(error_handlers())
    assert client.get("/report.txt").headers["content-disposition"] == 'attachment; filename="report.txt"'


def test_gor_ctx_15_a_redirect(app: FastAPI, client: TestClient) -> None:
    """`ctx.Redirect(url)` is `redirect_to(url)`."""

    @app.post("/")
    def create() -> Response:
        return redirect_to("/posts/1")

    response = client.post("/", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/posts/1")


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, "no such post"), (401, "log in"), (403, "not yours"), (400, "what?"), (500, "planned")],
)
def test_gor_ctx_16_status_helpers(app: FastAPI, client: TestClient, status: int, message: str) -> None:
    """`ctx.NotFound(msg)` and its sisters are `raise HTTPException(status, msg)`."""

    @app.get("/")
    def show() -> None:
        raise HTTPException(status, message)

    response = client.get("/")
    assert (response.status_code, response.json()) == (status, {"detail": message})


def test_gor_ctx_17_what_a_request_carries(app: FastAPI, client: TestClient) -> None:
    """`ctx.Set` and `ctx.Get` are `request.state`; `ctx.GetOk` is `getattr` with a default."""

    def remember(request: Request) -> None:
        request.state.tenant = "acme"

    @app.get("/", dependencies=[Depends(remember)])
    def show(request: Request) -> Any:
        return [request.state.tenant, getattr(request.state, "other", None)]

    assert client.get("/").json() == ["acme", None]


def test_gor_ctx_18_a_response_header(app: FastAPI, client: TestClient) -> None:
    """`ctx.SetHeader(k, v)` is `response.headers[k] = v` on an injected `Response`."""

    @app.get("/")
    def show(response: Response) -> int:
        response.headers["X-Total"] = "3"
        return 1

    assert client.get("/").headers["x-total"] == "3"


def test_gor_ctx_19_request_and_response(app: FastAPI, client: TestClient) -> None:
    """`ctx.Request()` and `ctx.Response` are arguments of these types."""

    @app.get("/")
    def show(request: Request, response: Response) -> str:
        response.status_code = 202
        return request.method

    response = client.get("/")
    assert (response.status_code, response.json()) == (202, "GET")


def test_gor_ctx_20_server_sent_events_and_the_log(
    app: FastAPI, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """`ctx.SSE(fn)` is `EventSourceResponse`, `ctx.Logger()` is `logging`."""
    log = logging.getLogger("myapp")

    @app.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterator[ServerSentEvent]:
        log.warning("streaming")
        yield ServerSentEvent(data={"n": 1}, event="tick")

    response = client.get("/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert 'event: tick\ndata: {"n": 1}' in response.text
    assert "streaming" in caplog.text


@pytest.mark.parametrize("error", [LinesideError("internal"), RuntimeError("internal")])
def test_gor_adv_01_the_request_id_reaches_the_answer(app: FastAPI, error: Exception) -> None:
    """In the header of every response and in the body of a 500, to find the log line with."""
    install_error_handlers(app)
    app.add_middleware(RequestContextMiddleware)

    @app.get("/")
    def show(fail: bool = False) -> int:
        if fail:
            raise error
        return 1

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/", headers={"X-Request-ID": "r-1"}).headers["x-request-id"] == "r-1"
    body = client.get("/?fail=true", headers={"X-Request-ID": "r-2"}).json()
    assert body == {"detail": "Internal Server Error", "request_id": "r-2"}


def test_gor_adv_02_content_negotiation(app: FastAPI, client: TestClient) -> None:
    """JSON, XML, or else HTML, as Gor's example has it."""

    @app.get("/")
    @respond_to("json", "xml", html=lambda post: f"<h1>{post['title']}</h1>")
    def show() -> Post:
        return Post(title="Hello")

    kinds = {
        accept: client.get("/", headers={"Accept": accept}).headers["content-type"].split(";")[0]
        for accept in ("application/json", "application/xml", "text/html,*/*;q=0.1")
    }
    assert list(kinds.values()) == ["application/json", "application/xml", "text/html"]


def test_gor_adv_03_a_stream(app: FastAPI, client: TestClient) -> None:
    """A generator in a `StreamingResponse`; each piece leaves when it is made."""

    def lines() -> Iterator[str]:
        yield "one\n"
        yield "two\n"

    @app.get("/")
    def show() -> Response:
        return StreamingResponse(lines(), media_type="text/plain")

    with client.stream("GET", "/") as response:
        assert list(response.iter_lines()) == ["one", "two"]


def test_gor_adv_04_an_upload_saved(app: FastAPI, client: TestClient, tmp_path: Path) -> None:
    """Under a name of ours, not the client's; over the limit is 413."""
    install_error_handlers(app)

    @app.post("/")
    async def create(file: UploadFile) -> str:
        return (await save_upload(file, tmp_path, max_bytes=32 * 1024 * 1024)).path.name

    name = client.post("/", files={"file": ("../evil.sh", b"x")}).json()
    assert (tmp_path / name).read_bytes() == b"x"
    assert "evil" not in name


def test_gor_adv_05_work_after_the_response(app: FastAPI, client: TestClient) -> None:
    """`BackgroundTasks` with 202: in this process, lost when it stops."""
    done: list[str] = []

    @app.post("/", status_code=202)
    def create(tasks: BackgroundTasks) -> None:
        tasks.add_task(done.append, "mail")

    assert client.post("/").status_code == 202
    assert done == ["mail"]


def test_gor_err_01_04_gors_error_body_is_a_handler_of_five_lines() -> None:
    """`{"code", "message", "details"}`, for whoever wants it: one handler, replaceable."""
    app = FastAPI(exception_handlers=error_handlers())

    @app.exception_handler(HTTPException)
    async def as_gor(request: Request, error: HTTPException) -> Response:
        body = {"code": error.status_code, "message": error.detail, "details": None}
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)

    @app.get("/")
    def show() -> None:
        raise HTTPException(404, "no such post")

    response = TestClient(app).get("/")
    assert response.json() == {"code": 404, "message": "no such post", "details": None}


def test_gor_err_02_a_validation_error_keeps_fastapis_shape() -> None:
    """422 and `detail`, which clients of FastAPI know; Gor says 400 and `fields`."""
    app = FastAPI(exception_handlers=error_handlers())

    @app.post("/posts")
    def create(post: Post) -> Post:
        return post

    response = TestClient(app).post("/posts", json={})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "title"]


def test_gor_err_03_any_other_error_is_a_500_without_its_text() -> None:
    """`{"detail": "Internal Server Error"}`; the server still sees the error itself."""
    app = FastAPI(exception_handlers={Exception: server_error_handler})

    @app.get("/")
    def fail() -> None:
        raise RuntimeError("the password is hunter2")

    response = TestClient(app, raise_server_exceptions=False).get("/")
    assert (response.status_code, response.json()) == (500, {"detail": "Internal Server Error"})
