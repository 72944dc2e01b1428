"""An app or a cable that runs while somebody needs it, in the event loop of the test."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final

from lineside.cable import Cable
from lineside.exceptions import ConfigurationError
from lineside.testing._cable_target import cables_in

__all__ = ["running"]


@asynccontextmanager
async def running(target: Any) -> AsyncGenerator[Mapping[str, Any]]:
    """Run the lifespan of an app, or a cable alone, for a block; several blocks share one run.

    A target that runs already is left as it is.

    Args:
        target: An ASGI app, or a `Cable`.

    Yields:
        The state that the lifespan gave.

    Raises:
        ConfigurationError: The app has refused to start.
    """
    key = id(target)  # it stays the target's: the run holds it
    run = _runs.get(key)
    if run is None:
        if any(cable.accepting for cable in cables_in(target)):
            yield {}
            return
        run = _runs[key] = _CableRun(target) if isinstance(target, Cable) else _AppRun(target)
    async with run.lock:
        try:
            if run.users == 0:
                await run.start()
        except BaseException:
            _runs.pop(key, None)
            raise
        run.users += 1
    try:
        yield run.state
    finally:
        run.users -= 1
        if run.users == 0:
            _runs.pop(key, None)
            await run.stop()


class _Run(ABC):
    def __init__(self) -> None:
        self.users = 0
        self.lock = asyncio.Lock()
        self.state: dict[str, Any] = {}

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None: ...


class _CableRun(_Run):
    def __init__(self, cable: Cable) -> None:
        super().__init__()
        self._cable = cable

    async def start(self) -> None:
        await self._cable.start()

    async def stop(self) -> None:
        await self._cable.stop()


class _AppRun(_Run):
    """The lifespan protocol of ASGI, in a task of its own: what it enters it leaves in the same task."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answer: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        self._task = asyncio.create_task(self._app(scope, self._said.get, self._answer.put))
        await self._say("startup")

    async def stop(self) -> None:
        if self._task is None or self._task.done():
            return
        await self._say("shutdown")
        await self._task

    async def _say(self, what: str) -> None:
        assert self._task is not None
        await self._said.put({"type": f"lifespan.{what}"})
        answer = asyncio.create_task(self._answer.get())
        await asyncio.wait((answer, self._task), return_when=asyncio.FIRST_COMPLETED)
        said = answer.result()["type"] if answer.done() else ""
        answer.cancel()
        if said == f"lifespan.{what}.complete":
            return
        await self._task  # an app that fails says so, and raises the reason
        if said.startswith("lifespan."):
            raise ConfigurationError(f"the app said {said}: it refuses its {what}")
        # An app that takes the message for a request, and answers it, has no lifespan.


_runs: Final[dict[int, _Run]] = {}
