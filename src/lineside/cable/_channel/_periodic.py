"""The timers of a subscription: handles of the event loop, and a task only while something runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from lineside.cable._channel._plan import TimerPlan

__all__ = ["Timers"]


class Timers:
    """Runs the periodic methods of one subscription; a method never overlaps itself.

    Waiting costs no task: ten thousand subscriptions that wait are ten thousand entries of the loop's heap,
    spread by when each of them began.

    Args:
        plans: What runs, and how often.
        run: Runs one of them; it never raises.
    """

    __slots__ = ("_handles", "_plans", "_run", "_stopped", "_tasks")

    def __init__(self, plans: Sequence[TimerPlan], run: Callable[[TimerPlan], Awaitable[None]]) -> None:
        self._plans = plans
        self._run = run
        self._handles: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def start(self) -> None:
        """Begin to wait for the first runs."""
        for plan in self._plans:
            self._wait(plan)

    async def stop(self) -> None:
        """Let nothing run any more; a run that has begun is cancelled, and awaited."""
        self._stopped = True
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _wait(self, plan: TimerPlan) -> None:
        loop = asyncio.get_running_loop()
        self._handles[plan.periodic.name] = loop.call_later(plan.periodic.seconds, self._begin, plan)

    def _begin(self, plan: TimerPlan) -> None:
        task = asyncio.ensure_future(self._once(plan))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _once(self, plan: TimerPlan) -> None:
        await self._run(plan)
        if not self._stopped:
            self._wait(plan)
