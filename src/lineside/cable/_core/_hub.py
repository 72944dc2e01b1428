"""Where the lanes meet: which local subscriptions a stream has, and what they are sent of it.

A message is encoded once for each protocol and identifier, and the same frame goes to everybody who
shares them. What is special about one subscriber - a transform, a replay that is not over - is kept out
of that loop.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from lineside.bus import Bus, Discontinuity, Message
from lineside.cable._core._attachment import Attachment
from lineside.cable._core._flusher import Flusher
from lineside.cable._core._locks import Locks
from lineside.cable._core._outbox import Outbox
from lineside.cable._instrumentation._stats import CableStats
from lineside.cable._instrumentation._tracing import TRACEPARENT, delivering
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._frame import Frame
from lineside.cable._protocol._message import EXCLUDE, event_of

if TYPE_CHECKING:
    from lineside.bus import BusSubscription

__all__ = ["Hub", "LocalStream"]

_logger = logging.getLogger("lineside.cable")


class LocalStream:
    """What this node has of one stream: one subscription to the bus, and many to itself.

    Args:
        name: The stream's name.
        stats: Counts deliveries.
        flusher: Sends a frame to a whole audience.
    """

    __slots__ = ("_flusher", "_stats", "audiences", "bus_subscription", "epoch", "last", "name", "special")

    def __init__(self, name: str, stats: CableStats, flusher: Flusher) -> None:
        self.name = name
        self.bus_subscription: BusSubscription | None = None
        self.audiences: dict[tuple[Codec, str], dict[str, Outbox]] = {}
        self.special: dict[Attachment, None] = {}
        self.epoch = ""
        self.last = 0
        self._stats = stats
        self._flusher = flusher

    def began(self, subscription: "BusSubscription") -> None:
        """Take the position at which the bus begins to deliver."""
        self.bus_subscription = subscription
        position = subscription.position
        # A message may have come while the subscription was being confirmed.
        if position is not None and not self.epoch:
            self.epoch, self.last = position.epoch, position.offset

    @property
    def empty(self) -> bool:
        """Nobody here listens."""
        return not self.audiences and not self.special

    def add(self, attachment: Attachment) -> None:
        """Send an attachment what comes from now on."""
        attachment.epoch, attachment.floor = self.epoch, self.last
        if attachment.transform is not None or attachment.held is not None:
            self.special[attachment] = None
        else:
            self._join(attachment)

    def replace(self, earlier: Attachment, attachment: Attachment) -> None:
        """Send an attachment what another one was sent till now; nothing falls between them."""
        if not self.remove(earlier):
            self.add(attachment)
            return
        attachment.held, attachment.overflowed = earlier.held, earlier.overflowed
        self.add(attachment)
        attachment.epoch, attachment.floor = earlier.epoch, earlier.floor

    def release(self, attachment: Attachment) -> None:
        """Stop holding an attachment's messages back, after those that were held have been sent."""
        attachment.held = None
        if attachment.transform is None and self.special.pop(attachment, _NOT_THERE) is not _NOT_THERE:
            self._join(attachment)

    def remove(self, attachment: Attachment) -> bool:
        """Send an attachment nothing more; tell whether it was sent anything."""
        was_here = self.special.pop(attachment, _NOT_THERE) is not _NOT_THERE
        key = (attachment.codec, attachment.identifier)
        audience = self.audiences.get(key)
        if audience is not None:
            self._flusher.settle()
            was_here |= audience.pop(attachment.connection_id, None) is not None
            if not audience:
                del self.audiences[key]
        return was_here

    def _join(self, attachment: Attachment) -> None:
        self._flusher.settle()
        key = (attachment.codec, attachment.identifier)
        self.audiences.setdefault(key, {})[attachment.connection_id] = attachment.outbox

    def attachments(self) -> Iterator[tuple[Codec, str, Outbox]]:
        """Return every subscriber: its protocol, identifier and outbox."""
        for (codec, identifier), audience in self.audiences.items():
            for outbox in audience.values():
                yield codec, identifier, outbox
        for attachment in self.special:
            yield attachment.codec, attachment.identifier, attachment.outbox

    def deliver(self, message: Message) -> None:
        """Hand a message to everybody here; nobody is waited for.

        Args:
            message: As the bus delivered it: of a stream with history, in the order of the offsets.
        """
        position = message.position
        if position is not None:
            self.epoch, self.last = position.epoch, position.offset
        excluded = message.headers.get(EXCLUDE)
        delivered = 0
        self._flusher.settle()
        for attachment in self.special:
            if attachment.connection_id != excluded:
                attachment.deliver(message)
                delivered += 1
        for (codec, identifier), audience in self.audiences.items():
            frame = self._frame(codec, identifier, message)
            if frame is None:
                continue
            if excluded is None or excluded not in audience:
                self._flusher.share(audience, frame)
                delivered += len(audience)
            else:
                for connection_id, outbox in audience.items():
                    if connection_id != excluded:
                        outbox.push(frame)
                delivered += len(audience) - 1
        self._stats.deliveries += delivered

    def _frame(self, codec: Codec, identifier: str, message: Message) -> Frame | None:
        try:
            payload = codec.encode(event_of(message, identifier))
        except ValueError:
            # Somebody publishes on the bus what is no JSON: the other audiences may be able to read it.
            self._stats.unreadable += 1
            _logger.warning("a message of %r cannot be sent over %s", self.name, codec.name, exc_info=True)
            return None
        return None if payload is None else Frame(payload)


