"""A client of event streams that reads them as browsers do (WHATWG HTML, section 9.2.6)."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.cable.fastapi.apps import DEADLINE, Site


@dataclass(frozen=True)
class Event:
    """What a browser dispatches."""

    type: str
    data: Any
    id: str


class EventSource:
    """An open event stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last_id = ""
        self.retry_ms: int | None = None

    async def next(self, *, pings: bool = False) -> Event:
        """Return the next event; EOFError at the end of the stream."""
        while True:
            event = await asyncio.wait_for(self._dispatched(), DEADLINE)
            if pings or event.type != "ping":
                return event

    async def _dispatched(self) -> Event:
        type_, data = "message", list[str]()
        async for line in self._lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line and data:
                return Event(type_, json.loads("\n".join(data)), self.last_id)
            if not line:
                type_ = "message"
            elif name == "data":
                data.append(value)
            elif name == "event":
                type_ = value
            elif name == "id":
                self.last_id = value
            elif name == "retry":
                self.retry_ms = int(value)
        raise EOFError("the stream has ended")


@asynccontextmanager
async def listening(
    served: Site, query: str, *, last_id: str | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[EventSource]:
    """Open an event stream that is answered 200."""
    sent = {**(headers or {}), **({} if last_id is None else {"Last-Event-ID": last_id})}
    async with served.http.stream("GET", f"/cable/events?{query}", headers=sent, timeout=None) as answer:
        if answer.status_code != 200:
            raise AssertionError(f"{answer.status_code}: {(await answer.aread()).decode()}")
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield EventSource(answer.aiter_lines())
