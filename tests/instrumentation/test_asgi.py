"""The one middleware: request id, event, request metrics and the check of the host."""

import asyncio
import logging
import re
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import prometheus_client
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from lineside.exceptions import ConfigurationError
from lineside.instrumentation import Event, Metrics, Notifier, log_request_ids, request_id
from lineside.instrumentation.asgi import EVENT, SCOPE_KEY, RequestContextMiddleware

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def hub() -> Notifier:
    return Notifier()


@pytest.fixture
def events(hub: Notifier) -> list[Event]:
    events: list[Event] = []
    hub.subscribe(EVENT, events.append)
    return events


def make_app(hub: Notifier, **options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/id")
    async def show_id(request: Request) -> list[str | None]:
        return [request_id(), request.scope[SCOPE_KEY]]

    @app.get("/sync")
    def show_id_from_a_thread() -> str | None:
        return request_id()

    @app.get("/posts/{id}")
    async def show(id: int) -> int:
        return id

    @app.get("/gone")
    async def gone() -> None:
        raise HTTPException(410)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("broken")

    @app.websocket("/socket")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(request_id() or "")
        await socket.close()

    @app.websocket("/closed")
    async def refuse(socket: WebSocket) -> None:
        await socket.close()

    app.add_middleware(RequestContextMiddleware, notifier=hub, **options)
    return app


def ask(app: ASGIApp, scope: dict[str, Any]) -> list[Message]:
    """Hand one scope to an app without a client, and return what it sent."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(_scope(**scope), _receive, send))  # type: ignore[arg-type]
    return sent


def _scope(**other: Any) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        **other,
    }


def test_a_request_has_one_id_everywhere(hub: Notifier) -> None:
    """GOR-MW-03, GOR-ADV-01: context, scope and response header carry the same fresh uuid4."""
    response = TestClient(make_app(hub)).get("/id")
    assert re.fullmatch(UUID, response.headers["x-request-id"])
    assert response.json() == [response.headers["x-request-id"]] * 2


def test_each_request_has_its_own_id(hub: Notifier) -> None:
    """Two requests differ, and afterwards there is none."""
    client = TestClient(make_app(hub))
    assert client.get("/id").json() != client.get("/id").json()
    assert request_id() is None


def test_sync_actions_see_the_id(hub: Notifier) -> None:
    """The worker thread of a plain def has the request's context."""
    response = TestClient(make_app(hub)).get("/sync")
    assert response.json() == response.headers["x-request-id"]


def test_background_tasks_see_the_id(hub: Notifier) -> None:
    """A task that runs behind the response still belongs to the request."""
    app, seen = make_app(hub), []

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: seen.append(request_id()))

    TestClient(app).get("/later", headers={"x-request-id": "abc"})
    assert seen == ["abc"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("proxy-7.a_B", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ("<script>", False),
        ("", False),
        ("caf\u00e9", False),
    ],
)
def test_an_id_from_outside_is_taken_when_well_formed(hub: Notifier, sent: str, kept: bool) -> None:
    """What a proxy sent goes on; what could harm a log or a header is replaced."""
    response = TestClient(make_app(hub)).get("/id", headers={"X-Request-ID": sent.encode("latin-1")})
    assert (response.headers["x-request-id"] == sent) is kept
    assert response.json()[0] == response.headers["x-request-id"]


def test_trust_and_header_can_be_chosen(hub: Notifier) -> None:
    """Without trust an id is always fresh; the header may have another name."""
    client = TestClient(make_app(hub, trust_request_id=False, header="X-Correlation-ID"))
    response = client.get("/id", headers={"X-Correlation-ID": "abc"})
    assert re.fullmatch(UUID, response.headers["x-correlation-id"])
    assert "x-request-id" not in response.headers
    with pytest.raises(ConfigurationError, match="no name for a header"):
        RequestContextMiddleware(FastAPI(), header="X Request\r\n")


def test_a_header_of_the_apps_own_stays(hub: Notifier) -> None:
    """An action that sets the header itself is not contradicted."""
    app = make_app(hub)
    app.get("/own")(lambda: PlainTextResponse("x", headers={"X-Request-ID": "own"}))
    assert TestClient(app).get("/own").headers.get_list("x-request-id") == ["own"]


