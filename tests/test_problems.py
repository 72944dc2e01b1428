"""Errors as responses: FastAPI's shape, RFC 9457 on request, nothing internal, never a second error."""

import json
import logging
import math
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, HTTPException, Query, Request, Response, WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from lineside.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    InvalidJSONError,
    LinesideError,
    NotAcceptableError,
    PayloadTooLargeError,
    RecordNotFound,
    SecretError,
    UnknownVersionError,
    UnsafePathError,
)
from lineside.problems import (
    PROBLEM_JSON,
    error_handlers,
    has_handler,
    install_error_handlers,
    problem_response,
    server_error_handler,
    to_http_exception,
    websocket_exception,
)

PROBLEM = {"Accept": PROBLEM_JSON}
SECRET = "postgres://root:hunter2@db"

RAISED: dict[str, Exception] = {
    "denied": AccessDeniedError("update", "Post"),
    "missing": RecordNotFound("Post", 7),
    "json": InvalidJSONError("a duplicate key", position=4),
    "large": PayloadTooLargeError(limit=10),
    "format": NotAcceptableError("image/png", offered=["application/json"]),
    "version": UnknownVersionError("9", known=["1", "2"]),
    "path": UnsafePathError("no such file"),
    "configuration": ConfigurationError(f"cannot use {SECRET}"),
    "secret": SecretError(f"cannot use {SECRET}"),
    "http": HTTPException(418, detail="teapot", headers={"X-Pot": "yes"}),
    "http-dict": HTTPException(400, detail={"code": 1}),
    "http-list": HTTPException(400, detail=[1]),
    "http-empty": HTTPException(304, headers={"ETag": '"1"'}),
    "http-500": HTTPException(500, detail="planned"),
    "http-nan": HTTPException(400, detail={"value": math.nan}),
    "http-object": HTTPException(409, detail=object()),
    "surrogate": HTTPException(400, detail="no \ud800"),
    "surrogate-ours": LinesideError("no \ud800"),
    "long": RecordNotFound("\xe9" * 200, 1),
    "unexpected": ZeroDivisionError(f"cannot use {SECRET}"),
}


class Item(BaseModel):
    price: float
    tags: dict[str, int] = {}


def routes(app: FastAPI) -> FastAPI:
    @app.get("/raise/{name}")
    def fail(name: str) -> None:
        raise RAISED[name]

    @app.post("/items")
    def create(item: Item, page: Annotated[int, Query()] = 1) -> Item:
        return item

    @app.post("/any")
    def take(value: Annotated[dict[str, Any], Body()], limit: Annotated[int, Query()]) -> None: ...

    @app.websocket("/ws/{moment}/{name}")
    async def socket(websocket: WebSocket, moment: str, name: str) -> None:
        if moment == "after":
            await websocket.accept()
        if moment == "closed":
            await websocket.accept()
            await websocket.close()
        raise RAISED[name]

    return app