_NOT_THERE: Final = object()


class Hub:
    """The streams of one node.

    Args:
        bus: Carries messages between nodes.
        keeps_history: Tells whether a stream's messages are kept.
        stats: Counts.
        flusher: Sends a frame to a whole audience.
        interrupted: Is told of a stream whose messages are lost.
        clock: Returns the seconds since 1970.

    Attributes:
        lagged: Is told how long each message was on its way, in seconds; None where nobody measures.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        keeps_history: Callable[[str], bool],
        stats: CableStats,
        flusher: Flusher,
        interrupted: Callable[[LocalStream, Discontinuity], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._keeps_history = keeps_history
        self._stats = stats
        self._flusher = flusher
        self._interrupted = interrupted
        self._clock = clock
        self.lagged: Callable[[float], None] | None = None
        self._locks = Locks()
        self.streams: dict[str, LocalStream] = {}

    async def attach(self, attachment: Attachment, *, instead_of: Attachment | None = None) -> None:
        """Send a stream's messages to a subscription; returns when they come.

        Args:
            attachment: The subscription and the stream.
            instead_of: The hold of the same subscription that it replaces.

        Raises:
            BusUnavailable: The bus did not confirm.
        """
        name = attachment.stream
        async with self._locks.holding(name):
            stream = self.streams.get(name)
            if stream is None:
                stream = self.streams[name] = LocalStream(name, self._stats, self._flusher)
                try:
                    subscription = await self._bus.subscribe(
                        name, self._listener(stream), history=self._keeps_history(name)
                    )
                except BaseException:
                    del self.streams[name]
                    raise
                stream.began(subscription)
            # Who has given the stream up meanwhile has been told that nothing more comes.
            if not attachment.stopped:
                if instead_of is None:
                    stream.add(attachment)
                else:
                    stream.replace(instead_of, attachment)
            await self._forget_empty(name)

    async def detach(self, attachment: Attachment) -> None:
        """Send a subscription nothing more of a stream, and forget the stream if it was the last.

        Args:
            attachment: The subscription and the stream; one that is not attached is ignored.
        """
        name = attachment.stream
        attachment.stopped = True
        stream = self.streams.get(name)
        if stream is not None:
            # At once, and not when the lock is free: nothing may come after an unsubscription.
            stream.remove(attachment)
        async with self._locks.holding(name):
            await self._forget_empty(name)

    async def _forget_empty(self, name: str) -> None:
        stream = self.streams.get(name)
        if stream is not None and stream.empty:
            del self.streams[name]
            if stream.bus_subscription is not None:
                await stream.bus_subscription.close()

    def release(self, attachment: Attachment) -> None:
        """Let an attachment's live messages through."""
        stream = self.streams.get(attachment.stream)
        if stream is not None:
            stream.release(attachment)

    def _listener(self, stream: LocalStream) -> Callable[[Message | Discontinuity], None]:
        def listen(message: Message | Discontinuity) -> None:
            if isinstance(message, Message):
                self._deliver(stream, message)
                return
            stream.epoch, stream.last = message.epoch, message.last_offset
            self._interrupted(stream, message)

        return listen

    def _deliver(self, stream: LocalStream, message: Message) -> None:
        if self.lagged is not None:
            self.lagged(self._clock() - message.published_at)
        if TRACEPARENT in message.headers:
            with delivering(message):
                stream.deliver(message)
        else:
            stream.deliver(message)
