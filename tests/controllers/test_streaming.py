"""Streaming actions: JSON lines and server-sent events, with callbacks in front."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, ClassVar

import pytest
from fastapi import FastAPI, Header, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import EventSourceResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.controllers import Controller, action, after_action, before_action
from lineside.routing import resources


class Tick(BaseModel):
    """One item."""

    number: int


class Streams(Controller):
    """Streams in all ways, and notes when an item is made."""

    made: ClassVar[list[int]] = []

    def items(self) -> Iterator[Tick]:
        for number in range(3):
            self.made.append(number)
            yield Tick(number=number)

    async def lines(self) -> AsyncIterator[Tick]:
        for tick in self.items():
            yield tick

    def plain_lines(self) -> Iterator[Tick]:
        yield from self.items()

    @action(response_class=EventSourceResponse)
    async def events(self) -> AsyncIterator[Tick]:
        for tick in self.items():
            yield tick

    @action(response_class=EventSourceResponse)
    def plain_events(self) -> Iterator[Tick]:
        yield from self.items()

    @action(response_class=StreamingResponse)
    async def chunks(self) -> AsyncIterator[bytes]:
        for tick in self.items():
            yield str(tick.number).encode()


class Early(Streams):
    """Has callbacks that need nothing from FastAPI."""

    @before_action()
    async def check(self) -> Response | None:
        return JSONResponse({}, 401) if "anonymous" in self.request.headers else None

    @after_action()
    async def stamp(self, response: Response) -> None:
        response.headers["x-stamp"] = "1"


class Late(Streams):
    """Has a callback with a parameter."""

    @before_action()
    async def check(self, anonymous: Annotated[str | None, Header()] = None) -> Response | None:
        return JSONResponse({}, 401) if anonymous else None

    @after_action()
    async def stamp(self, response: Response) -> None:
        response.headers["x-stamp"] = "1"


ACTIONS = ["lines", "plain_lines", "events", "plain_events", "chunks"]


def client_for(controller: type[Controller]) -> TestClient:
    """Route all streams."""
    app = FastAPI()
    resources(app, "streams", controller, collection=dict.fromkeys(ACTIONS, "GET"))
    return TestClient(app)


EXPECTED: dict[str, tuple[str, str]] = {
    "lines": ("application/jsonl", '{"number":0}\n{"number":1}\n{"number":2}\n'),
    "plain_lines": ("application/jsonl", '{"number":0}\n{"number":1}\n{"number":2}\n'),
    "events": (
        "text/event-stream; charset=utf-8",
        'data: {"number":0}\n\ndata: {"number":1}\n\ndata: {"number":2}\n\n',
    ),
    "plain_events": (
        "text/event-stream; charset=utf-8",
        'data: {"number":0}\n\ndata: {"number":1}\n\ndata: {"number":2}\n\n',
    ),
}


@pytest.mark.parametrize("controller", [Streams, Early, Late])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_stream_has_its_media_type_and_items(controller: type[Controller], name: str) -> None:
    """FastAPI's own streaming works for every generator, async or not."""
    response = client_for(controller).get(f"/streams/{name}")
    assert (response.headers["content-type"], response.text) == EXPECTED[name]
    assert ("x-stamp" in response.headers) == (controller is not Streams)


@pytest.mark.parametrize("controller", [Streams, Early, Late])
def test_a_raw_stream_is_passed_through(controller: type[Controller]) -> None:
    """An explicit StreamingResponse takes bytes as they are."""
    assert client_for(controller).get("/streams/chunks").content == b"012"


@pytest.mark.parametrize("controller", [Early, Late])
@pytest.mark.parametrize("name", ACTIONS)
def test_a_callback_halts_in_front_of_a_stream(controller: type[Controller], name: str) -> None:
    """The answer is the callback's, and nothing of the stream is made."""
    Streams.made.clear()
    response = client_for(controller).get(f"/streams/{name}", headers={"anonymous": "1"})
    assert (response.status_code, response.json()) == (401, {})
    assert Streams.made == []


def test_items_of_a_stream_are_in_openapi() -> None:
    """The document has the model of an item."""
    paths: dict[str, Any] = client_for(Late).get("/openapi.json").json()["paths"]
    content = paths["/streams/lines"]["get"]["responses"]["200"]["content"]
    assert "Tick" in str(content["application/jsonl"])
