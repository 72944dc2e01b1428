"""`rescue_from`: answers of a controller, outside the exit stack of the dependencies."""

import threading
from collections.abc import AsyncGenerator
from typing import Annotated, Any, ClassVar

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from lineside.controllers import Controller, before_action, rescue_from
from lineside.exceptions import CallbackError, RecordNotFound
from lineside.routing import resources

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


async def function_session() -> AsyncGenerator[str]:
    """Behave as a session that closes before the response."""
    try:
        yield "session"
    except BaseException:
        LOG.append("function rollback")
        raise
    else:
        LOG.append("function commit")


async def request_session() -> AsyncGenerator[str]:
    """Behave as a session that closes behind the response."""
    try:
        yield "session"
    except BaseException:
        LOG.append("request rollback")
        raise
    else:
        LOG.append("request commit")


FunctionSession = Annotated[str, Depends(function_session, scope="function")]
RequestSession = Annotated[str, Depends(request_session)]


class LostError(LookupError):
    """An error with a base."""


class Base(Controller):
    """Rescues a base class of errors."""

    @rescue_from(LookupError, status_code=404, description="Nothing here")
    async def not_found(self, error: LookupError) -> dict[str, str]:
        LOG.append("rescue")
        return {"lost": str(error), "action": self.action_name}


class Items(Base):
    """Fails in each of its actions."""

    async def index(self, session: FunctionSession) -> None:
        raise LostError("index")

    async def show(self, id: int, session: RequestSession) -> None:
        raise KeyError("show")


def client_for(controller: type[Controller], app: FastAPI | None = None) -> TestClient:
    """Route a controller as `/items`."""
    app = app or FastAPI()
    resources(app, "items", controller)
    return TestClient(app, raise_server_exceptions=False)


def test_an_inherited_rescue_answers_with_its_status() -> None:
    """A subclass inherits the rescues of its base; a plain value becomes JSON."""
    response = client_for(Items).get("/items")
    assert response.status_code == 404
    assert response.json() == {"lost": "index", "action": "index"}


@pytest.mark.parametrize(("path", "scope"), [("/items", "function"), ("/items/1", "request")])
def test_a_rescue_runs_when_the_session_has_rolled_back(path: str, scope: str) -> None:
    """The error passes through the dependencies first, of both scopes: nothing half done is committed."""
    assert client_for(Items).get(path).status_code == 404
    assert [f"{scope} rollback", "rescue"] == LOG


def test_the_most_specific_class_wins() -> None:
    """A rescue of the error's own class is chosen before one of its base."""

    class Specific(Items):
        @rescue_from(LostError)
        async def lost(self, error: LostError) -> Response:
            return PlainTextResponse("specific", 410)

    client = client_for(Specific)
    assert client.get("/items").text == "specific"
    assert client.get("/items/1").status_code == 404


def test_a_subclass_replaces_the_rescue_of_its_base() -> None:
    """The same class of errors is answered by the nearest rescue; siblings keep theirs."""

    class Replacing(Items):
        @rescue_from(LookupError, status_code=410)
        async def gone(self, error: LookupError) -> str:
            return "gone"

    assert client_for(Replacing).get("/items").json() == "gone"
    assert client_for(Items).get("/items").status_code == 404


def test_an_overridden_rescue_method_takes_its_place() -> None:
    """Overriding the method without a decorator changes the answer; it does not become an action."""

    class Overriding(Items):
        async def not_found(self, error: LookupError) -> dict[str, str]:
            return {"overridden": "yes"}

    assert client_for(Overriding).get("/items").json() == {"overridden": "yes"}
    with pytest.raises(CallbackError, match="not_found"):

        class Wrong(Overriding):
            @before_action(only=["not_found"])
            async def check(self) -> None: ...


def test_http_exceptions_are_rescued() -> None:
    """`HTTPException` is an error as any other, also where the app has a handler for its status."""

    class Teapot(Controller):
        async def index(self) -> None:
            raise HTTPException(404, "nothing")

        @rescue_from(HTTPException)
        async def answer(self, error: HTTPException) -> dict[str, Any]:
            return {"rescued": error.detail}

    app = FastAPI()

    @app.exception_handler(404)
    async def not_found(request: Request, error: Exception) -> Response:
        return PlainTextResponse("of the app", 404)

    client = client_for(Teapot, app)
    response = client.get("/items")
    assert (response.status_code, response.json()) == (404, {"rescued": "nothing"})
    assert client.get("/elsewhere").text == "of the app"


def test_validation_errors_are_rescued() -> None:
    """A controller may have a 422 of its own."""

    class Own(Items):
        @rescue_from(RequestValidationError, status_code=400)
        async def invalid(self, error: RequestValidationError) -> dict[str, int]:
            return {"errors": len(error.errors())}

    response = client_for(Own).get("/items/abc")
    assert (response.status_code, response.json()) == (400, {"errors": 1})


