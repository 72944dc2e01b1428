"""uvicorn, stopped in the right order: clients are sent away before their connections are closed."""

import asyncio
import logging
import signal
import socket
from types import FrameType
from typing import Any, Final

from uvicorn.server import Server
from uvicorn.supervisors import multiprocess

from lineside.cable.asgi import STATE_KEY, ServerHooks

__all__ = ["GracefulServer", "run_workers"]

_TELLING: Final = 1 / 3
_DRAINING: Final = 2 / 3

_logger = logging.getLogger("uvicorn.error")


class GracefulServer(Server):
    """Drains the app before it stops.

    uvicorn ends its connections first and the app's lifespan last, so that an app has no word with its
    clients any more. Here a signal begins with the app: nothing more is accepted, WebSocket clients are
    told over a third of ``timeout_graceful_shutdown`` to come back elsewhere and have another third to
    go; what is left is for open requests and streams, which are cancelled at its end. An app without
    ``lineside.cable`` stops as uvicorn stops it. Ctrl+C, a developer's way, tells everybody at once.
    """

    _draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say where, which uvicorn does not for sockets that it is given."""
        await super().startup(sockets)
        if self.started and self.config.workers == 1 and not self.config.should_reload:
            log_addresses(self.config.host, sockets or [])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, drain, and stop as uvicorn does in the time that is left."""
        loop = asyncio.get_running_loop()
        seconds = self.config.timeout_graceful_shutdown or 0
        began = loop.time()
        for server in self.servers:
            server.close()
        await self._drain(float(seconds))
        left = max(0.0, seconds - (loop.time() - began))
        self.config.timeout_graceful_shutdown = left  # type: ignore[assignment]  # it waits for parts of seconds too
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; a second Ctrl+C ends the draining too."""
        super().handle_exit(sig, frame)
        if self.force_exit and self._draining is not None:
            self._draining.get_loop().call_soon_threadsafe(self._draining.cancel)

    async def _drain(self, seconds: float) -> None:
        hooks: Any = self.lifespan.state.get(STATE_KEY)
        if not isinstance(hooks, ServerHooks):
            return
        telling = 0.0 if signal.SIGINT in self._captured_signals else seconds * _TELLING
        self._draining = asyncio.create_task(hooks.drain(telling))
        _, waiting = await asyncio.wait([self._draining], timeout=seconds * _DRAINING)
        if waiting:
            _logger.warning(
                "some clients are still there after %.1f s; they are cut off", seconds * _DRAINING
            )
            self._draining.cancel()
            await asyncio.wait([self._draining])


class _Worker(multiprocess.Process):
    """A worker process of uvicorn's, which serves with our server."""

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = GracefulServer(config=self.config)
        return self._server


def run_workers(config: Any, sockets: list[socket.socket]) -> None:
    """Serve with several processes until a signal comes.

    Args:
        config: uvicorn's; its app is an import string.
        sockets: What they all listen on.
    """
    log_addresses(config.host, sockets)
    # The one place where uvicorn lets nobody say which server its workers run.
    multiprocess.Process = _Worker  # type: ignore[misc]
    multiprocess.Multiprocess(config, sockets=sockets).run()


def log_addresses(host: str, sockets: list[socket.socket]) -> None:
    """Say where the app can be reached, in uvicorn's words.

    Args:
        host: As it was asked for.
        sockets: What is listened on.
    """
    if sockets:
        shown = f"[{host}]" if ":" in host else host
        port = sockets[0].getsockname()[1]
        _logger.info("Uvicorn running on http://%s:%d (Press CTRL+C to quit)", shown, port)