def test_a_response_that_is_sent_again_gets_the_new_id(hub: Notifier) -> None:
    """One response object for many requests does not collect their ids."""
    static = PlainTextResponse("x")
    app = make_app(hub)
    app.get("/static")(lambda: static)
    client = TestClient(app)
    ids = [client.get("/static").headers.get_list("x-request-id") for _ in range(3)]
    assert len({tuple(each) for each in ids}) == 3
    assert all(len(each) == 1 for each in ids)
    assert b"x-request-id" not in dict(static.raw_headers)


def test_every_log_line_of_a_request_has_its_id(hub: Notifier, caplog: pytest.LogCaptureFixture) -> None:
    """The app's own lines, a library's, and that of the server about an unexpected error."""
    app = make_app(hub)

    @app.get("/logs")
    async def logs() -> None:
        logging.getLogger("some.library").warning("inside")
        raise RuntimeError("unexpected")

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except RuntimeError:
            logging.getLogger("uvicorn.error").error("Exception in ASGI application")

    with log_request_ids():
        ask(server, {"path": "/logs", "headers": [(b"x-request-id", b"abc")]})
    lines = {record.getMessage(): record.__dict__["request_id"] for record in caplog.records}
    assert lines == {"inside": "abc", "Exception in ASGI application": "abc"}


def test_the_handler_of_unexpected_errors_knows_the_id(hub: Notifier) -> None:
    """It runs outside of every middleware, and still finds the id in context and scope."""
    app = make_app(hub)

    @app.exception_handler(Exception)
    async def sorry(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"{request_id()} {request.scope[SCOPE_KEY]}", 500)

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/broken", headers={"x-request-id": "abc"}).text == "abc abc"


def test_a_request_is_an_event(hub: Notifier, events: list[Event]) -> None:
    """Method, path, template, status and duration are told when the app is done."""
    TestClient(make_app(hub)).get("/posts/7?secret=1")
    [event] = events
    assert event.payload == {
        "type": "http",
        "method": "GET",
        "path": "/posts/7",
        "route": "/posts/{id}",
        "status": 200,
    }
    assert 0 < event.duration < 5
    assert event.error is None


@pytest.mark.parametrize(("path", "status"), [("/gone", 410), ("/posts/x", 422), ("/nothing", 404)])
def test_an_answered_error_is_an_event_with_its_status(
    hub: Notifier, events: list[Event], path: str, status: int
) -> None:
    """What the app answered is the status; no exception came through."""
    TestClient(make_app(hub)).get(path)
    assert [(event.payload["status"], event.error) for event in events] == [(status, None)]


def test_an_unexpected_error_is_an_event_and_goes_on(hub: Notifier, events: list[Event]) -> None:
    """The exception is in the event, counted as 500, and reaches the server."""
    metrics = Metrics()
    with pytest.raises(RuntimeError, match="broken"):
        TestClient(make_app(hub, metrics=metrics)).get("/broken")
    assert events[0].payload["status"] == 500
    assert isinstance(events[0].error, RuntimeError)
    assert _requests(metrics) == {("/broken", "GET", "5xx"): 1}


def test_a_client_that_left_is_told_apart(hub: Notifier, events: list[Event]) -> None:
    """A request that is cancelled before its answer is 499, and stays cancelled."""
    app = make_app(hub)
    started = asyncio.Event()

    @app.get("/slow")
    async def slow() -> None:
        started.set()
        await asyncio.Event().wait()

    async def main() -> None:
        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None: ...

        task = asyncio.create_task(app(_scope(path="/slow"), receive, send))
        await asyncio.wait_for(started.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert events[0].payload["status"] == 499
    assert isinstance(events[0].error, asyncio.CancelledError)


def test_an_app_that_answers_nothing_is_a_server_error(hub: Notifier, events: list[Event]) -> None:
    """No response at all is what the server turns into 500."""

    async def silent(scope: Scope, receive: Receive, send: Send) -> None: ...

    assert ask(RequestContextMiddleware(silent, notifier=hub), {}) == []
    assert events[0].payload["status"] == 500
    assert events[0].payload["route"] == "(unmatched)"


def test_the_duration_ends_with_the_last_byte(hub: Notifier, events: list[Event]) -> None:
    """A stream counts whole, background tasks do not."""
    app = make_app(hub)

    async def wait_a_little() -> None:
        await _later(0.1)

    async def chunks() -> AsyncIterator[str]:
        yield "a"
        await wait_a_little()
        yield "b"

    @app.get("/stream")
    async def stream(tasks: BackgroundTasks) -> StreamingResponse:
        return StreamingResponse(chunks())

    @app.get("/tasks")
    async def background(tasks: BackgroundTasks) -> None:
        tasks.add_task(wait_a_little)

    client = TestClient(app)
    client.get("/stream")
    client.get("/tasks")
    assert events[0].duration >= 0.1
    assert events[1].duration < 0.1


async def _later(seconds: float) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, done.set)
    await done.wait()


