"""Callbacks of controllers: order, filters, skips, halting."""

from collections.abc import AsyncGenerator
from typing import Any, ClassVar

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.testclient import TestClient

from lineside.controllers import (
    Controller,
    after_action,
    around_action,
    before_action,
    skip_after_action,
    skip_around_action,
    skip_before_action,
)
from lineside.exceptions import CallbackError
from lineside.routing import namespace, resources


def client_for(controller: type[Controller], **options: Any) -> TestClient:
    """Route a controller as `/items` and return a client."""
    app = FastAPI()
    resources(app, "items", controller, **options)
    return TestClient(app)


class Base(Controller):
    """Notes in `log` what runs."""

    log: ClassVar[list[str]] = []

    @before_action()
    async def authenticate(self) -> Response | None:
        self.log.append("authenticate")
        return JSONResponse({}, 401) if "anonymous" in self.request.headers else None

    @around_action()
    async def timing(self) -> AsyncGenerator[None, Response]:
        self.log.append("timing in")
        response = yield
        self.log.append(f"timing out {response.status_code}")

    @after_action()
    async def stamp(self, response: Response) -> None:
        self.log.append("stamp")
        response.headers["x-stamp"] = self.action_name


class Items(Base):
    """Adds a callback for two actions."""

    @before_action(only=["show", "destroy"])
    async def load(self) -> None:
        self.log.append("load")

    async def index(self) -> list[int]:
        self.log.append("index")
        return [1]

    async def show(self, id: int) -> int:
        self.log.append("show")
        return id

    async def destroy(self, id: int) -> None:
        self.log.append("destroy")


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    Base.log.clear()


def test_callbacks_of_bases_run_first_and_afters_in_reverse() -> None:
    """The whole chain of an inherited controller runs in Rails' order."""
    response = client_for(Items).get("/items/1")
    assert response.headers["x-stamp"] == "show"
    assert Base.log == ["authenticate", "timing in", "load", "show", "stamp", "timing out 200"]


def test_only_limits_a_callback_to_its_actions() -> None:
    """An action that `only` does not name runs without the callback."""
    client_for(Items).get("/items")
    assert "load" not in Base.log


def test_except_leaves_actions_out() -> None:
    """An action that `except_` names runs without the callback."""

    class Picky(Base):
        @before_action(except_=["index"])
        async def check(self) -> None:
            self.log.append("check")

        async def index(self) -> int:
            return 1

        async def show(self, id: int) -> int:
            return id

    client = client_for(Picky)
    client.get("/items")
    assert "check" not in Base.log
    client.get("/items/1")
    assert "check" in Base.log


def test_a_shared_base_of_two_bases_comes_first_and_once() -> None:
    """With several bases the callbacks of their common base still run before all others."""

    class Left(Base):
        @before_action()
        async def left(self) -> None:
            self.log.append("left")

    class Right(Base):
        @before_action()
        async def right(self) -> None:
            self.log.append("right")

    class Both(Left, Right):
        async def index(self) -> int:
            return 1

    client_for(Both).get("/items")
    assert Base.log[:4] == ["authenticate", "timing in", "right", "left"]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_mixin_that_is_no_controller_brings_its_callbacks(is_first: bool) -> None:
    """A guard in a plain mixin guards, wherever the mixin stands among the bases."""

    class Guarded:
        @before_action()
        async def guard(self) -> Response:
            return PlainTextResponse("guarded", 401)

    bases: tuple[type, ...] = (Guarded, Controller) if is_first else (Controller, Guarded)

    async def index(self: Any) -> int:
        return 1

    controller = type("Mixed", bases, {"index": index})
    assert client_for(controller).get("/items").status_code == 401


