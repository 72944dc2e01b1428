"""The one connection that listens: it notices when its server is gone, and brings everything back.

Redis' pub/sub forgets: after a reconnection every channel is subscribed anew, and what was published
meanwhile has to be looked up in the logs, which the bus does when it is told ``restored``.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from lineside.bus._backoff import Backoff
from lineside.bus._errors import BusUnavailable
from lineside.bus._tasks import end_tasks

__all__ = ["Link", "RedisSubscriber"]

_PING_SECONDS: Final = 1.5
_SILENCE_SECONDS: Final = 3.0
_CHANNELS_AT_A_TIME: Final = 500

_logger: Final = logging.getLogger("lineside.bus")


class Link(Protocol):
    """A connection of the client's, which has said hello."""

    async def send(self, *command: bytes) -> None:
        """Write a command; its answer is read like everything else."""
        ...

    async def read(self) -> Any:
        """Return what comes next; waits for it without a bound."""
        ...

    async def close(self) -> None:
        """Close it at once; a `read` that waits fails."""
        ...


class RedisSubscriber:
    """Listens to channels, through every failure of the server.

    Args:
        connect: Opens a link; raises when the server is away.
        received: Takes a channel's name and what was published there.
        lost: Is told why the server cannot be reached, once.
        restored: Is told that every channel is live again.
        deadline_seconds: How long `subscribe` waits.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Link]],
        *,
        received: Callable[[bytes, bytes], None],
        lost: Callable[[str], None],
        restored: Callable[[], None],
        deadline_seconds: float,
    ) -> None:
        self._connect = connect
        self._received = received
        self._lost = lost
        self._restored = restored
        self._deadline_seconds = deadline_seconds
        self._link: Link | None = None
        self._wanted: dict[bytes, None] = {}
        self._awaited: dict[bytes, deque[asyncio.Future[None]]] = {}
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._answered = asyncio.Event()
        self._live = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect, and listen until `close`."""
        self._link = await self._connect()
        self._live.set()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._watch())]

    async def close(self) -> None:
        """Stop listening."""
        tasks, self._tasks = self._tasks, []
        await end_tasks(tasks)
        self._live.clear()
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def until_live(self) -> None:
        """Wait until the server can be reached."""
        await self._live.wait()

    async def subscribe(self, channel: bytes) -> None:
        """Listen to a channel; returns when the server has confirmed.

        Args:
            channel: Its name; no pattern.

        Raises:
            BusUnavailable: It did not within the deadline.
        """
        if channel in self._wanted:
            return
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wanted[channel] = None
        try:
            async with asyncio.timeout(self._deadline_seconds):
                if self._live.is_set():
                    await self._ask(channel, confirmed)
                else:
                    self._waiting.setdefault(channel, []).append(confirmed)
                await confirmed
        except TimeoutError:
            await self.unsubscribe(channel)
            raise BusUnavailable(
                f"Redis did not confirm a subscription within {self._deadline_seconds:g} s; try again later"
            ) from None
        except BaseException:
            await self.unsubscribe(channel)
            raise

    async def unsubscribe(self, channel: bytes) -> None:
        """Stop listening to a channel.

        Args:
            channel: Its name.
        """
        if self._wanted.pop(channel, channel) is channel:
            return
        self._waiting.pop(channel, None)
        if self._live.is_set() and self._link is not None:
            await self._send(self._link, b"UNSUBSCRIBE", channel)

    async def _ask(self, channel: bytes, confirmed: asyncio.Future[None]) -> None:
        # Confirmations come in the order of the questions: one that nobody waits for any more counts too.
        self._awaited.setdefault(channel, deque()).append(confirmed)
        if self._link is not None:
            await self._send(self._link, b"SUBSCRIBE", channel)

    async def _send(self, link: Link, *command: bytes) -> None:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                await link.send(*command)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the reader fails with it, and brings everything back
            _logger.debug("cannot write to Redis: %s", error)
            await self._drop(link)

    async def _run(self) -> None:
        while True:
            try:
                while self._link is not None:
                    self._take(await self._link.read())
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the client raises more kinds than it names
                await self._leave(str(error) or type(error).__name__)
            await self._come_back()

    async def _leave(self, reason: str) -> None:
        self._live.clear()
        for channel, awaited in self._awaited.items():
            self._waiting.setdefault(channel, []).extend(awaited)
        self._awaited.clear()
        if self._link is not None:
            await self._drop(self._link)
            self._link = None
        self._lost(reason)

    async def _come_back(self) -> None:
        backoff = Backoff()
        while True:
            try:
                link = await self._connect()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may do better
                _logger.debug("Redis is still away: %s", error)
                await asyncio.sleep(backoff.next())
                continue
            try:
                await self._listen_again(link)
            except asyncio.CancelledError:
                await self._drop(link)
                raise
            except Exception as error:  # noqa: BLE001 - gone again, before everything was there
                _logger.debug("Redis went away again: %s", error)
                await self._drop(link)
                await asyncio.sleep(backoff.next())
                continue
            self._link = link
            self._live.set()
            self._answered.set()
            self._restored()
            return

    async def _listen_again(self, link: Link) -> None:
        done: set[bytes] = set()
        while missing := [channel for channel in self._wanted if channel not in done][:_CHANNELS_AT_A_TIME]:
            for channel in missing:
                self._awaited[channel] = deque(self._waiting.pop(channel, ()))
            await link.send(b"SUBSCRIBE", *missing)
            outstanding = set(missing)
            while outstanding:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    answer = await link.read()
                if answer[0] == b"subscribe":
                    outstanding.discard(answer[1])
                    self._confirm_all(answer[1])
                else:
                    self._take(answer)
            done.update(missing)

    def _take(self, answer: Any) -> None:
        kind = answer[0]
        if kind == b"message":
            self._received(answer[1], answer[2])
        elif kind in (b"pong", b"PONG"):
            # Messages prove nothing: they may come where nothing of ours arrives any more.
            self._answered.set()
        elif kind == b"subscribe":
            awaited = self._awaited.get(answer[1])
            if awaited:
                _confirm(awaited.popleft())
                if not awaited:
                    del self._awaited[answer[1]]

    def _confirm_all(self, channel: bytes) -> None:
        for confirmed in self._awaited.pop(channel, ()):
            _confirm(confirmed)

    async def _watch(self) -> None:
        while True:
            await self._live.wait()
            await asyncio.sleep(_PING_SECONDS)
            link = self._link
            if link is None or not self._live.is_set():
                continue
            self._answered.clear()
            await self._send(link, b"PING")
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await self._answered.wait()
            except TimeoutError:
                # What has come while this process was busy is read first.
                await asyncio.sleep(0.05)
                if not self._answered.is_set():
                    _logger.debug("Redis has been silent for %g s", _SILENCE_SECONDS)
                    await self._drop(link)

    async def _drop(self, link: Link) -> None:
        try:
            await link.close()
        except Exception as error:  # noqa: BLE001 - it is given up anyway
            _logger.debug("closing a connection to Redis failed: %s", error)


def _confirm(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
