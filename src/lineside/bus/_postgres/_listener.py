"""The one connection that listens, made anew whenever it is lost or silent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from lineside.bus._backoff import Backoff
from lineside.bus._errors import BusClosedError, BusUnavailable
from lineside.bus._postgres._client import Connection, connect, run

__all__ = ["PostgresListener"]

_PULSE_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 2.0

_logger = logging.getLogger("lineside.bus")


class PostgresListener:
    """Listens to channels.

    Args:
        url: The database.
        prepare: Makes the database ready, with each new connection.
        notified: Takes the payload of each notification.
        lost: Is told once when the server cannot be reached.
        restored: Is told when it can again and every channel is listened to.
    """

    def __init__(
        self,
        url: str,
        *,
        prepare: Callable[[Connection], Awaitable[None]],
        notified: Callable[[str], None],
        lost: Callable[[str], None],
        restored: Callable[[], None],
    ) -> None:
        self._url = url
        self._prepare = prepare
        self._notified = notified
        self._lost = lost
        self._restored = restored
        self._channels: dict[str, int] = {}
        self._connection: Connection | None = None
        self._ended = asyncio.Event()
        self._up = asyncio.Event()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def open(self, *, deadline_seconds: float) -> None:
        """Reach the server for the first time.

        Args:
            deadline_seconds: How long to try.

        Raises:
            BusUnavailable: It does not answer.
            ConfigurationError: It never will.
        """
        backoff, reason = Backoff(), "PostgreSQL does not answer; is it running?"
        try:
            async with asyncio.timeout(deadline_seconds):
                while self._connection is None:
                    try:
                        await self._connect()
                    except BusUnavailable as error:
                        reason = error.message
                        await asyncio.sleep(backoff.next())
        except TimeoutError:
            raise BusUnavailable(reason) from None
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Listen no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._hang_up()

    async def add(self, channel: str, *, until: float) -> None:
        """Listen to a channel, and wait until the server knows. Each call is ended by `remove`.

        Args:
            channel: The channel.
            until: When to give up, by the event loop's clock.

        Raises:
            BusUnavailable: The server did not confirm in time.
        """
        if self._task is None:
            raise BusClosedError("this backend is not connected")
        self._channels[channel] = self._channels.get(channel, 0) + 1
        try:
            while not await self._listened(channel, until):
                pass
        except BaseException:
            await self.remove(channel)
            raise

    async def remove(self, channel: str) -> None:
        """Take back one `add`; the last one ends the listening.

        Args:
            channel: The channel.
        """
        left = self._channels.get(channel, 0) - 1
        if left > 0:
            self._channels[channel] = left
            return
        self._channels.pop(channel, None)
        async with self._lock:
            connection = self._connection
            if connection is None or channel in self._channels:
                return
            with suppress(BusUnavailable):  # the listening ends with the connection
                await run(
                    connection,
                    connection.remove_listener(channel, self._on_notification),
                    seconds=_ANSWER_SECONDS,
                )

    async def _listened(self, channel: str, until: float) -> bool:
        try:
            async with asyncio.timeout_at(until):
                await self._up.wait()
        except TimeoutError:
            raise BusUnavailable("PostgreSQL cannot be reached; is it running?") from None
        async with self._lock:
            connection = self._connection
            if connection is None:
                return False
            seconds = max(until - asyncio.get_running_loop().time(), 0.05)
            try:
                await run(
                    connection, connection.add_listener(channel, self._on_notification), seconds=seconds
                )
            except BusUnavailable:
                self._ended.set()
                if asyncio.get_running_loop().time() >= until:
                    raise
                self._up.clear()
                return False
            return True

    async def _connect(self) -> None:
        connection = await connect(self._url)
        self._ended.clear()
        connection.add_termination_listener(lambda _: self._ended.set())
        try:
            await run(connection, _as_coroutine(self._prepare(connection)), seconds=30.0)
            async with self._lock:
                for channel in tuple(self._channels):
                    await run(
                        connection,
                        connection.add_listener(channel, self._on_notification),
                        seconds=_ANSWER_SECONDS,
                    )
                self._connection = connection
                self._up.set()
        except BaseException:
            connection.terminate()
            raise

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            self._lost(await self._watch())
            self._hang_up()
            backoff.reset()
            while self._connection is None:
                await asyncio.sleep(backoff.next())
                try:
                    await self._connect()
                except BusUnavailable as error:
                    _logger.debug("PostgreSQL is still away: %s", error)
                except Exception:  # whatever it is, a later attempt may succeed
                    _logger.exception("connecting to PostgreSQL again failed; trying on")
            self._restored()

    async def _watch(self) -> str:
        connection = self._connection
        while connection is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _PULSE_SECONDS)
                return "the server ended the connection"
            try:
                # Not while a channel is added: a connection of asyncpg does one thing at a time.
                async with self._lock:
                    await run(connection, connection.execute("SELECT 1"), seconds=_ANSWER_SECONDS)
            except BusUnavailable as error:
                return error.message
        return "the server ended the connection"

    def _hang_up(self) -> None:
        self._up.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _on_notification(self, _connection: object, _process: int, _channel: str, payload: object) -> None:
        self._notified(str(payload))


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work
