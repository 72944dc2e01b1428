"""The cable of one node: what the parts of an app broadcast with, and what its connections belong to."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from lineside.bus import NO_HISTORY, Backend, Bus, Departed, Discontinuity, Published
from lineside.cable._auth._rates import TokenBucket
from lineside.cable._core._cluster import Cluster
from lineside.cable._core._connection import Connection, State
from lineside.cable._core._drain import drain
from lineside.cable._core._flusher import Flusher
from lineside.cable._core._hub import Hub, LocalStream
from lineside.cable._core._presence import CablePresence
from lineside.cable._core._pulse import Pulse
from lineside.cable._core._serve import end
from lineside.cable._core._sessions import Sessions
from lineside.cable._core._subscription import check_stream
from lineside.cable._instrumentation._stats import CableStats
from lineside.cable._instrumentation._tracing import publishing
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._events import HistoryRejection
from lineside.cable._protocol._frame import Frame
from lineside.cable._protocol._identity import GUEST, Identity
from lineside.cable._protocol._limits import CableLimits
from lineside.cable._protocol._message import EXCLUDE, TYPE
from lineside.cable._protocol._ports import Channels, Handshake
from lineside.cable._protocol._values import json_bytes
from lineside.cable._protocol._wire import Wire
from lineside.cable._rooms._sdk import CableSDK
from lineside.cable.codecs import CodecRegistry, standard_codecs

__all__ = ["Buckets", "Cable"]

_logger = logging.getLogger("lineside.cable")


@dataclass(slots=True)
class Buckets:
    """How fast one connection may go.

    Attributes:
        messages: Its frames.
        subscriptions: Its subscriptions.
    """

    messages: TokenBucket
    subscriptions: TokenBucket


class Cable(CableSDK):
    """Channels, rooms and streams on one node, with the other nodes behind the bus.

    Args:
        channels: Finds the channel that an identifier names.
        bus: Carries messages between nodes: a URL, a backend, or a `Bus` of your own.
        codecs: The protocols that are spoken; default: all of ours.
        limits: The bounds.
        replace_sessions: A client that connects again takes the place of its earlier connections (4409), as
            in GoHub; by default it has several.
        clock: Returns the seconds since 1970; for tests.
        monotonic: Returns seconds that never go back; for tests.
        new_id: Makes the ids of connections; for tests.
    """

    def __init__(
        self,
        channels: Channels,
        *,
        bus: str | Backend | Bus = "memory://",
        codecs: CodecRegistry | None = None,
        limits: CableLimits | None = None,
        replace_sessions: bool = False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self.channels = channels
        self.bus: Bus = bus if isinstance(bus, Bus) else Bus(bus)
        self._owns_bus = not isinstance(bus, Bus)
        self.limits: CableLimits = limits or CableLimits()
        self.codecs: CodecRegistry = codecs or _codecs(self.limits)
        self.clock = clock
        self.monotonic = monotonic
        self._new_id = new_id
        self.stats: CableStats = CableStats()
        self.flusher: Flusher = Flusher()
        self.hub: Hub = Hub(
            self.bus,
            keeps_history=lambda _: self.limits.history.messages > 0 and self.bus.history is not None,
            stats=self.stats,
            flusher=self.flusher,
            interrupted=self._interrupted,
            clock=clock,
        )
        self.presence: CablePresence = CablePresence(self)
        self.sessions: Sessions = Sessions(self)
        self.pulse: Pulse = Pulse(self)
        self.cluster: Cluster = Cluster(self)
        self.cluster.on("disconnect", self._disconnect_here)
        super().__init__(self, replace_sessions=replace_sessions)
        self.connections: dict[str, Connection] = {}
        self.emptied: asyncio.Event = asyncio.Event()
        self.accepting: bool = False
        self._running = False

    # -- life -----------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it is started, and not stopped."""
        return self._running

    async def start(self) -> None:
        """Connect the bus, join the other nodes and take connections.

        A start that fails, or is cancelled, leaves nothing open; it can be tried again.

        Raises:
            BusUnavailable: The bus does not answer.
            CableConfigurationError: The cable runs already.
        """
        if self._running:
            raise CableConfigurationError("the cable runs already; stop it before it is started again")
        self.messages.check()
        self._running = True
        try:
            if self._owns_bus:
                await self.bus.connect()
            await self.cluster.start()
            await self.events.start()
            self.pulse.start()
        except BaseException:
            await self._close()
            raise
        self.accepting = True

    async def stop(self) -> None:
        """End every connection, leave the other nodes and close the bus; a second call does nothing."""
        if not self._running:
            return
        try:
            await self.drain(seconds=0.0)
        finally:
            await self._close()

    async def _close(self) -> None:
        self._running = False
        # What fails to end must not keep the rest open. The last one that is put here is the first to end.
        async with AsyncExitStack() as parts:
            if self._owns_bus:
                parts.push_async_callback(self.bus.close)
            parts.callback(self.flusher.close)
            parts.push_async_callback(self.cluster.stop)
            parts.push_async_callback(self.questions.stop)
            parts.push_async_callback(self.events.stop, self.limits.close_seconds)
            parts.push_async_callback(self.sessions.close)
            parts.push_async_callback(self.pulse.stop)

    async def drain(self, *, seconds: float) -> None:
        """Take no new connections, and send the clients away so that they come back spread over a time.

        Args:
            seconds: Over which time; 0 for all at once.
        """
        await drain(self, seconds=seconds)

    # -- connections ----------------------------------------------------------

    def open(
        self,
        *,
        codec: Codec,
        wire: Wire,
        identity: Identity = GUEST,
        handshake: Handshake | None = None,
        client_id: str | None = None,
    ) -> Connection:
        """Make the connection of a client that may connect; `Connection.start` welcomes it.

        Args:
            codec: What its frames mean.
            wire: Where its frames go.
            identity: Who is behind it.
            handshake: The request it began with.
            client_id: The id of a guest; default: ``guest-`` and a new one.
        """
        connection_id = self._new_id()
        return Connection(
            self,
            id=connection_id,
            # Not the connection's id: that is its session's too, and client ids are shown to others.
            client_id=identity.id or client_id or f"guest-{self._new_id()}",
            identity=identity,
            codec=codec,
            wire=wire,
            handshake=handshake,
        )

    def opened(self, connection: Connection) -> None:
        """Take a connection that begins."""
        self.connections[connection.id] = connection
        self.stats.connections_opened += 1
        self.pulse.add(connection)
        self.events.fire("client_connected", connection=connection)

    async def ended(self, connection: Connection) -> None:
        """Let everything of a connection end whose socket is gone; one that never began has nothing."""
        if connection.id not in self.connections:
            return
        self.pulse.remove(connection)
        try:
            await self.sessions.keep(connection)
            await self.rooms.seats.ended(connection)
            for subscription in list(connection.subscriptions.values()):
                await end(subscription, grace_seconds=self.limits.presence_seconds)
            await self.clients.left(connection)
        finally:
            self.events.fire("client_disconnected", connection=connection)
            self.connections.pop(connection.id, None)
            self.stats.connections_closed += 1
            if not self.connections:
                self.emptied.set()

    def new_buckets(self) -> Buckets:
        """Return the rate limits of a new connection."""
        limits = self.limits
        return Buckets(
            TokenBucket(limits.messages_per_second, limits.messages_burst, clock=self.monotonic),
            TokenBucket(limits.subscriptions_per_second, limits.subscriptions_burst, clock=self.monotonic),
        )

    # -- what apps use ----------------------------------------------------------

    async def broadcast(
        self,
        stream: str,
        message: Any,
        *,
        type: str | None = None,  # noqa: A002 - GoHub's word
        exclude: str | None = None,
        history: bool = True,
        idempotency_key: str | None = None,
    ) -> Published:
        """Send a message to everybody who streams from a stream, on every node.

        Args:
            stream: The stream's name.
            message: A JSON value, or what FastAPI makes one of: models, dates, UUIDs.
            type: GoHub's ``message_type``; default ``"message"``.
            exclude: The id of a connection that is not sent it.
            history: Keep it for those who come back.
            idempotency_key: A second message with this key within 5 minutes is not sent.

        Returns:
            Where it stands in the stream's log.

        Raises:
            BusUnavailable: The bus did not take it within its deadline.
            InvalidStreamError: The stream's name cannot be one.
            TypeError: The message is a database record, or has no JSON form.
        """
        check_stream(stream, max_bytes=self.limits.name_bytes)
        headers = {} if type is None else {TYPE: type}
        if exclude is not None:
            headers[EXCLUDE] = exclude
        with publishing(stream, headers):
            return await self.bus.publish(
                stream,
                json_bytes(message),
                history=self.limits.history if history and self.bus.history is not None else NO_HISTORY,
                idempotency_key=idempotency_key,
                headers=headers,
            )

    async def disconnect(
        self, identifiers: Mapping[str, Any], *, reconnect: bool = True, reason: str = "remote"
    ) -> None:
        """End every connection of an identity, on whatever node.

        Args:
            identifiers: What the identity's ``identifiers`` must hold; ``{"client_id": ...}`` works for all.
            reconnect: Whether its clients may come back by themselves.
            reason: What they are told.
        """
        said = {"identifiers": dict(identifiers), "reconnect": reconnect, "reason": reason}
        await self.cluster.tell("disconnect", said)

    async def _disconnect_here(self, said: Mapping[str, Any]) -> None:
        wanted: Mapping[str, Any] = said["identifiers"]
        for connection in self._identified(wanted):
            connection.disconnect(said["reason"], reconnect=bool(said["reconnect"]))

    def _identified(self, wanted: Mapping[str, Any]) -> Iterable[Connection]:
        for connection in list(self.connections.values()):
            known = {"client_id": connection.client_id, **connection.identity.identifiers}
            if wanted and all(known.get(name) == value for name, value in wanted.items()):
                yield connection

    # -- what the cluster tells -------------------------------------------------

    async def departed(self, gone: Departed) -> None:
        """Take notice of one who is gone without a word."""
        await self.presence.departed(gone)
        await super().departed(gone)

    async def rejoin(self) -> None:
        """Put everybody of this node back where they were."""
        await self.presence.rejoin([each for each in self.connections.values() if each.state is State.OPEN])
        await super().rejoin()

    def _interrupted(self, stream: LocalStream, gap: Discontinuity) -> None:
        self.stats.rejected_history(gap.reason)
        _logger.warning("messages of %r are lost: %s", stream.name, gap.reason)
        for attachment in stream.special:
            if attachment.held is not None:
                attachment.overflowed = True
        for codec, identifier, outbox in stream.attachments():
            with suppress(Exception):
                payload = codec.encode(HistoryRejection(identifier, gap.reason))
                if payload is not None:
                    outbox.push(Frame(payload))


def _codecs(limits: CableLimits) -> CodecRegistry:
    return CodecRegistry(standard_codecs(max_bytes=limits.frame_bytes, max_depth=limits.json_depth))
