"""Which streams this process listens to."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from lineside.bus._errors import BusError
from lineside.bus._locks import Locks
from lineside.bus._stream import Host, LocalStream
from lineside.bus._subscription import BusSubscription, Listener

__all__ = ["Registry"]

_logger: Final = logging.getLogger("lineside.bus")


class Registry:
    """The streams by name: one subscription of the backend each, however many listeners come and go.

    Args:
        host: The bus.

    Attributes:
        streams: The streams that have listeners.
        locks: Let one task at a time change a stream.
    """

    __slots__ = ("_host", "locks", "streams")

    def __init__(self, host: Host) -> None:
        self._host = host
        self.streams: dict[str, LocalStream] = {}
        self.locks = Locks()

    async def subscribe(
        self, name: str, listener: Listener, *, history: bool, check: Callable[[], None]
    ) -> BusSubscription:
        """Add a listener; returns when its subscription is live.

        Args:
            name: The stream's name.
            listener: The listener.
            history: The stream's messages are kept.
            check: Raises when the bus has been closed while this waited.
        """
        async with self.locks.holding(name):
            check()
            local = await self._open(name, history=history)
            check()
            subscription = BusSubscription(name, listener, local.position, self._release)
            local.subscriptions[subscription] = None
            return subscription

    def close(self) -> None:
        """Forget every stream; its listeners hear nothing more."""
        for local in self.streams.values():
            for subscription in local.subscriptions:
                subscription.closed = True
        self.streams.clear()

    async def check_positions(self, every_seconds: float) -> None:
        """Compare every stream with its log, again and again.

        A second net: what shows by no hole, because nothing came behind it, shows here.

        Args:
            every_seconds: How long to wait in between.
        """
        while True:
            await asyncio.sleep(every_seconds)
            for local in tuple(self.streams.values()):
                try:
                    await local.verify()
                except BusError as error:
                    _logger.info("cannot compare %r with its log now: %s", local.name, error)
                    break

    async def _open(self, name: str, *, history: bool) -> LocalStream:
        local = self.streams.get(name)
        if local is None:
            local = self.streams[name] = LocalStream(name, self._host)
            try:
                await local.open(history=history)
            except BaseException:
                self._forget(local)
                await self._host.backend.unsubscribe(name)
                raise
        elif history and not local.kept:
            await local.open(history=True)
        return local

    async def _release(self, subscription: BusSubscription) -> None:
        local = self.streams.get(subscription.stream)
        if local is None or subscription not in local.subscriptions:
            return
        del local.subscriptions[subscription]
        if not local.subscriptions:
            # Not in this task: it may be cancelled meanwhile, and what it leaves behind would stay for ever.
            await asyncio.wait([self._host.spawn(self._drop_if_unused(subscription.stream))])

    async def _drop_if_unused(self, name: str) -> None:
        async with self.locks.holding(name):
            local = self.streams.get(name)
            if local is not None and not local.subscriptions:
                self._forget(local)
                await self._host.backend.unsubscribe(name)

    def _forget(self, local: LocalStream) -> None:
        if self.streams.get(local.name) is local:
            del self.streams[local.name]
        local.close()