@pytest.fixture
def app() -> FastAPI:
    return routes(FastAPI(exception_handlers={**error_handlers(), Exception: server_error_handler}))


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("name", "status", "detail"),
    [
        ("denied", 403, "you may not update Post"),
        ("missing", 404, "no Post with key 7"),
        ("json", 422, "invalid JSON at position 4: a duplicate key"),
        ("large", 413, "the request body is larger than 10 bytes; send less"),
        ("format", 406, "none of the accepted formats is offered; ask for one of 'application/json'"),
        ("version", 400, "unknown API version '9'; known versions: '1', '2'"),
        ("path", 404, "no such file"),
        ("configuration", 500, "Internal Server Error"),
        ("secret", 500, "Internal Server Error"),
        ("unexpected", 500, "Internal Server Error"),
    ],
)
def test_an_error_answers_with_its_status_in_fastapis_shape(
    client: TestClient, name: str, status: int, detail: str
) -> None:
    """The public message under `detail`, and nothing at all of a server-side fault."""
    response = client.get(f"/raise/{name}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json()["detail"] == detail
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("missing", {"title": "Not Found", "status": 404, "detail": "no Post with key 7"}),
        ("version", {"version": "9", "known": ["1", "2"]}),
        ("large", {"limit": 10}),
        ("json", {"position": 4}),
        ("configuration", {"title": "Internal Server Error", "detail": "Internal Server Error"}),
        ("http", {"title": "I'm a Teapot", "detail": "teapot"}),
        ("http-dict", {"details": {"code": 1}}),
        ("http-list", {"details": [1]}),
    ],
)
def test_a_client_that_names_the_problem_format_gets_a_problem_document(
    client: TestClient, name: str, members: dict[str, Any]
) -> None:
    """RFC 9457: the standard members, the error's data as extensions, and Vary for caches."""
    response = client.get(f"/raise/{name}", headers=PROBLEM)
    assert response.headers["content-type"] == PROBLEM_JSON
    assert response.headers["vary"] == "Accept"
    problem = response.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == response.status_code
    assert problem["instance"] == f"/raise/{name}"
    assert members.items() <= problem.items()
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("accept", "problem"),
    [
        ("application/problem+json", True),
        ("application/json, application/problem+json", True),
        ("application/problem+json;q=0.5, application/json;q=0.4", True),
        ("text/html, application/problem+json;q=0.1", True),
        ("application/problem+json;q=0.4, application/json;q=0.5", False),
        ("application/problem+json;q=0", False),
        ("application/problem+json;q=0.1, */*", False),
        ("application/problem+json;profile=x, */*", False),
        ("application/json", False),
        ("*/*", False),
        ("application/*", False),
        ("", False),
    ],
)
def test_the_problem_format_must_be_asked_for_by_name(client: TestClient, accept: str, problem: bool) -> None:
    """A wildcard keeps FastAPI's shape, and so does a client that likes plain JSON better."""
    response = client.get("/raise/missing", headers={"Accept": accept})
    assert (response.headers["content-type"] == PROBLEM_JSON) is problem


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/raise/http", None),
        ("GET", "/raise/http-dict", None),
        ("GET", "/raise/http-empty", None),
        ("GET", "/raise/http-500", None),
        ("GET", "/nowhere", None),
        ("PUT", "/items", None),
        ("POST", "/items?page=x", {"price": "dear"}),
        ("POST", "/items", None),
        ("POST", "/any", {"a": 1}),
    ],
)
def test_fastapis_own_errors_stay_as_they_are(client: TestClient, method: str, path: str, body: Any) -> None:
    """Status, headers and body equal those of an app without our handlers, byte for byte."""
    plain = TestClient(routes(FastAPI()), raise_server_exceptions=False)
    ours, theirs = (one.request(method, path, json=body) for one in (client, plain))
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert ours.headers == theirs.headers


def test_validation_errors_become_the_member_errors_of_a_problem(client: TestClient) -> None:
    """The list that FastAPI puts under `detail` moves to `errors`; `detail` is a sentence."""
    response = client.post("/items", json={"price": "dear"}, headers=PROBLEM)
    plain = client.post("/items", json={"price": "dear"})
    assert response.status_code == plain.status_code == 422
    assert response.json()["errors"] == plain.json()["detail"]
    assert response.json()["detail"] == "The request has 1 invalid value(s); see errors."