def test_a_websocket_has_an_id_and_an_event(hub: Notifier, events: list[Event]) -> None:
    """The id is in the handshake's answer; the event comes when the socket is closed."""
    metrics = Metrics()
    client = TestClient(make_app(hub, metrics=metrics))
    with client.websocket_connect("/socket", headers={"x-request-id": "abc"}) as socket:
        assert socket.receive_text() == "abc"
        assert (b"x-request-id", b"abc") in list(socket.extra_headers or [])
    assert events[0].payload == {
        "type": "websocket",
        "method": "WEBSOCKET",
        "path": "/socket",
        "route": "/socket",
        "status": 101,
    }
    assert _requests(metrics) == {}


def test_a_refused_websocket_is_403(hub: Notifier, events: list[Event]) -> None:
    """Closing before accepting is what servers answer with 403."""
    with pytest.raises(WebSocketDisconnect), TestClient(make_app(hub)).websocket_connect("/closed"):
        pass
    assert events[0].payload["status"] == 403


def test_a_foreign_host_is_refused(hub: Notifier, events: list[Event]) -> None:
    """T36: a Host header that is not the app's gets 400 in FastAPI's shape, with id and event."""
    metrics = Metrics()
    client = TestClient(make_app(hub, allowed_hosts=["example.com"], metrics=metrics))
    assert client.get("/posts/7", headers={"host": "example.com:8000"}).status_code == 200
    response = client.get("/posts/7", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert set(response.json()) == {"detail"}
    assert "Host" in response.json()["detail"]
    assert re.fullmatch(UUID, response.headers["x-request-id"])
    assert [event.payload["status"] for event in events] == [200, 400]
    assert _requests(metrics) == {("/posts/{id}", "GET", "2xx"): 1, ("(unmatched)", "GET", "4xx"): 1}


def test_a_foreign_host_may_have_a_problem_document(hub: Notifier) -> None:
    """The answer follows the Accept header like every other error."""
    client = TestClient(make_app(hub, allowed_hosts=["example.com"]))
    response = client.get("/", headers={"host": "evil.example", "accept": "application/problem+json"})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 400


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"")],
        [(b"host", b"example.com"), (b"host", b"evil.example")],
        [(b"host", b"example.com"), (b"host", b"example.com")],
        [(b"x-forwarded-host", b"example.com"), (b"host", b"evil.example")],
    ],
)
def test_a_missing_or_doubled_host_is_refused(hub: Notifier, headers: list[tuple[bytes, bytes]]) -> None:
    """Exactly one Host header says where the request goes; a forwarded one is not asked."""
    app = make_app(hub, allowed_hosts=["example.com"])
    assert ask(app, {"path": "/posts/7", "headers": headers})[0]["status"] == 400


def test_a_foreign_host_cannot_open_a_websocket(hub: Notifier, events: list[Event]) -> None:
    """T36: the socket is closed before it is accepted, and the action never runs."""
    client = TestClient(make_app(hub, allowed_hosts=["example.com"]))
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        client.websocket_connect("/socket", headers={"host": "evil.example"}),
    ):
        pass
    assert caught.value.code == 1008
    assert events[0].payload["status"] == 403
    with client.websocket_connect("/socket", headers={"host": "example.com"}) as socket:
        assert socket.receive_text()


def test_without_allowed_hosts_any_host_is_served(hub: Notifier) -> None:
    """The check is by choice here; configuration demands it in production."""
    assert TestClient(make_app(hub)).get("/posts/7", headers={"host": "evil.example"}).status_code == 200


