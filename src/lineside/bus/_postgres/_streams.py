"""Which streams this node listens to, and how a notification becomes a message."""

import asyncio
import base64
import binascii
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from lineside.bus._contract import Receiver
from lineside.bus._envelope import Envelope
from lineside.bus._errors import BusError
from lineside.bus._message import Position
from lineside.bus._options import BackendOptions
from lineside.bus._postgres._channels import channel_of, token_of
from lineside.bus._postgres._listener import PostgresListener
from lineside.bus._postgres._pool import PostgresPool

__all__ = ["PostgresStreams"]

_MAX_PENDING: Final = 20_000
_KEPT: Final = """
SELECT envelope FROM lineside_bus_messages WHERE namespace = $1 AND stream = $2 AND seq = $3
"""
_PAYLOAD: Final = "SELECT envelope FROM lineside_bus_payloads WHERE id = $1"

_logger = logging.getLogger("lineside.bus")


class PostgresStreams:
    """The streams of one node.

    A notification carries its message when that is small enough; else the message is fetched, and what
    comes behind it waits.

    Args:
        pool: Fetches what is too large for a notification.
        envelope: Reads messages.
        options: The namespace and the statistics.
        receiver: Returns who takes the messages.
    """

    def __init__(
        self,
        pool: PostgresPool,
        envelope: Envelope,
        options: BackendOptions,
        receiver: Callable[[], Receiver | None],
    ) -> None:
        self._pool = pool
        self._envelope = envelope
        self._namespace = options.namespace
        self._deadline_seconds = options.deadline_seconds
        self._stats = options.stats
        self._receiver = receiver
        self._streams: dict[str, str] = {}
        self._pending: deque[str] = deque()
        self._working: asyncio.Task[None] | None = None

    async def add(self, listener: PostgresListener, stream: str) -> None:
        """Listen to a stream, and wait until the server knows.

        Args:
            listener: Listens.
            stream: The stream's name.
        """
        token = token_of(stream)
        if token in self._streams:
            return
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        self._streams[token] = stream
        try:
            await listener.add(channel_of(self._namespace, stream), until=until)
        except BaseException:
            del self._streams[token]
            raise

    async def remove(self, listener: PostgresListener, stream: str) -> None:
        """Stop listening to a stream.

        Args:
            listener: Listens.
            stream: The stream's name.
        """
        if self._streams.pop(token_of(stream), None) is not None:
            await listener.remove(channel_of(self._namespace, stream))

    async def stop(self) -> None:
        """Deliver nothing more."""
        self._pending.clear()
        task, self._working = self._working, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def notified(self, payload: str) -> None:
        """Take a notification.

        Args:
            payload: ``m <token> <message>``, ``p <token> <id of the payload>``, or
                ``k <token> <epoch> <offset> <message or nothing>``.
        """
        kind, _, rest = payload.partition(" ")
        token, _, body = rest.partition(" ")
        stream = self._streams.get(token)
        if stream is None:
            return
        if self._working is None and (kind == "m" or (kind == "k" and not body.endswith(" "))):
            self._deliver_inline(kind, stream, body)
        elif len(self._pending) < _MAX_PENDING:
            self._pending.append(payload)
            if self._working is None:
                self._working = asyncio.get_running_loop().create_task(self._work())
        else:
            self._stats.count("overflows")
            _logger.error("this process is too slow for its messages: a notification was dropped")

    async def _work(self) -> None:
        while self._pending:
            kind, token, body = self._pending.popleft().split(" ", 2)
            stream = self._streams.get(token)
            if stream is None:
                continue
            try:
                if kind == "m" or (kind == "k" and not body.endswith(" ")):
                    self._deliver_inline(kind, stream, body)
                else:
                    await self._deliver_fetched(kind, stream, body)
            except BusError as error:
                # Of a kept message the hole shows; of another one this is all that ever does.
                self._stats.count("overflows")
                _logger.error("a large message could not be fetched: %s", error)
        self._working = None

    def _deliver_inline(self, kind: str, stream: str, body: str) -> None:
        position = None
        try:
            if kind == "k":
                epoch, offset, body = body.split(" ", 2)
                position = Position(epoch, int(offset))
            raw = base64.b64decode(body)
        except (ValueError, binascii.Error):
            self._envelope.skip("garbage")
            return
        self._deliver(raw, position, stream)

    async def _deliver_fetched(self, kind: str, stream: str, body: str) -> None:
        position = None
        try:
            if kind == "k":
                epoch, offset = body.split()
                position = Position(epoch, int(offset))
                rows = await self._pool.fetch(_KEPT, self._namespace, stream, int(offset))
            else:
                rows = await self._pool.fetch(_PAYLOAD, int(body))
        except ValueError:
            self._envelope.skip("garbage")
            return
        if rows:
            self._deliver(rows[0]["envelope"], position, stream)
        elif position is None:
            self._stats.count("overflows")
            _logger.error("a large message had been dropped when this process came to fetch it")

    def _deliver(self, raw: bytes, position: Position | None, stream: str) -> None:
        receiver = self._receiver()
        message = self._envelope.read(raw, position, stream=stream)
        if receiver is not None and message is not None:
            receiver.received(message)
