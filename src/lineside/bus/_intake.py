"""What comes from the backend, sorted to the streams it belongs to."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from lineside.bus._dedup import Seen
from lineside.bus._message import Discontinuity, Message
from lineside.bus._stats import BusStats
from lineside.bus._stream import LocalStream
from lineside.bus._subscription import Registration

__all__ = ["Intake"]

_logger = logging.getLogger("lineside.bus")


class Intake:
    """The bus as its backend sees it: a `Receiver`.

    Args:
        node: The id of this process.
        streams: The streams that are subscribed.
        seen: Which messages without history have been delivered here.
        stats: Counts.

    Attributes:
        connected: Is set while the server can be reached.
        on_lost: Who is told when it cannot.
        on_restored: Who is told when it can again.
    """

    def __init__(self, *, node: str, streams: Mapping[str, LocalStream], seen: Seen, stats: BusStats) -> None:
        self.connected = asyncio.Event()
        self.on_lost: dict[Registration, Callable[..., object]] = {}
        self.on_restored: dict[Registration, Callable[..., object]] = {}
        self._node = node
        self._streams = streams
        self._seen = seen
        self._stats = stats

    def received(self, message: Message) -> None:
        """Deliver a message, unless it was delivered before.

        Args:
            message: From any node.
        """
        local = self._streams.get(message.stream)
        if local is None:
            return
        if message.position is not None and local.kept:
            local.received(message)
        elif message.position is None and message.node == self._node:
            return  # it was delivered when it was published
        elif self._seen.add((message.stream, message.id)):
            local.deliver(message)
        else:
            self._stats.count("duplicates")

    def interrupted(self, discontinuity: Discontinuity) -> None:
        """Tell a stream's listeners that messages are lost.

        Args:
            discontinuity: Which stream, and from where on it is live.
        """
        local = self._streams.get(discontinuity.stream)
        if local is not None:
            local.interrupted(discontinuity)

    def lost(self, reason: str) -> None:
        """Tell that the server cannot be reached.

        Args:
            reason: Why, without secrets.
        """
        self.connected.clear()
        self._stats.count("lost")
        _logger.warning("the bus has lost its server: %s", reason)
        _tell(self.on_lost, reason)

    def restored(self) -> None:
        """Look for what was published meanwhile, and tell that the server is back."""
        self.connected.set()
        self._stats.count("restored")
        _logger.info("the bus is connected again")
        for local in tuple(self._streams.values()):
            local.check()
        _tell(self.on_restored)


def _tell(functions: Mapping[Registration, Callable[..., object]], *arguments: Any) -> None:
    for function in tuple(functions.values()):
        try:
            function(*arguments)
        except Exception:  # the others are told all the same
            _logger.exception("a function that is told about the bus' connection failed")