def test_an_error_of_a_dependency_is_rescued() -> None:
    """The controller may not exist yet: the rescue still has the request and the action's name."""

    async def broken() -> str:
        raise LostError("dependency")

    class Injected(Base):
        service: Annotated[str, Depends(broken)]

        async def index(self) -> None: ...

    response = client_for(Injected).get("/items")
    assert (response.status_code, response.json()) == (404, {"lost": "dependency", "action": "index"})


@pytest.mark.parametrize("parameters", [False, True])
def test_an_error_of_a_callback_is_rescued(parameters: bool) -> None:
    """Callbacks are part of the action, early and late ones."""

    async def early(self: Any) -> None:
        raise LostError("callback")

    async def late(self: Any, page: int = 1) -> None:
        raise LostError("callback")

    async def index(self: Any) -> None: ...

    members = {"check": before_action()(late if parameters else early), "index": index}
    response = client_for(type("Checked", (Base,), members)).get("/items")
    assert (response.status_code, response.json()["lost"]) == (404, "callback")


def test_handlers_of_the_app_are_never_replaced_by_ours() -> None:
    """What the app's author installed answers, unless the controller itself says otherwise."""
    app = FastAPI()

    @app.exception_handler(RecordNotFound)
    async def of_the_app(request: Request, error: Exception) -> Response:
        return PlainTextResponse("of the app", 404)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: Exception) -> Response:
        return PlainTextResponse("invalid", 422)

    class Plain(Controller):
        async def show(self, id: int) -> None:
            raise RecordNotFound("Item", id)

    client = client_for(Plain, app)
    assert client.get("/items/1").text == "of the app"
    assert client.get("/items/x").text == "invalid"


def test_our_errors_have_their_status_in_an_app_without_our_handlers() -> None:
    """An action may raise our errors in any FastAPI app."""

    class Plain(Controller):
        async def show(self, id: int) -> None:
            raise RecordNotFound("Item", id)

    response = client_for(Plain).get("/items/1")
    assert (response.status_code, response.json()) == (404, {"detail": "no Item with key 1"})


def test_an_error_that_nobody_rescues_is_a_500_without_its_text() -> None:
    """Text of an unknown error never reaches the client."""

    class Broken(Controller):
        async def index(self) -> None:
            raise RuntimeError("secret")

    response = client_for(Broken).get("/items")
    assert response.status_code == 500
    assert "secret" not in response.text


def test_a_rescue_may_be_plain_and_without_the_error() -> None:
    """A plain function runs in a thread; the error is passed only to those that ask for it."""

    class Plain(Controller):
        threads: ClassVar[list[int]] = []

        async def index(self) -> None:
            self.threads.append(threading.get_ident())
            raise KeyError

        @rescue_from(KeyError, IndexError, status_code=404)
        def lost(self) -> str:
            self.threads.append(threading.get_ident())
            return "lost"

    assert client_for(Plain).get("/items").json() == "lost"
    assert len(set(Plain.threads)) == 2


def test_what_a_rescue_raises_is_a_500() -> None:
    """A rescue that fails does not hide its failure."""

    class Failing(Controller):
        async def index(self) -> None:
            raise KeyError

        @rescue_from(KeyError)
        async def lost(self) -> None:
            raise ValueError("again")

    assert client_for(Failing).get("/items").status_code == 500


def test_rescues_are_in_openapi() -> None:
    """The document has the status and the description."""
    app = FastAPI()
    resources(app, "items", Items)
    assert app.openapi()["paths"]["/items"]["get"]["responses"]["404"] == {"description": "Nothing here"}


def test_a_rescue_without_a_class_is_an_error() -> None:
    """A decorator that rescues nothing is a mistake."""
    with pytest.raises(CallbackError, match="takes classes of errors"):
        rescue_from()


def test_a_rescue_is_nearer_than_a_handler_of_the_app() -> None:
    """For the same class the controller answers; other controllers keep the app's handler."""
    app = FastAPI()

    @app.exception_handler(LookupError)
    async def of_the_app(request: Request, error: Exception) -> Response:
        return PlainTextResponse("of the app", 404)

    class Plain(Controller):
        async def index(self) -> None:
            raise LostError

    resources(app, "plain", Plain)
    client = client_for(Items, app)
    assert client.get("/plain").text == "of the app"
    assert client.get("/items").json()["lost"] == "index"


def test_a_handler_of_a_status_answers_where_nobody_rescues() -> None:
    """The app's handlers by status reach controllers too."""
    app = FastAPI()

    @app.exception_handler(418)
    async def of_the_app(request: Request, error: Exception) -> Response:
        return PlainTextResponse("of the app", 418)

    class Teapot(Controller):
        async def index(self) -> None:
            raise HTTPException(418)

    assert client_for(Teapot, app).get("/items").text == "of the app"


def test_a_rescue_of_every_error_leaves_the_422() -> None:
    """`Exception` is the least specific class there is."""

    class Everything(Controller):
        async def show(self, id: int) -> None:
            raise RuntimeError

        @rescue_from(Exception, status_code=503)
        async def broken(self, error: Exception) -> str:
            return type(error).__name__

    client = client_for(Everything)
    assert (client.get("/items/1").status_code, client.get("/items/1").json()) == (503, "RuntimeError")
    assert client.get("/items/x").status_code == 422
