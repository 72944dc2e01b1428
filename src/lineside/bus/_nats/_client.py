"""One connection of nats-py, without the parts of it that keep silent.

Its own reconnecting is off: it sends what was published to a lost connection when there is another one,
after the publisher has been told that it failed. Its ``flush`` is not used either: the PING overtakes
what waits to be written, so that the PONG proves nothing about it. A message to ourselves does.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, MaxPayloadError, NoServersError, SlowConsumerError

from lineside.bus._errors import BusUnavailable, MessageTooLargeError
from lineside.bus._nats._session import Delivery, NobodyAnswers, Taker
from lineside.bus._stats import BusStats

__all__ = ["dial"]

_CONNECT_SECONDS: Final = 2.0
_MAX_PENDING_MESSAGES: Final = 65_536
_MAX_PENDING_BYTES: Final = 64 * 1024 * 1024

_logger = logging.getLogger("lineside.bus")


async def dial(servers: Sequence[str], *, name: str, stats: BusStats) -> "NatsSession":
    """Open a connection.

    Args:
        servers: Their URLs; any of them.
        name: How the connection is called in the server's lists.
        stats: Counts messages that this process was too slow for.

    Raises:
        BusUnavailable: None of them lets us in.
    """
    session = NatsSession(stats)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await session.open(servers, name)
    except (Error, OSError, RuntimeError, TimeoutError) as error:
        with suppress(Error, OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(0.2):
                await session.close()
        said = "no server answers" if isinstance(error, NoServersError | TimeoutError) else str(error)
        raise BusUnavailable(f"the NATS server cannot be reached ({said}); is it running?") from error
    return session


class NatsSession:
    """A connection, as `Session`.

    Args:
        stats: Counts messages that this process was too slow for.

    Attributes:
        ended: Has the reason when the connection is no more.
        max_payload: The largest message of this server, in bytes.
    """

    def __init__(self, stats: BusStats) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.max_payload = 0
        self._client = Client()
        self._stats = stats
        self._inbox = ""
        self._asked: dict[str, asyncio.Future[Delivery]] = {}
        self._number = 0
        self._settling: asyncio.Future[None] | None = None
        self._settled_next: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, servers: Sequence[str], name: str) -> None:
        """Connect.

        Args:
            servers: Their URLs.
            name: The connection's name.
        """
        await self._client.connect(
            servers=list(servers),
            name=name,
            allow_reconnect=False,
            # 0 would be for ever: nats-py takes only a positive number for a bound.
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=2,
            ping_interval=1,
            max_outstanding_pings=2,
            drain_timeout=1,
            flush_timeout=1,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
        )
        for name in ("_reading_task", "_flusher_task"):
            task: asyncio.Task[None] | None = getattr(self._client, name, None)
            if task is not None:
                task.add_done_callback(self._on_work_end)
        self.max_payload = self._client.max_payload
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*", cb=self._answered)

    async def request(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None, timeout_seconds: float
    ) -> Delivery:
        """Ask, and wait for the answer."""
        answer = await self._ask(subject, data, headers, timeout_seconds)
        if answer.headers.get("Status") == "503":
            raise NobodyAnswers(f"nobody listens to {subject!r}")
        return answer

    async def publish(self, subject: str, data: bytes) -> None:
        """Send a message."""
        await self._send(subject, data, "", None)

    async def settle(self, *, timeout_seconds: float) -> None:
        """Wait until the server has processed everything that was sent before."""
        if self._settled_next is None:
            self._settled_next = asyncio.get_running_loop().create_future()
            if self._settling is None:
                task = asyncio.get_running_loop().create_task(self._settle_all())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.shield(self._settled_next)
        except TimeoutError:
            raise BusUnavailable("the NATS server does not answer") from None

    async def listen(self, subject: str, taker: Taker) -> Callable[[], Coroutine[Any, Any, None]]:
        """Take what is published to a subject."""

        async def take(message: Msg) -> None:
            taker(_delivery(message))

        try:
            subscription = await self._client.subscribe(
                subject,
                cb=take,
                pending_msgs_limit=_MAX_PENDING_MESSAGES,
                pending_bytes_limit=_MAX_PENDING_BYTES,
            )
        except (Error, OSError, RuntimeError) as error:
            raise BusUnavailable(f"the connection to the NATS server ended: {error}") from error

        async def stop() -> None:
            with suppress(Error, OSError, RuntimeError):  # it ends with its connection
                await subscription.unsubscribe()

        return stop

    def new_inbox(self) -> str:
        """Return a subject that nobody else uses."""
        return self._client.new_inbox()

    async def close(self) -> None:
        """End the connection."""
        self._end("closed")
        for task in tuple(self._tasks):
            task.cancel()
        try:
            await self._client.close()
        finally:
            self._abort()

    def _on_work_end(self, task: asyncio.Task[None]) -> None:
        # The end of reading or writing is the end. The client tells of it only behind a last try to write,
        # for which uvloop raises where asyncio says nothing.
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.debug("nats: %r", error)
        self._end("the connection to the server has ended")

    def _abort(self) -> None:
        # A client that could not close in order has left what waits for its messages.
        for subscription in tuple(getattr(self._client, "_subs", {}).values()):
            waiting = getattr(subscription, "_wait_for_msgs_task", None)
            if waiting is not None:
                waiting.cancel()
        # Closing in order waits until a silent peer has taken what is still to be written.
        writer = getattr(getattr(self._client, "_transport", None), "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def _settle_all(self) -> None:
        # One message to ourselves proves the arrival of everything in front of it, whoever sent that.
        while self._settled_next is not None:
            self._settling, self._settled_next = self._settled_next, None
            try:
                await self._ask("", b"", None, None)
            except BusUnavailable as error:
                _fail(self._settling, error)
            else:
                self._settling.set_result(None)
        self._settling = None

    async def _ask(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout_seconds: float | None
    ) -> Delivery:
        self._number += 1
        inbox = f"{self._inbox}.{self._number}"
        future: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        if self.ended.done():
            raise BusUnavailable(self.ended.result())
        self._asked[inbox] = future
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._send(subject or inbox, data, inbox if subject else "", headers)
                return await future
        except TimeoutError:
            raise BusUnavailable("the NATS server does not answer") from None
        finally:
            del self._asked[inbox]

    async def _send(self, subject: str, data: bytes, reply: str, headers: Mapping[str, str] | None) -> None:
        # A client that is not connected would keep the message for later.
        if not self._client.is_connected:
            raise BusUnavailable("the connection to the NATS server has ended")
        try:
            await self._client.publish(subject, data, reply, dict(headers) if headers else None)
        except MaxPayloadError:
            raise MessageTooLargeError(
                f"a message has {len(data)} bytes with its envelope, and this NATS server takes "
                f"{self.max_payload}; raise max_payload in its configuration"
            ) from None
        except (Error, OSError, RuntimeError) as error:
            raise BusUnavailable(f"the connection to the NATS server ended: {error}") from error

    async def _answered(self, message: Msg) -> None:
        future = self._asked.get(message.subject)
        if future is not None and not future.done():
            future.set_result(_delivery(message))

    async def _on_closed(self) -> None:
        self._end("the server ended the connection")

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            self._stats.count("overflows")
            _logger.error("this process is too slow for its messages: one of %s was dropped", error.subject)
        else:
            _logger.debug("nats: %s", error)

    def _end(self, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(reason)
        for future in self._asked.values():
            _fail(future, BusUnavailable(reason))


def _fail(future: "asyncio.Future[Any]", error: BusUnavailable) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # nobody may be waiting any more


def _delivery(message: Msg) -> Delivery:
    return Delivery(message.subject, message.reply, message.data, message.headers or {})
