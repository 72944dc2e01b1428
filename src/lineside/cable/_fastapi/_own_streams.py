"""An event stream of an endpoint's own: a function writes it, and it ends with the function."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from fastapi.encoders import jsonable_encoder
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, ServerSentEvent, format_sse_event

from lineside.strict_json import dumps

__all__ = ["EventStream", "EventWriter"]

_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_PING_SECONDS: Final = 15.0


class EventWriter:
    """Writes the events of one response.

    Args:
        send: ASGI's ``send``; the response has begun.
    """

    def __init__(self, send: _Send) -> None:
        self._send = send
        self._lock = asyncio.Lock()

    async def send(
        self,
        data: Any,
        *,
        event: str | None = None,
        id: str | None = None,  # noqa: A002 - the field's name
        retry_ms: int | None = None,
    ) -> None:
        """Send an event; waits while the client has too much to read (as Gor's ``stream.Send``).

        Args:
            data: A JSON value, or what FastAPI makes one of: models, dates.
            event: Its name; None for ``message``. One line.
            id: What a browser sends back as ``Last-Event-ID``. One line.
            retry_ms: How long a browser waits from now on before it connects again.

        Raises:
            ValueError: The name or the id has several lines, or the data is no JSON value.
        """
        checked = ServerSentEvent(event=event, id=id, retry=retry_ms)
        text = dumps(jsonable_encoder(data)).decode()
        await self.write(
            format_sse_event(data_str=text, event=checked.event, id=checked.id, retry=checked.retry)
        )

    async def write(self, block: bytes) -> None:
        """Send bytes as they are: whole events, or a comment.

        Args:
            block: With the empty line behind it.
        """
        async with self._lock:
            await self._send({"type": "http.response.body", "body": block, "more_body": True})


class EventStream(EventSourceResponse):
    """Lets a function write Server-Sent Events (as Gor's ``ctx.SSE``); return it from an endpoint or action.

    The function is cancelled when the client goes. A comment every few seconds keeps proxies from closing a
    silent stream.

    Args:
        work: Takes an `EventWriter`; the stream ends when it returns.
        ping_seconds: How often a comment is sent.
    """

    def __init__(
        self, work: Callable[[EventWriter], Awaitable[None]], *, ping_seconds: float = _PING_SECONDS
    ) -> None:
        # The headers are FastAPI's own for event streams.
        super().__init__((), headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._work = work
        self._ping_seconds = ping_seconds

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: _Send) -> None:
        """Send the response until the function returns or the client goes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        writer = EventWriter(send)
        work = asyncio.ensure_future(self._work(writer))
        others = [asyncio.ensure_future(each) for each in (self._ping(writer), _gone(receive))]
        try:
            await asyncio.wait([work, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = work.done()
            for each in (work, *others):
                each.cancel()
            await asyncio.gather(work, *others, return_exceptions=True)
        if ended:
            work.result()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _ping(self, writer: EventWriter) -> None:
        while True:
            await asyncio.sleep(self._ping_seconds)
            await writer.write(KEEPALIVE_COMMENT)


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
