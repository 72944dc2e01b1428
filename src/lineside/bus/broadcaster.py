"""The bus as a backend of the ``broadcaster`` package, where its own ones lose messages.

    from broadcaster import Broadcast

    from lineside.bus.broadcaster import BusBroadcast

    broadcast = Broadcast(backend=BusBroadcast("redis://127.0.0.1:6379"))

An app keeps its ``Broadcast`` and gains what the bus does: it comes back after a restart of the server,
carries messages of any size, many publishers at a time, and raises when a message cannot be published.

``Broadcast`` forgets all subscribers but one when several are the first of a channel at the same time,
unless the backend subscribes without waiting. So all channels travel in one stream of the bus, which is
subscribed with ``connect``: each process gets the messages of all channels. For many channels with many
messages, and for messages without a loss, use `lineside.bus.Bus` itself.
"""

import asyncio
import logging
from typing import Any, Final

from lineside.bus._bus import Bus
from lineside.bus._contract import Backend
from lineside.bus._errors import BusClosedError, InvalidStreamError
from lineside.bus._message import Discontinuity, HistoryLimits, Message
from lineside.exceptions import MissingDependencyError

try:
    from broadcaster import BroadcastBackend, Event
except ImportError as _missing:
    raise MissingDependencyError("broadcaster", extra="broadcaster") from _missing

__all__ = ["BusBroadcast"]

_STREAM: Final = "lineside!broadcaster"
_CHANNEL: Final = "channel"
_KIND: Final = "kind"
_MAX_CHANNEL_CHARS: Final = 4_096

_logger = logging.getLogger("lineside.bus")


class BusBroadcast(BroadcastBackend):
    """A backend for ``broadcaster.Broadcast(backend=...)``.

    Args:
        bus: A `Bus`, or what a bus is made of: a URL or a backend. A bus that is given is neither
            connected nor closed here.
        history: Keep so much for subscribers whose connection to the server is lost for a while: they get
            it when it is back. None keeps nothing.
        max_pending: How many messages may wait for ``Broadcast``; beyond that the oldest are dropped, which
            is logged and counted as ``overflows``.

    Raises:
        ConfigurationError: The URL chooses no backend.
    """

    def __init__(
        self, bus: Bus | Backend | str, *, history: HistoryLimits | None = None, max_pending: int = 10_000
    ) -> None:
        self._bus = bus if isinstance(bus, Bus) else Bus(bus)
        self._owns_bus = not isinstance(bus, Bus)
        self._history = history
        self._channels: set[str] = set()
        self._events: asyncio.Queue[Event] = asyncio.Queue(max_pending)
        self._subscription: Any = None

    async def connect(self) -> None:
        """Connect the bus, and listen.

        Raises:
            BusUnavailable: The server does not answer.
        """
        if self._owns_bus:
            await self._bus.connect()
        kept = self._history is not None and self._history.messages > 0
        self._subscription = await self._bus.subscribe(_STREAM, self._take, history=kept)

    async def disconnect(self) -> None:
        """Listen no more, and close the bus if it was made here."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()
        if self._owns_bus:
            await self._bus.close()

    async def subscribe(self, group: str) -> None:
        """Take the messages of a channel, from now on; does not wait.

        Args:
            group: The channel's name.
        """
        self._must_listen()
        self._channels.add(group)

    async def unsubscribe(self, group: str) -> None:
        """Take no more messages of a channel.

        Args:
            group: The channel's name.
        """
        self._channels.discard(group)

    async def publish(self, channel: str, message: Any) -> None:
        """Publish a message; returns when the server has it.

        Args:
            channel: The channel's name.
            message: Text or bytes; subscribers get the same.

        Raises:
            BusUnavailable: The server was away until the deadline.
            TypeError: The message is neither text nor bytes.
            InvalidStreamError: The channel's name is too long.
        """
        self._must_listen()
        if not isinstance(message, str | bytes):
            raise TypeError(
                f"a message is str or bytes, not {type(message).__name__}; encode it, for instance as JSON"
            )
        if len(channel) > _MAX_CHANNEL_CHARS:
            raise InvalidStreamError(f"a channel's name has at most {_MAX_CHANNEL_CHARS} characters")
        kind, data = ("text", message.encode()) if isinstance(message, str) else ("bytes", message)
        headers = {_CHANNEL: channel, _KIND: kind}
        await self._bus.publish(_STREAM, data, history=self._history, headers=headers)

    async def next_published(self) -> Event:
        """Return the next message of a channel that is subscribed; waits for it."""
        return await self._events.get()

    def _take(self, message: Message | Discontinuity) -> None:
        if isinstance(message, Discontinuity):
            _logger.error("broadcast messages were lost (%s); the next ones are live", message.reason)
            return
        channel = message.headers.get(_CHANNEL)
        if channel is None or channel not in self._channels:
            return
        try:
            content = message.data.decode() if message.headers.get(_KIND) == "text" else message.data
        except UnicodeDecodeError:
            _logger.error("skipped a broadcast message of %r that says it is text and is not", channel)
            return
        if self._events.full():
            self._events.get_nowait()
            self._bus.stats.count("overflows")
            _logger.error("broadcast messages wait to be taken, and the oldest was dropped; take them faster")
        # broadcaster annotates str, and hands on whatever it gets.
        self._events.put_nowait(Event(channel, content))  # type: ignore[arg-type]

    def _must_listen(self) -> None:
        if self._subscription is None:
            raise BusClosedError("this backend is not connected; use it inside 'async with broadcast'")
