"""What an app tells the server it runs in: which paths are a cable's, and what to drain before it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from lineside.cable._server._keepalive import Keepalive

if TYPE_CHECKING:
    from lineside.cable.asgi import CableEndpoint

__all__ = ["STATE_KEY", "Drain", "ServerHooks"]

STATE_KEY: Final = "lineside.server"
"""Where a server finds the hooks of its app: a key of ASGI's lifespan state."""

Drain = Callable[[float], Awaitable[None]]
"""Sends clients away, spread over so many seconds."""

_logger = logging.getLogger("lineside.cable")


class HasState(Protocol):
    """A Starlette or FastAPI app."""

    @property
    def state(self) -> Any:
        """The app's own values."""
        ...


class ServerHooks:
    """The hooks of one app, which all of its cables share.

    A lifespan yields them in its state, under `STATE_KEY`, so that the server sees them:
    ``yield {STATE_KEY: ServerHooks.of(app)}``.

    Args:
        app: The app; it stands in the scopes of the connections that a server class serves past it.

    Attributes:
        keepalive: Pings the connections that a server class serves; made by the first of them.
    """

    def __init__(self, app: Any = None) -> None:
        self.app = app
        self.keepalive: Keepalive | None = None
        self._endpoints: dict[str, CableEndpoint] = {}
        self._drains: list[Drain] = []

    @classmethod
    def of(cls, app: HasState) -> ServerHooks:
        """Return the hooks of an app; the first to ask makes them.

        Args:
            app: A Starlette or FastAPI app.
        """
        hooks = getattr(app.state, "lineside_server_hooks", None)
        if not isinstance(hooks, cls):
            hooks = cls(app)
            app.state.lineside_server_hooks = hooks
        return hooks

    def add_endpoint(self, path: str, endpoint: CableEndpoint) -> None:
        """Let a server class serve a path without the app.

        Args:
            path: The whole path, without parameters: ``"/cable"``.
            endpoint: The cable's.
        """
        self._endpoints[path] = endpoint

    def remove_endpoint(self, path: str) -> None:
        """Take a path back.

        Args:
            path: One that was added.
        """
        self._endpoints.pop(path, None)

    def endpoint(self, path: str) -> CableEndpoint | None:
        """Return the endpoint of a path.

        Args:
            path: The request's path, decoded.
        """
        return self._endpoints.get(path)

    def add_drain(self, drain: Drain) -> None:
        """Call this when the server is told to stop, before it closes its connections.

        Args:
            drain: For a cable: ``lambda seconds: cable.drain(seconds=seconds)``.
        """
        self._drains.append(drain)

    def remove_drain(self, drain: Drain) -> None:
        """Take back what `add_drain` was given.

        Args:
            drain: The same object.
        """
        if drain in self._drains:
            self._drains.remove(drain)

    async def drain(self, seconds: float) -> None:
        """Send every client away; one hook that fails keeps none of the others from it.

        Args:
            seconds: The time over which clients are told.
        """
        answers = await asyncio.gather(*(drain(seconds) for drain in self._drains), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, Exception):
                _logger.error("a part of the app could not be drained", exc_info=answer)
