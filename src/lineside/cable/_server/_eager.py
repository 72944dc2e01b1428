"""Running a coroutine without a task, until it has to wait."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

__all__ = ["run_eagerly"]


def run_eagerly(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a coroutine as far as it goes now; only one that has to wait costs a task.

    As the eager tasks of Python 3.12, except that the first part runs in no task at all: what needs one,
    such as ``asyncio.timeout``, must come after the first wait.

    Args:
        coroutine: What to run; it is not awaited by anybody else.

    Returns:
        The task that does the rest; None when it is done.

    Raises:
        BaseException: What the coroutine raised before it waited.
    """
    try:
        waited_for = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_go_on(coroutine, waited_for))


async def _go_on(coroutine: Coroutine[Any, Any, None], waited_for: Any) -> None:
    await _Rest(coroutine, waited_for)


class _Rest:
    """The rest of a coroutine that has begun already, for ``await``."""

    __slots__ = ("_coroutine", "_waited_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waited_for: Any) -> None:
        self._coroutine = coroutine
        self._waited_for = waited_for

    def __await__(self) -> Generator[Any, Any, None]:
        waited_for = self._waited_for
        try:
            while True:
                try:
                    answer = yield waited_for
                except GeneratorExit:
                    self._coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - a cancellation is the coroutine's to handle
                    waited_for = self._coroutine.throw(error)
                else:
                    waited_for = self._coroutine.send(answer)
        except StopIteration:
            return