@pytest.mark.parametrize("headers", [{}, PROBLEM], ids=["plain", "problem"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"price": NaN, "tags": {"a": NaN}}',
        b'{"price": "x", "tags": {"a": Infinity}}',
        b'{"price": "x", "tags": {"a": 1e999}}',
        b'{"price": "\\ud800"}',
        b'{"price": 1, "tags": {"\\udfff": "x"}}',
        b'{"price": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"price": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b"\xff\xfe",
        b'"\xff"',
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_an_input_that_is_no_json_does_not_break_its_own_error(
    client: TestClient, body: bytes, kind: str, headers: dict[str, str]
) -> None:
    """NaN, lone surrogates, stray bytes and deep nesting get a 4xx with readable JSON."""
    response = client.post("/items", content=body, headers={"Content-Type": kind, **headers})
    assert 400 <= response.status_code < 500
    answer = response.json()
    assert answer["detail"]
    if response.status_code == 422:
        errors = answer["errors"] if headers else answer["detail"]
        assert all({"type", "loc", "msg"} <= set(error) for error in errors)


@pytest.mark.parametrize("name", ["http-nan", "http-object", "surrogate", "surrogate-ours"])
@pytest.mark.parametrize("headers", [{}, PROBLEM], ids=["plain", "problem"])
def test_a_detail_that_is_no_json_does_not_break_the_response(
    client: TestClient, name: str, headers: dict[str, str]
) -> None:
    """The status survives; the detail is cleaned or replaced by the status' phrase."""
    response = client.get(f"/raise/{name}", headers=headers)
    assert response.status_code == {"http-object": 409, "surrogate-ours": 500}.get(name, 400)
    assert response.json()["detail"] in {"Bad Request", "Conflict", "no ?", "Internal Server Error"}


def test_debug_shows_the_text_of_internal_errors() -> None:
    """Only where it was asked for, in words."""
    app = routes(FastAPI(exception_handlers=error_handlers(debug=True)))
    response = TestClient(app).get("/raise/configuration")
    assert response.json()["detail"] == f"ConfigurationError: cannot use {SECRET}"


def test_a_hidden_error_is_logged_with_its_traceback(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """What the client is not told, the operator is; a 4xx is no news."""
    with caplog.at_level(logging.ERROR, logger="lineside.problems"):
        client.get("/raise/missing")
        assert not caplog.records
        client.get("/raise/configuration")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert SECRET in caplog.text


def scope_request(**scope: Any) -> Request:
    return Request(
        {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", **scope}
    )


def test_status_and_headers_can_be_given() -> None:
    """A `rescue_from` chooses the status; the text of an error that is not ours stays hidden."""
    response = problem_response(
        scope_request(), ValueError("internal"), status=409, headers={"Retry-After": "3"}
    )
    assert (response.status_code, response.body) == (409, b'{"detail":"Conflict"}')
    assert response.headers["retry-after"] == "3"
    assert (
        problem_response(scope_request(), ValueError("x"), status=599).body == b'{"detail":"Unknown Error"}'
    )


def test_a_406_tells_caches_that_accept_decided() -> None:
    """`Vary: Accept`, in either shape."""
    error = NotAcceptableError("image/png", offered=["text/html"])
    assert problem_response(scope_request(), error).headers["vary"] == "Accept"
    assert to_http_exception(error).headers == {"Vary": "Accept"}


def test_the_instance_of_a_problem_is_an_escaped_path() -> None:
    """Whatever the path was, `instance` is a URI reference of this host."""
    request = scope_request(path="//evil.example/\r\n \xe9", headers=[(b"accept", PROBLEM_JSON.encode())])
    body = json.loads(problem_response(request, RecordNotFound("Post", 1)).body)
    assert body["instance"] == "/evil.example/%0D%0A%20%C3%A9"


def test_our_errors_become_http_exceptions_where_no_handler_is_installed() -> None:
    """So that each concept works in an app that never heard of this module."""
    error = RecordNotFound("Post", 1)
    plain, adopted = FastAPI(), FastAPI(exception_handlers=error_handlers())
    answers: list[Exception] = []
    for app in (plain, adopted):

        @app.get("/")
        def show(request: Request) -> None:
            answers.append(to_http_exception(error, request))
            raise answers[-1] from error

        response = TestClient(app).get("/")
        assert (response.status_code, response.json()) == (404, {"detail": "no Post with key 1"})
    assert isinstance(answers[0], HTTPException)
    assert answers[1] is error
    hidden = to_http_exception(ConfigurationError(SECRET))
    assert (hidden.status_code, hidden.detail) == (500, "Internal Server Error")


def test_a_handler_is_found_by_class_base_and_status() -> None:
    """As Starlette looks it up: the error's bases in order, and the status of an HTTPException."""

    async def handler(request: Request, error: Exception) -> Response:
        return PlainTextResponse("handled")

    request = scope_request(**{"starlette.exception_handlers": ({LookupError: handler}, {418: handler})})
    assert has_handler(request, RecordNotFound("Post", 1))
    assert has_handler(request, HTTPException(418))
    assert not has_handler(request, HTTPException(404))
    assert not has_handler(request, ValueError())
    assert not has_handler(scope_request(), RecordNotFound("Post", 1))


def test_installing_keeps_the_handlers_of_the_author() -> None:
    """FastAPI's defaults are replaced, anything else stays."""

    async def mine(request: Request, error: Exception) -> Response:
        return PlainTextResponse("mine", status_code=409)

    app = routes(FastAPI(exception_handlers={LinesideError: mine, 500: mine}))
    install_error_handlers(app)
    install_error_handlers(app)
    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/raise/missing").text == "mine"
    assert client.get("/raise/unexpected").text == "mine"
    assert client.get("/raise/http", headers=PROBLEM).headers["content-type"] == PROBLEM_JSON


def test_installing_answers_unexpected_errors_without_their_text() -> None:
    """The server still sees the error; the client sees 500 in our shape."""
    app = routes(FastAPI())
    install_error_handlers(app)
    response = TestClient(app, raise_server_exceptions=False).get("/raise/unexpected")
    assert response.json()["detail"] == "Internal Server Error"
    with pytest.raises(ZeroDivisionError):
        TestClient(app).get("/raise/unexpected")


def test_installing_after_start_is_refused() -> None:
    """Starlette has read the handlers by then: silence would lose them."""
    app = routes(FastAPI())
    TestClient(app).get("/nowhere")
    with pytest.raises(ConfigurationError, match="after the app's first request"):
        install_error_handlers(app)


@pytest.mark.parametrize(("name", "code"), [("missing", 1008), ("configuration", 1011)])
def test_an_accepted_websocket_is_closed_with_a_reason(client: TestClient, name: str, code: int) -> None:
    """1008 for the peer's mistakes, 1011 for ours, and the same text as over HTTP."""
    with (
        client.websocket_connect(f"/ws/after/{name}") as websocket,
        pytest.raises(WebSocketDisconnect) as caught,
    ):
        websocket.receive_text()
    assert caught.value.code == code
    assert caught.value.reason in {"no Post with key 7", "Internal Server Error"}


def test_the_reason_of_a_close_fits_its_frame(client: TestClient) -> None:
    """123 bytes and no half of a character (RFC 6455 section 5.5)."""
    with (
        client.websocket_connect("/ws/after/long") as websocket,
        pytest.raises(WebSocketDisconnect) as caught,
    ):
        websocket.receive_text()
    assert caught.value.reason == "no " + "\xe9" * 60


@pytest.mark.parametrize(
    ("status", "reason", "code", "shown"),
    [
        (403, "no", 1008, "no"),
        (500, "gone", 1011, "gone"),
        (404, "\ud800", 1008, "?"),
        (422, {"a": 1}, 1008, "{'a': 1}"),
        (400, "x" * 124, 1008, "x" * 123),
        (400, "x" + "\u20ac" * 41, 1008, "x" + "\u20ac" * 40),
    ],
)
def test_any_status_and_reason_make_a_close(status: int, reason: object, code: int, shown: str) -> None:
    """Whose fault it is, and a text that every peer can read."""
    closing = websocket_exception(status, reason)
    assert (closing.code, closing.reason) == (code, shown)


def test_a_websocket_that_is_not_accepted_yet_is_denied_with_the_response(client: TestClient) -> None:
    """The handshake fails with the very status and body of an HTTP request."""
    with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect("/ws/before/missing"):
        pass
    assert caught.value.status_code == 404
    assert caught.value.json() == {"detail": "no Post with key 7"}


def test_a_websocket_that_is_closed_already_is_left_alone(client: TestClient) -> None:
    """An error after the end sends nothing more."""
    with (
        client.websocket_connect("/ws/closed/missing") as websocket,
        pytest.raises(WebSocketDisconnect) as caught,
    ):
        websocket.receive_text()
    assert caught.value.code == 1000


@pytest.mark.anyio
async def test_a_server_without_denial_responses_gets_a_close(app: FastAPI) -> None:
    """Not every server has the extension; then the handshake is refused with a close."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/ws/before/missing",
        "headers": [],
        "query_string": b"",
        "root_path": "",
    }
    await app(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "no Post with key 7"}]


def test_no_more_than_a_thousand_errors_are_told() -> None:
    """A body full of wrong items buys neither seconds of the loop nor megabytes of answer."""

    async def numbers(items: list[int]) -> int:
        return len(items)

    plain, ours = FastAPI(), FastAPI(exception_handlers=error_handlers())
    for app in (plain, ours):
        app.add_api_route("/numbers", numbers, methods=["POST"])
    client = TestClient(ours)
    told = client.post("/numbers", json=["x"] * 1_001)
    assert told.status_code == 422
    assert told.content == TestClient(plain).post("/numbers", json=["x"] * 1_000).content
    assert client.post("/numbers", json=["x"] * 1_000).content == told.content
    problem = client.post("/numbers", json=["x"] * 1_001, headers=PROBLEM).json()
    assert len(problem["errors"]) == 1_000
    assert problem["detail"] == "The request has 1001 invalid value(s); see errors."