def test_skip_before_action_opens_an_inherited_callback() -> None:
    """A skipped callback does not run, in the class and below it; the base keeps it."""

    @skip_before_action("authenticate")
    class Open(Items):
        pass

    class Below(Open):
        pass

    headers = {"anonymous": "1"}
    assert client_for(Open).get("/items", headers=headers).status_code == 200
    assert client_for(Below).get("/items", headers=headers).status_code == 200
    assert client_for(Items).get("/items", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("filters", "open_actions"),
    [({"only": ["index"]}, "index"), ({"only": "index"}, "index"), ({"except_": ["index"]}, "show")],
)
def test_skip_before_action_for_some_actions(filters: dict[str, Any], open_actions: str) -> None:
    """A skip with a filter leaves the callback where the filter says."""
    controller = skip_before_action("authenticate", **filters)(type("Some", (Items,), {}))
    client, headers = client_for(controller), {"anonymous": "1"}
    found = {
        "index": client.get("/items", headers=headers).status_code,
        "show": client.get("/items/1", headers=headers).status_code,
    }
    assert [action for action, status in found.items() if status == 200] == [open_actions]


def test_after_and_around_are_skipped_by_name() -> None:
    """Each kind has a skip of its own."""

    @skip_after_action("stamp")
    @skip_around_action("timing")
    class Quiet(Items):
        pass

    assert "x-stamp" not in client_for(Quiet).get("/items").headers
    assert Base.log == ["authenticate", "index"]


def test_a_misspelled_skip_is_an_error_with_the_known_names() -> None:
    """Neither the callback nor the action of a skip may be misspelled."""
    with pytest.raises(CallbackError, match=r"'authentciate'.*authenticate"):
        skip_before_action("authentciate")(Items)
    with pytest.raises(CallbackError, match=r"unknown \['shwo'\].*show"):
        skip_before_action("authenticate", only=["shwo"])(Items)


def test_a_misspelled_action_in_only_fails_when_the_class_is_made() -> None:
    """The message has the callback, what is wrong, and the known actions."""
    with pytest.raises(CallbackError, match=r"Wrong: before callback 'check'.*\['shwo'\].*'publish'.*'show'"):

        class Wrong(Items):
            @before_action(only=["shwo"])
            async def check(self) -> None: ...

            async def publish(self) -> None: ...


def test_a_misspelled_action_in_except_fails_when_the_class_is_made() -> None:
    """A callback that leaves out an action nobody has would run for the one that was meant."""
    with pytest.raises(CallbackError, match="idnex"):

        class Wrong(Items):
            @after_action(except_=["idnex"])
            async def check(self) -> None: ...


def test_a_filter_may_name_an_action_that_only_a_subclass_defines() -> None:
    """The seven actions are known to every controller."""

    class Application(Controller):
        @before_action(only=["destroy"])
        async def confirm(self) -> None: ...

    class Listing(Application):
        async def index(self) -> str:
            return "listed"

    assert client_for(Listing).get("/items").json() == "listed"


def test_a_halting_before_skips_the_action_and_the_afters() -> None:
    """A before-callback that returns a response answers with it."""
    response = client_for(Items).get("/items/1", headers={"anonymous": "1"})
    assert response.status_code == 401
    assert Base.log == ["authenticate"]


class Halting(Controller):
    """Halts where the request says so; every other callback needs a parameter or none."""

    log: ClassVar[list[str]] = []

    def answer(self, where: str) -> Response | None:
        self.log.append(where)
        return PlainTextResponse(where, 418) if self.request.headers.get("halt") == where else None

    @after_action()
    async def after(self, response: Response) -> Response | None:
        return self.answer("after")

    @before_action()
    async def early(self) -> Response | None:
        return self.answer("early")

    @around_action()
    async def around(self) -> AsyncGenerator[Response | None, Response]:
        try:
            yield self.answer("around in")
        except KeyError:
            yield PlainTextResponse("rescued", 418)
            return
        finally:
            self.log.append("unwound")
        if answer := self.answer("around out"):
            yield answer

    @before_action()
    async def gate(self, page: int = 1) -> Response | None:
        return self.answer("gate")

    @around_action()
    async def late_around(self, size: int = 1) -> AsyncGenerator[Response | None, Response]:
        yield self.answer("late around")

    async def index(self, fail: bool = False) -> dict[str, Any]:
        self.log.append("action")
        if fail:
            raise KeyError("lost")
        return {}


