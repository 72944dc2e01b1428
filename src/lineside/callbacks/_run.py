"""One run of a chain of callbacks around a piece of work."""

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

from lineside.callbacks._adapt import END
from lineside.callbacks._declaration import Planned
from lineside.exceptions import CallbackError


class CallbackRun:
    """One run of a chain: callbacks entered one by one, then left in reverse order.

    Args:
        halts: Tells whether a value that a callback gave ends the chain; takes the callback too, so that an
            error can name it.
    """

    __slots__ = ("_halts", "_open")

    def __init__(self, halts: Callable[[object, Planned], bool]) -> None:
        self._halts = halts
        self._open: list[tuple[Planned, Callable[..., Any] | None, Any]] = []

    async def enter(self, planned: Planned, *args: Any, **values: Any) -> object | None:
        """Run a before, begin an around, or remember an after.

        Returns:
            The value that ends the chain, or None to go on.
        """
        kind = planned.callback.kind
        if kind == "after":
            self._open.append((planned, functools.partial(planned.call, *args), None))
            return None
        if kind == "before":
            return self._halting(await planned.call(*args, **values), planned)
        generator: AsyncGenerator[object, object] = planned.call(*args, **values)
        given = await anext(generator, END)
        if given is END:
            raise CallbackError(f"{planned.label} ended without `yield`; yield once")
        halting = self._halting(given, planned)
        if halting is not None:
            await generator.aclose()
        else:
            self._open.append((planned, None, generator))
        return halting

    async def finish(
        self, result: Any = None, *, error: BaseException | None = None, halted: bool = False
    ) -> Any:
        """Run what is still open in reverse order and return the result, or raise the error.

        Args:
            result: What the work gave, or the value that halted the chain.
            error: What the work raised; each around sees it and may answer by yielding a value that halts.
            halted: Skip the after callbacks, as Rails does.
        """
        while self._open:
            planned, after, generator = self._open.pop()
            try:
                if after is None:
                    result, error = await self._resume(planned, generator, result, error)
                elif error is None and not halted:
                    replaced = self._halting(await after(result), planned)
                    result = result if replaced is None else replaced
            except BaseException as raised:  # noqa: BLE001 - every open around must see it, cancellation too
                error = raised
        if error is not None:
            raise error
        return result

    async def _resume(
        self,
        planned: Planned,
        generator: AsyncGenerator[object, object],
        result: object,
        error: BaseException | None,
    ) -> tuple[object, BaseException | None]:
        try:
            given = await (generator.asend(result) if error is None else generator.athrow(error))
        except StopAsyncIteration:
            if error is not None:
                raise CallbackError(
                    f"{planned.label} swallowed an error; re-raise it or yield an answer"
                ) from error
            return result, None
        await generator.aclose()
        halting = self._halting(given, planned)
        if halting is None:
            raise CallbackError(f"{planned.label} yielded twice; yield once, or yield an answer")
        return halting, None

    def _halting(self, given: object, planned: Planned) -> object | None:
        return given if given is not None and self._halts(given, planned) else None


async def run_callbacks(
    chain: Sequence[Planned],
    receiver: object,
    work: Callable[[], Awaitable[Any]],
    *,
    halts: Callable[[object], bool] = lambda given: given is not None,
) -> Any:
    """Run a chain of callbacks around a piece of work.

    Args:
        chain: What `Callbacks.applying_to` planned.
        receiver: The object whose methods the callbacks are.
        work: The work, called without arguments.
        halts: Tells whether a value that a callback gave ends the chain.

    Returns:
        The result of the work, or the value that ended the chain.
    """
    run = CallbackRun(lambda given, _planned: halts(given))
    try:
        for planned in chain:
            halting = await run.enter(planned, receiver)
            if halting is not None:
                return await run.finish(halting, halted=True)
        result = await work()
    except BaseException as error:  # noqa: BLE001 - open arounds must see it, cancellation too
        return await run.finish(error=error)
    return await run.finish(result)
