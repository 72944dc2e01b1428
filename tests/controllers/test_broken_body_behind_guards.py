"""A broken body behind callbacks that need nothing from FastAPI."""

import gc
import weakref
from typing import Any, ClassVar

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from lineside.controllers import Controller, around_action, before_action, rescue_from
from lineside.routing import resources

_JSON = {"content-type": "application/json"}


class Guarded(Controller):
    """Has a callback without parameters, and a body that may be left out."""

    @before_action()
    async def sign_in(self) -> Any:
        """Answer 401 to those who ask for it."""
        return JSONResponse({}, status_code=401) if "anonymous" in self.request.headers else None

    async def create(self, tags: list[str] | None = None) -> dict[str, bool]:
        """Say whether there was a body."""
        return {"given": tags is not None}


class Surrounded(Guarded):
    """Has an around as well, which stays open while the body is read."""

    @around_action()
    async def watch(self) -> Any:
        """Let everything pass."""
        yield


@pytest.mark.parametrize("controller", [Guarded, Surrounded])
def test_a_broken_optional_body_is_422_and_not_an_empty_one(controller: type[Controller]) -> None:
    """A body that cannot be read is never taken for a body that was not sent."""
    app = FastAPI()
    resources(app, "posts", controller)
    client = TestClient(app)
    answer = client.post("/posts", content=b"[broken", headers=_JSON)
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "json_invalid")
    assert client.post("/posts").json() == {"given": False}


@pytest.mark.parametrize("controller", [Guarded, Surrounded])
def test_a_guard_answers_before_a_broken_body(controller: type[Controller]) -> None:
    """A 401 beats the 422."""
    app = FastAPI()
    resources(app, "posts", controller)
    answer = TestClient(app).post("/posts", content=b"[broken", headers={**_JSON, "anonymous": "1"})
    assert answer.status_code == 401


class Seen(Controller):
    """Its controllers and requests are looked for afterwards, and those of no other test."""

    made: ClassVar[list[weakref.ref[Any]]] = []

    def __init__(self) -> None:
        self.made.append(weakref.ref(self))

    @before_action(only=["index"])
    async def note(self) -> None:
        """Use the controller before the action."""

    async def index(self) -> None:
        """Do nothing."""
        self.made.append(weakref.ref(self.request))

    async def new(self) -> None:
        """Raise what the controller rescues."""
        self.made.append(weakref.ref(self.request))
        raise LookupError

    @rescue_from(LookupError, status_code=404)
    async def missing(self) -> dict[str, str]:
        """Answer with what the controller knows."""
        return {"action": self.action_name}


@pytest.mark.parametrize(("path", "status"), [("/posts", 204), ("/posts/new", 404)])
def test_a_finished_request_does_not_wait_for_the_garbage_collector(path: str, status: int) -> None:
    """Scope, controller and request end with the request, by counting references alone."""
    app = FastAPI()
    resources(app, "posts", Seen)
    client = TestClient(app)
    assert client.get(path).status_code == status
    Seen.made.clear()
    gc.disable()
    try:
        client.get(path)
        assert [reference() for reference in Seen.made] == [None, None]
    finally:
        gc.enable()
