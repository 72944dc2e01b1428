"""Sync functions adapted once, when they are planned, never at each call."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

import anyio
import anyio.to_thread

#: What a generator step gives when the generator has ended.
END: Final[Any] = object()


def adapted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an async callable for ``function``; a plain ``def`` will run in a worker thread."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return function
    if inspect.isgeneratorfunction(function):
        return functools.wraps(function)(functools.partial(_generate_in_thread, function))

    @functools.wraps(function)
    async def in_thread(*args: Any, **values: Any) -> Any:
        return await anyio.to_thread.run_sync(functools.partial(function, *args, **values))

    return in_thread


async def _generate_in_thread(
    function: Callable[..., Any], *args: Any, **values: Any
) -> AsyncGenerator[object, object]:
    """Step a plain generator in worker threads, with what is sent or thrown into this one."""
    generator = function(*args, **values)

    def step(method: Callable[..., Any], given: object) -> object:
        # StopIteration cannot travel through a future: it becomes a marker here.
        try:
            return method(given)
        except StopIteration:
            return END

    method, sent = generator.send, None
    try:
        while (item := await anyio.to_thread.run_sync(step, method, sent)) is not END:
            try:
                method, sent = generator.send, (yield item)
            except Exception as error:  # noqa: BLE001 - handed to the generator, which decides
                method, sent = generator.throw, error
    finally:
        # A cancelled task could not await: the generator would stay open until it is collected.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(generator.close)
