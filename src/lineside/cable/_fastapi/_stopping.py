"""Noticing that a plain uvicorn is told to stop.

uvicorn waits for every response to end before it ends the app's lifespan, and an event stream does not end
by itself: without this, one open stream would keep the process from stopping. ``lineside server`` drains by
itself, and earlier.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

__all__ = ["draining_with_server"]

_POLL_SECONDS: Final = 0.1  # as often as uvicorn itself looks

_logger = logging.getLogger("lineside.cable")


@asynccontextmanager
async def draining_with_server(drain: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Drain as soon as the uvicorn that runs this app is told to stop, if it is one.

    Nothing of the process is changed: uvicorn has put its server's method in as a handler of signals, and
    whoever finds that finds the server.

    Args:
        drain: Sends every client away.
    """
    server = _server()
    if server is None:
        yield
        return
    watching = asyncio.get_running_loop().create_task(_watch(server, drain))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


def _server() -> Any:
    for number in (signal.SIGTERM, signal.SIGINT):
        server = getattr(signal.getsignal(number), "__self__", None)
        # A class derived from uvicorn's stops in its own way.
        if type(server).__module__ == "uvicorn.server" and hasattr(server, "should_exit"):
            return server
    return None


async def _watch(server: Any, drain: Callable[[], Awaitable[None]]) -> None:
    while not server.should_exit:  # noqa: ASYNC110 - a plain attribute: there is no event to wait for
        await asyncio.sleep(_POLL_SECONDS)
    try:
        await drain()
    except Exception:  # the server stops all the same, later
        _logger.exception("the cable could not be drained")
