"""The life of a cable inside an app's: started before the first request, stopped after the last."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from lineside.bus import refuse_several_processes
from lineside.cable._cable import Cable
from lineside.cable._fastapi._gate import Gate
from lineside.cable._fastapi._routes import place_of
from lineside.cable._fastapi._state import cables_of
from lineside.cable._fastapi._stopping import draining_with_server
from lineside.cable._instrumentation._metrics import CableMetrics
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable.asgi import STATE_KEY, CableEndpoint, ServerHooks, install_seam
from lineside.instrumentation import Metrics

__all__ = ["CableLifespan"]


class CableLifespan:
    """What a cable's router does when its app starts and stops.

    Args:
        cable: The cable.
        name: What the app calls it.
        metrics: Shows its figures; None for nobody.
        gate: Lets connections in.
        endpoint: The WebSocket's ASGI app.
        marker: A route by which the router's place is found.
        below: That route's path in the router.

    Attributes:
        path: The WebSocket's path; empty until the app starts.
    """

    def __init__(
        self,
        cable: Cable,
        *,
        name: str,
        metrics: Metrics | None,
        gate: Gate,
        endpoint: CableEndpoint,
        marker: Callable[[], APIRoute],
        below: str,
    ) -> None:
        self.path = ""
        self._cable = cable
        self._name = name
        self._metrics = metrics
        self._gate = gate
        self._endpoint = endpoint
        self._marker = marker
        self._below = below

    def __call__(self, app: FastAPI) -> AbstractAsyncContextManager[dict[str, Any]]:
        """Return the lifespan of an app."""
        return self._run(app)

    @asynccontextmanager
    async def _run(self, app: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        place = place_of(self._marker(), app.routes, below=self._below)
        self.path = place.path
        cables = cables_of(app)
        if self._name in cables or self._cable.accepting:
            raise CableConfigurationError(
                f"a cable called {self._name!r} runs already; give this one a name of its own: "
                "cable_router(name=...)"
            )
        refuse_several_processes(self._cable.bus)
        self._gate.bind(place.path, place.dependencies)
        await self._cable.start()
        cables[self._name] = self._cable
        install_seam(app)
        try:
            with self._measured(), _hooked(app, place.path, self._endpoint, self._cable) as hooks:
                async with draining_with_server(lambda: self._cable.drain(seconds=0.0)):
                    yield {STATE_KEY: hooks}
        finally:
            del cables[self._name]
            await self._cable.stop()

    @contextmanager
    def _measured(self) -> Generator[None]:
        measured = (
            None if self._metrics is None else CableMetrics(self._cable, self._metrics, name=self._name)
        )
        try:
            yield
        finally:
            if measured is not None:
                measured.close()


@contextmanager
def _hooked(app: FastAPI, path: str, endpoint: CableEndpoint, cable: Cable) -> Generator[ServerHooks]:
    """Tell the server what to drain before it closes its connections, and which path is the cable's."""

    async def drain(seconds: float) -> None:
        await cable.drain(seconds=seconds)

    hooks = ServerHooks.of(app)
    paths = [] if "{" in path else [path, f"{path}/"]
    for each in paths:
        hooks.add_endpoint(each, endpoint)
    hooks.add_drain(drain)
    try:
        yield hooks
    finally:
        hooks.remove_drain(drain)
        for each in paths:
            hooks.remove_endpoint(each)
