"""The one way in which a concept joins an app's lifespan: around the user's, never instead of it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from lineside.exceptions import ConfigurationError

__all__ = ["check_not_started", "wrap_lifespan"]


def check_not_started(app: FastAPI, what: str) -> None:
    """Refuse to change an app that already answers requests.

    Raises:
        ConfigurationError: The app has built its middleware; a change would be ignored silently.
    """
    if app.middleware_stack is not None:
        raise ConfigurationError(
            f"{what} came after the app's first request; move it to where the app is made"
        )


def wrap_lifespan(app: FastAPI, resource: Callable[[FastAPI], AbstractAsyncContextManager[object]]) -> None:
    """Open a resource before the app's own lifespan begins, and close it after that has ended.

    Args:
        app: The app; its ``lifespan=`` and those of its routers go on working.
        resource: Makes the context manager when the app starts.
    """
    inner: Any = app.router.lifespan_context

    @asynccontextmanager
    async def composed(started: FastAPI) -> AsyncGenerator[Any]:
        async with resource(started), inner(started) as state:
            yield state

    app.router.lifespan_context = composed
