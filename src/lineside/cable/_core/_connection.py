"""One client's connection: commands in, events out, and everything of it gone when it ends.

It knows no socket: an adapter gives it frames and a `Wire`. What a frame means is the codec's, what an
action does is the channel's; this decides in which order things happen, and what is answered.
"""

import asyncio
import logging
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from lineside.cable._auth._close_codes import CloseCode
from lineside.cable._auth._expiry import is_expired
from lineside.cable._core._lanes import Lanes
from lineside.cable._core._outbox import Outbox
from lineside.cable._core._serve import serve
from lineside.cable._core._subscription import Subscription
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._commands import (
    Command,
    Malformed,
    Ping,
    Pong,
    Request,
)
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._protocol._events import (
    Disconnection,
    Event,
    Failure,
    HistoryRejection,
    PongEvent,
    Welcome,
)
from lineside.cable._protocol._frame import Frame
from lineside.cable._protocol._identity import Identity
from lineside.cable._protocol._ports import Handshake
from lineside.cable._protocol._wire import Wire

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["Connection", "State"]

_logger = logging.getLogger("lineside.cable")

CLOSE_TOO_SLOW: Final = 4410
CLOSE_RATE_LIMITED: Final = 4429
_RATE_STRIKES: Final = 50


class State(Enum):
    """The life of a connection."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class Connection:
    """A client (`lineside.cable._protocol._ports.ConnectionPort`).

    Args:
        cable: The cable it belongs to.
        id: Its own id, unique over all nodes, and the id of its session.
        client_id: The identity's id, or the one a guest was given.
        identity: Who is behind it.
        codec: What its frames mean.
        wire: Where its frames go.
        handshake: The request it began with.
    """

    __slots__ = (
        "_buckets",
        "_lanes",
        "_metadata",
        "_strikes",
        "cable",
        "client_id",
        "codec",
        "handshake",
        "heard_at",
        "id",
        "identity",
        "outbox",
        "restored_positions",
        "resumable",
        "state",
        "subscriptions",
        "wire",
    )

    def __init__(
        self,
        cable: "Cable",
        *,
        id: str,  # noqa: A002 - a connection's id is called id
        client_id: str,
        identity: Identity,
        codec: Codec,
        wire: Wire,
        handshake: Handshake | None,
    ) -> None:
        self.cable: Cable = cable
        self.id: str = id
        self.client_id: str = client_id
        self.identity: Identity = identity
        self.codec: Codec = codec
        self.wire: Wire = wire
        self.handshake: Handshake | None = handshake
        self.state: State = State.OPENING
        self.subscriptions: dict[str, Subscription] = {}
        self.outbox: Outbox = Outbox(wire, cable.limits, cable.flusher, self)
        self.heard_at: float = cable.monotonic()
        self.resumable: bool = codec.restores
        self.restored_positions: dict[str, Any] = {}
        self._metadata: dict[str, Any] | None = None
        self._lanes = Lanes(self._run, cable.limits.pending_commands)
        self._buckets = cable.new_buckets()
        self._strikes = 0

    @property
    def metadata(self) -> dict[str, Any]:
        """Values of the app's own; they live as long as the connection does."""
        if self._metadata is None:
            self._metadata = {}
        return self._metadata

    async def start(self, restore: str | None = None) -> None:
        """Welcome the client.

        Args:
            restore: The id of an earlier session that the client wants to go on with.
        """
        if is_expired(self.identity, self.cable.clock()):
            self.disconnect("token_expired", reconnect=False, code=CloseCode.TOKEN_EXPIRED)
            return
        self.cable.opened(self)
        self.state = State.OPEN
        try:
            await self.cable.clients.enter(self)
        except RequestFailed as refused:
            self.fail(refused.code, refused.message, None, None)
            self.disconnect("too_many_connections", reconnect=False, code=CLOSE_RATE_LIMITED)
            return
        restored: list[str] | None = None
        if restore and self.codec.restores:
            restored = await self.cable.sessions.restore(self, restore)
        self.send(Welcome(self.id, restored))
        if restored is not None:
            self.cable.sessions.await_history(self, restored)

    async def receive(self, frame: str | bytes) -> None:
        """Take a frame; waits only while too many commands of this client wait to run.

        Args:
            frame: The payload of a text or binary message.
        """
        if self.state is not State.OPEN:
            return
        self.heard_at = self.cable.monotonic()
        self.cable.stats.messages_received += 1
        if self.cable.meter is not None:
            self.cable.meter.received(len(frame))
        if not self._buckets.messages.take():
            self._too_fast()
            return
        if self._strikes:
            self._strikes -= 1
        if len(frame) > self.cable.limits.frame_bytes:
            self.disconnect("message_too_large", reconnect=False, code=1009)
            return
        self._dispatch(self.codec.decode(frame))
        if self._lanes.pending >= self.cable.limits.pending_commands:
            await self._lanes.room(gone=self._is_gone, look_seconds=self.cable.limits.ping_seconds)

    def _is_gone(self) -> bool:
        if self.state is State.OPEN and self.wire.is_gone():
            # What is still to be read of it is nobody's wish any more.
            self.state = State.CLOSING
        return self.state is not State.OPEN

    def _dispatch(self, command: Command) -> None:
        if isinstance(command, Pong):
            return
        if isinstance(command, Ping):
            self.send(PongEvent())
        elif isinstance(command, Malformed):
            self.cable.stats.malformed += 1
            _logger.debug("connection %s sent a malformed frame: %s", self.id, command.message)
            if not command.silent:
                self.fail(command.code, command.message, command.request_id, command.identifier)
        elif isinstance(command, Request):
            self._lanes.put("", command)
        elif len(command.identifier.encode(errors="replace")) > self.cable.limits.identifier_bytes:
            limit = self.cable.limits.identifier_bytes
            self.fail(
                ErrorCode.INVALID_FORMAT,
                f"an identifier has at most {limit} bytes",
                getattr(command, "request_id", None),
                None,
            )
        else:
            self._lanes.put(command.identifier, command)

    async def _run(self, command: Command) -> None:
        try:
            await serve(self, command)
        except RequestFailed as failure:
            self.failed(failure, command)
        except asyncio.CancelledError:
            raise
        except Exception:  # the app's fault: the client is told that there was one, and the log has the rest
            self.cable.stats.faults += 1
            _logger.exception("a command of connection %s failed", self.id)
            self.failed(
                RequestFailed(ErrorCode.SERVER_ERROR, "the server could not do this; it has been logged"),
                command,
            )

    def take_subscription(self) -> bool:
        """Tell whether the client may begin another subscription now."""
        return self._buckets.subscriptions.take()

    def send(self, event: Event) -> None:
        """Tell the client something; an event that its protocol does not have is left out.

        Args:
            event: What to tell.
        """
        payload = self.codec.encode(event)
        if payload is not None:
            self.outbox.push(Frame(payload))

    def failed(self, failure: RequestFailed, command: Command) -> None:
        """Answer a command that could not be done."""
        self.fail(
            failure.code,
            failure.message,
            getattr(command, "request_id", None),
            getattr(command, "identifier", None),
            failure.details,
        )

    def fail(
        self,
        code: int,
        message: str,
        request_id: int | None,
        identifier: str | None,
        details: Any = None,
    ) -> None:
        """Answer with an error, and count it."""
        self.cable.stats.failed(int(code))
        if self.cable.events.wants("client_error"):
            said = {"code": int(code), "message": message}
            self.cable.events.fire("client_error", connection=self, message=said)
        # Some protocols have no place for the reason: this is the only one where who writes a page finds it.
        _logger.debug("connection %s was refused something: %s", self.id, message)
        self.send(Failure(int(code), message, request_id, identifier, details))

    def disconnect(
        self, reason: str, *, reconnect: bool, code: int = 1000, retry_seconds: float | None = None
    ) -> None:
        """End the connection from this side: the client is told why, then the socket is closed.

        Args:
            reason: One of those of `Disconnection`.
            reconnect: Whether the client should come back.
            code: The WebSocket close code.
            retry_seconds: How long it should wait first.
        """
        if self.state in (State.CLOSING, State.CLOSED):
            return
        self.state = State.CLOSING
        # A client that is told not to come back must not find its session either.
        self.resumable = self.resumable and reconnect
        self.cable.stats.disconnected(reason)
        self.send(Disconnection(reason, reconnect, code, retry_seconds))
        self.outbox.close()
        self.wire.close(code, reason)
        self._lanes.wake()

    async def closed(self) -> None:
        """Take notice that the socket is gone: everything of this connection ends. Idempotent."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.outbox.discard()
        await self._lanes.close(self.cable.limits.close_seconds)
        await self.cable.ended(self)

    def outbox_overflowed(self) -> None:
        """Take notice that the client does not read (`OutboxOwner`)."""
        self.cable.stats.slow_clients += 1
        if self.cable.limits.slow_client == "drop_oldest":
            return
        _logger.warning("connection %s does not read; it is closed as too slow", self.id)
        self.state = State.CLOSING
        self.cable.stats.disconnected("too_slow")
        self.wire.close(CLOSE_TOO_SLOW, "too_slow")
        self._lanes.wake()

    def outbox_recovered(self) -> None:
        """Tell a client that reads again that it has missed something (`OutboxOwner`)."""
        for identifier in (*self.subscriptions, *self.cable.rooms.seats.streams(self)):
            self.send(HistoryRejection(identifier, "dropped"))

    def _too_fast(self) -> None:
        self.cable.stats.rate_limited += 1
        self._strikes += 1
        if self._strikes > _RATE_STRIKES or not self.codec.replies:
            # Where no answer can be given, a dropped command would be a silent loss.
            self.disconnect("rate_limited", reconnect=True, code=CLOSE_RATE_LIMITED)
        else:
            self.fail(ErrorCode.RATE_LIMITED, "too many messages; send fewer a second", None, None)
