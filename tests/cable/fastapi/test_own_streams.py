"""Event streams that an endpoint or a controller's action writes itself."""

import asyncio

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from lineside.cable.fastapi import EventStream, EventWriter
from lineside.controllers import Controller
from lineside.routing import resources
from tests.cable.fastapi.apps import site

pytestmark = pytest.mark.anyio


class Step(BaseModel):
    percent: int


async def test_a_controllers_action_writes_events_until_it_returns() -> None:
    class ImportsController(Controller):
        async def index(self) -> EventStream:
            async def work(stream: EventWriter) -> None:
                await stream.send(Step(percent=50), event="progress", id="1", retry_ms=100)
                await stream.send("two\nlines")

            return EventStream(work)

    app = FastAPI()
    resources(app, "imports", ImportsController, only=["index"])
    async with site(app) as served:
        answer = await served.http.get("/imports")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert (
        answer.text == 'event: progress\ndata: {"percent":50}\nid: 1\nretry: 100\n\ndata: "two\\nlines"\n\n'
    )


async def test_the_function_is_cancelled_when_the_client_goes() -> None:
    cancelled = asyncio.Event()

    async def work(stream: EventWriter) -> None:
        try:
            await stream.send(1)
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    app = FastAPI()

    @app.get("/events")
    async def events() -> EventStream:
        return EventStream(work)

    async with site(app) as served:
        async with served.http.stream("GET", "/events") as answer:
            assert await anext(answer.aiter_lines()) == "data: 1"
        await asyncio.wait_for(cancelled.wait(), 10)


async def test_a_silent_stream_is_kept_alive_by_comments() -> None:
    async def work(_stream: EventWriter) -> None:
        await asyncio.Event().wait()

    app = FastAPI()

    @app.get("/events")
    async def events() -> EventStream:
        return EventStream(work, ping_seconds=0.05)

    async with site(app) as served, served.http.stream("GET", "/events") as answer:
        assert await anext(answer.aiter_lines()) == ": ping"


@pytest.mark.parametrize("broken", [{"event": "a\nb"}, {"id": "a\r"}, {"data": float("nan")}])
async def test_what_would_break_the_stream_is_refused(broken: dict[str, object]) -> None:
    async def send(_message: object) -> None:
        raise AssertionError("nothing may be sent")

    with pytest.raises(ValueError, match=r"single line|NaN|nan|JSON"):
        await EventWriter(send).send(**{"data": 1, **broken})  # type: ignore[arg-type]