@pytest.mark.parametrize(
    ("where", "log"),
    [
        ("early", ["early"]),
        ("around in", ["early", "around in", "unwound"]),
        ("gate", ["early", "around in", "gate", "unwound", "around out"]),
        ("late around", ["early", "around in", "gate", "late around", "unwound", "around out"]),
    ],
)
def test_a_halt_in_front_of_the_action_skips_everything_behind_it(where: str, log: list[str]) -> None:
    """Wherever a callback halts, what is open is unwound and nothing else runs."""
    Halting.log.clear()
    response = client_for(Halting).get("/items", headers={"halt": where})
    assert (response.status_code, response.text) == (418, where)
    assert Halting.log == log


@pytest.mark.parametrize("where", ["around out", "after"])
def test_an_answer_behind_the_action_replaces_its_response(where: str) -> None:
    """Second halves and afters may answer with another response."""
    response = client_for(Halting).get("/items", headers={"halt": where})
    assert (response.status_code, response.text) == (418, where)


def test_an_around_may_answer_an_error_of_the_action() -> None:
    """Yielding a response from an `except` answers with it."""
    Halting.log.clear()
    response = client_for(Halting).get("/items?fail=1")
    assert (response.status_code, response.text) == (418, "rescued")
    assert Halting.log[-2:] == ["unwound", "after"]


@pytest.mark.parametrize("parameters", [False, True])
def test_a_before_that_returns_something_else_is_an_error_and_not_a_pass(
    parameters: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A guard that returns a dict would guard nothing: the action does not run."""
    ran: list[str] = []

    class Confused(Controller):
        if parameters:

            @before_action()
            async def check(self, page: int = 1) -> Any:
                return {"error": "unauthorised"}
        else:

            @before_action()
            async def check(self) -> Any:
                return {"error": "unauthorised"}

        async def index(self) -> int:
            ran.append("index")
            return 1

    assert client_for(Confused).get("/items").status_code == 500
    named = "Confused.check (before 'index') gave a dict; return a Response to halt, or None to go on"
    assert named in caplog.text
    assert ran == []


def test_a_guard_that_gives_no_response_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A guard is a function: its own name says which one to mend."""

    async def require_key() -> Any:
        return False

    app = FastAPI()
    resources(namespace(app, "admin", before=[require_key]), "items", Items)
    assert TestClient(app).get("/admin/items").status_code == 500
    assert "CallbackError: require_key (before 'index') gave a bool; return a Response" in caplog.text


def test_an_after_that_gives_no_response_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """The same holds for what runs when the action has answered."""

    class Confused(Controller):
        @after_action()
        async def wrap(self) -> Any:
            return {"wrapped": True}

        async def index(self) -> int:
            return 1

    assert client_for(Confused).get("/items").status_code == 500
    assert "CallbackError: Confused.wrap (after 'index') gave a dict; return a Response" in caplog.text


def test_an_overridden_callback_replaces_the_inherited_one() -> None:
    """A subclass changes what a callback does by overriding its method; it is no action."""

    class Strict(Items):
        async def authenticate(self) -> Response | None:
            return PlainTextResponse("strict", 403)

    assert client_for(Strict).get("/items").text == "strict"
    with pytest.raises(CallbackError):

        class Wrong(Strict):
            @before_action(only=["authenticate"])
            async def check(self) -> None: ...


def test_a_callback_may_ask_for_the_request_by_any_name() -> None:
    """Beside FastAPI's parameters a callback gets the request, whatever others call theirs."""
    seen: list[Any] = []

    class Asking(Controller):
        @before_action()
        async def with_value(self, request: str = "a value") -> None:
            seen.append(request)

        @before_action()
        async def with_request(self, request: Request) -> None:
            seen.append(request.url.path)

        async def index(self) -> int:
            return 1

    client_for(Asking).get("/items")
    assert seen == ["a value", "/items"]


def test_a_callback_may_read_the_body_that_the_action_gets() -> None:
    """A callback that checks a signature over the raw body does not take it from the action."""
    raw: list[bytes] = []

    class Signed(Controller):
        @before_action()
        async def verify(self) -> None:
            raw.append(await self.request.body())

        async def create(self, data: dict[str, int]) -> dict[str, int]:
            return data

    class Watched(Signed):
        @around_action()
        async def watch(self) -> AsyncGenerator[None, Response]:
            yield

    for controller in (Signed, Watched):
        assert client_for(controller).post("/items", json={"a": 1}).json() == {"a": 1}
    assert raw == [b'{"a":1}', b'{"a":1}']