def test_random_paths_have_few_labels(hub: Notifier) -> None:
    """T32: thousands of random paths, methods and query strings make a handful of series."""
    metrics = Metrics()
    app = make_app(hub, metrics=metrics)

    async def storm() -> None:
        for number in range(3_000):
            path = f"/posts/{number}" if number % 10 == 0 else f"/{number}/x"
            method = f"M{number}" if number % 7 == 0 else "GET"
            await app(_scope(path=path, method=method, query_string=b"q=%d" % number), _receive, _drop)

    asyncio.run(storm())
    series = _requests(metrics)
    assert sum(series.values()) == 3_000
    assert set(series) == {
        ("/posts/{id}", "GET", "2xx"),
        ("/posts/{id}", "other", "4xx"),
        ("(unmatched)", "GET", "4xx"),
        ("(unmatched)", "other", "4xx"),
    }


def test_a_hundred_thousand_requests_leave_nothing_behind(hub: Notifier) -> None:
    """T32: whatever varies from request to request, memory stays flat."""
    metrics = Metrics()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        scope["endpoint"] = object()
        await PlainTextResponse("x")(scope, receive, send)

    app = RequestContextMiddleware(inner, notifier=hub, metrics=metrics, allowed_hosts=["*.example.com"])

    async def storm(numbers: range) -> None:
        for number in numbers:
            headers = [(b"host", b"a%d.example.com" % number), (b"x-request-id", b"%d" % number)]
            await app(_scope(path=f"/{number}", method=f"M{number}", headers=headers), _receive, _drop)

    async def main() -> int:
        await storm(range(45_000))
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        await storm(range(45_000, 55_000))
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await storm(range(55_000, 100_000))
        return after - before

    assert asyncio.run(main()) < 100_000
    assert _requests(metrics) == {("(unlisted)", "other", "2xx"): 100_000}


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _drop(message: Message) -> None: ...


def _requests(metrics: Metrics) -> dict[tuple[str, str, str], float]:
    found = {}
    for line in prometheus_client.generate_latest(metrics.registry).decode().splitlines():
        match = re.match(r'http_requests_total\{handler="(.*?)",method="(.*?)",status="(.*?)"\} (.*)', line)
        if match:
            found[match[1], match[2], match[3]] = float(match[4])
    return found


def test_two_apps_in_one_process_are_apart() -> None:
    """Each app has its notifier and metrics, and its own hosts."""
    first, second = Notifier(), Notifier()
    heard: list[str] = []
    first.subscribe("*", lambda event: heard.append("first"))
    second.subscribe("*", lambda event: heard.append("second"))
    TestClient(make_app(first)).get("/id")
    assert heard == ["first"]
    TestClient(make_app(second)).get("/id")
    assert heard == ["first", "second"]


def test_an_app_mounted_in_another_shares_its_id() -> None:
    """Two middlewares around one request agree on the id, and each tells its own subscribers."""
    outer_hub, inner_hub = Notifier(), Notifier()
    outer_events: list[Event] = []
    inner_events: list[Event] = []
    outer_hub.subscribe("*", outer_events.append)
    inner_hub.subscribe("*", inner_events.append)
    outer, inner = make_app(outer_hub), make_app(inner_hub)
    outer.mount("/inner", inner)
    client = TestClient(outer)
    response = client.get("/inner/id")
    assert response.headers.get_list("x-request-id") == [response.json()[0]]
    assert outer_events[0].payload["route"] == "/inner/id"
    assert inner_events[0].payload["route"] == "/id"
    client.get("/inner/nothing")
    assert inner_events[1].payload["route"] == "(unmatched)"


def test_it_goes_around_a_whole_app(hub: Notifier, events: list[Event]) -> None:
    """Outside of the app, also behind another wrapper, it still finds the templates."""

    class Wrapper:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app(scope, receive, send)

    inner = make_app(Notifier())
    response = TestClient(RequestContextMiddleware(Wrapper(inner), notifier=hub)).get("/posts/7")
    assert response.headers.get_list("x-request-id") == [response.headers["x-request-id"]]
    assert events[0].payload["route"] == "/posts/{id}"


def test_a_500_has_the_id_when_it_goes_around_the_whole_app(hub: Notifier) -> None:
    """Only from outside can it reach the answer to an unexpected error."""
    app = RequestContextMiddleware(make_app(Notifier()), notifier=hub)
    response = TestClient(app, raise_server_exceptions=False).get("/broken", headers={"x-request-id": "abc"})
    assert (response.status_code, response.headers["x-request-id"]) == (500, "abc")


def test_lifespan_goes_through(hub: Notifier, events: list[Event]) -> None:
    """Start and stop of the app are neither requests nor disturbed."""
    with TestClient(make_app(hub)):
        pass
    assert events == []
