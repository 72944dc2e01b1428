"""A channel's object at work: subscribing, performing, unsubscribing."""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from lineside.cable._channel._errors import answer_of
from lineside.cable._channel._injection import Inject
from lineside.cable._channel._periodic import Timers
from lineside.cable._channel._plan import ActionPlan, ChannelPlan, TimerPlan
from lineside.cable._channel._streams import ChannelState, has_been_asked
from lineside.cable._protocol._cancelling import app_code
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._protocol._ports import SubscriptionPort
from lineside.callbacks import CallbackRun, Planned
from lineside.exceptions import CallbackError

__all__ = ["OpenChannel"]

_logger = logging.getLogger("lineside.cable")
_SHOWN: Final = 64


class OpenChannel:
    """One channel's object and what surrounds each run of it (`lineside.cable._protocol._ports.ChannelPort`).

    Args:
        plan: The class.
        subscription: What it was made for.
    """

    __slots__ = ("_channel", "_entered", "_lock", "_plan", "_subscribed", "_timers")

    def __init__(self, plan: ChannelPlan, subscription: SubscriptionPort) -> None:
        self._plan = plan
        self._channel = plan.channel()
        self._channel.__lineside_state__ = ChannelState(subscription, plan.new_ability)
        self._entered = False
        self._subscribed = False
        self._timers = Timers(plan.timers, self._tick) if plan.timers else None
        # Commands come one after the other; only a timer could run into one of them.
        self._lock = asyncio.Lock() if plan.timers else None

    @property
    def _state(self) -> ChannelState:
        return self._channel.__lineside_state__

    async def subscribe(self) -> None:
        """Run ``subscribed`` and its callbacks; rejects when nothing allowed the subscription."""
        done: list[bool] = []

        async def work() -> None:
            await self._subscribe()
            done.append(True)

        await self._run(work)
        subscription = self._state.subscription
        if not done and not subscription.rejected:
            # A rescue has answered: half a subscription is none.
            subscription.reject()
        if self._timers is not None and not subscription.rejected:
            self._timers.start()

    async def unsubscribe(self) -> None:
        """Stop the timers, then run ``unsubscribed`` and its callbacks."""
        if self._timers is not None:
            await self._timers.stop()
        if self._entered:
            await self._run(self._unsubscribe)

    async def perform(self, action: str, data: Mapping[str, Any]) -> Any:
        """Run an action.

        Args:
            action: Its name.
            data: Its arguments; Action Cable's ``action`` among them is left out.

        Raises:
            RequestFailed: There is no such action, its arguments are wrong, or it refused.
        """
        plan = self._plan.actions.get(action)
        if plan is None:
            raise RequestFailed(
                ErrorCode.INVALID_FORMAT,
                f"{self._plan.channel.channel_name} has no action {action[:_SHOWN]!r}",
            )
        return await self._run(functools.partial(self._perform, plan, data))

    async def _subscribe(self) -> None:
        subscription = self._state.subscription
        self._state.asked_before = has_been_asked(vars(self._channel).get("ability"))
        self._entered = True
        run = CallbackRun(_refuse_value)
        try:
            for planned in self._plan.subscribed.callbacks:
                await run.enter(planned, self._channel)
                if subscription.rejected:
                    return
            await self._call_subscribed()
        except BaseException as error:  # noqa: BLE001 - the run is left in order, cancellation too
            await run.finish(error=error)
        await run.finish(halted=subscription.rejected)

    async def _call_subscribed(self) -> None:
        plan, state = self._plan.subscribed, self._state
        arguments = plan.arguments.read(state.subscription.params)
        self._subscribed = True
        await plan.call(self._channel, **arguments)
        if state.subscription.rejected or self._plan.channel.public or state.decided:
            return
        # What has not been made has not been asked: looking `ability` up would make it.
        if has_been_asked(vars(self._channel).get("ability")) and not state.asked_before:
            return
        _logger.warning(
            "%s: nothing decided who may subscribe, so nobody may; call self.authorize(...), self.allow(...) "
            "or self.reject() in `subscribed`, or set `public = True`",
            self._plan.channel.__name__,
        )
        state.subscription.reject()

    async def _unsubscribe(self) -> None:
        async def work() -> None:
            if self._plan.unsubscribed is not None and self._subscribed:
                await self._plan.unsubscribed(self._channel)

        await self._around(self._plan.unsubscribe, work)

    async def _perform(self, plan: ActionPlan, data: Mapping[str, Any]) -> Any:
        self._state.action = plan.name
        try:
            if not plan.callbacks:
                return await self._act(plan, data)
            return await self._around(plan.callbacks, functools.partial(self._act, plan, data))
        finally:
            self._state.action = None

    async def _act(self, plan: ActionPlan, data: Mapping[str, Any]) -> Any:
        given = dict(data)
        given.pop("action", None)
        return plan.answer(await plan.call(self._channel, **plan.arguments.read(given)))

    async def _around(self, callbacks: tuple[Planned, ...], work: Callable[[], Awaitable[Any]]) -> Any:
        run = CallbackRun(_refuse_value)
        try:
            for planned in callbacks:
                await run.enter(planned, self._channel)
            result = await work()
        except BaseException as error:  # noqa: BLE001 - open arounds must see it, cancellation too
            return await run.finish(error=error)
        return await run.finish(result)

    async def _tick(self, plan: TimerPlan) -> None:
        try:
            await self._run(functools.partial(plan.call, self._channel))
        except Exception:  # the next run comes; the log has this one
            _logger.exception("%s.%s failed", self._plan.channel.__name__, plan.periodic.name)

    async def _run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do a piece of work with injected attributes; errors are rescued behind them."""
        if self._lock is None:
            return await self._rescued(work)
        async with self._lock:
            return await self._rescued(work)

    async def _rescued(self, work: Callable[[], Awaitable[Any]]) -> Any:
        inject = self._plan.inject if self._plan.dependencies else None
        try:
            with app_code:
                return await (work() if inject is None else self._with_injected(work, inject))
        except Exception as error:  # noqa: BLE001 - rescued or raised again
            return await self._rescue(error)
        finally:
            vars(self._channel).pop("ability", None)

    async def _with_injected(self, work: Callable[[], Awaitable[Any]], inject: Inject) -> Any:
        plan, held = self._plan, vars(self._channel)
        async with inject(plan.channel, self._channel.connection) as values:
            held.update(values)
            try:
                return await work()
            finally:
                # A rescue must not find a session that is closed already: it would open it again.
                for name in plan.dependencies:
                    held.pop(name, None)

    async def _rescue(self, error: Exception) -> Any:
        plan = self._plan.rescue_for(error)
        try:
            if plan is None:
                raise error
            given = (self._channel, error) if plan.takes_error else (self._channel,)
            with app_code:
                return await plan.call(*given)
        except Exception as raised:
            answer = answer_of(raised)
            if answer is None or answer is raised:
                raise
            raise answer from raised


def _refuse_value(given: object, planned: Planned) -> bool:
    raise CallbackError(
        f"{planned.label} gave a {type(given).__name__}; raise RequestFailed or call self.reject() to "
        "refuse, return nothing to go on"
    )
