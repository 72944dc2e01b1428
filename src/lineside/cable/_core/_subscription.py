"""One subscription of one connection: its streams, its channel, and the gate before its replay."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import BusError, InvalidStreamError
from lineside.cable._core._attachment import Attachment
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.cable._protocol._events import Transmission
from lineside.cable._protocol._ports import ChannelPort, StreamTransform

if TYPE_CHECKING:
    from lineside.cable._core._connection import Connection

__all__ = ["INTERNAL", "Subscription", "check_stream"]

INTERNAL: Final = "lineside!"
"""What the names of our own streams begin with; no client and no app can name one."""


def check_stream(name: object, *, max_bytes: int) -> None:
    """Refuse a stream name that cannot be one.

    Args:
        name: The stream's name.
        max_bytes: The longest name, in UTF-8.

    Raises:
        InvalidStreamError: It is no text, empty, too long, or one of ours.
    """
    if not isinstance(name, str):
        raise InvalidStreamError(
            f"a stream is called by a text, not by a value of the type {type(name).__name__}; "
            "of a record it is YourChannel.broadcasting_for(record)"
        )
    if not name or len(name.encode(errors="replace")) > max_bytes or name.startswith(INTERNAL):
        raise InvalidStreamError(
            f"{name[:64]!r} is no name of a stream; use 1 to {max_bytes} bytes, not {INTERNAL!r}..."
        )


class Subscription:
    """What a client calls by one identifier (`lineside.cable._protocol._ports.SubscriptionPort`).

    Args:
        connection: The connection.
        identifier: The subscription's name, as the client wrote it.
        channel: The channel's name in it.
        params: The other values in it.
    """

    __slots__ = (
        "announced",
        "attachments",
        "channel",
        "confirmed",
        "connection",
        "ended",
        "identifier",
        "params",
        "port",
        "presences",
        "rejected",
        "rejection",
    )

    def __init__(
        self, connection: "Connection", identifier: str, channel: str, params: Mapping[str, Any]
    ) -> None:
        self.connection: Connection = connection
        self.identifier: str = identifier
        self.channel: str = channel
        self.params: Mapping[str, Any] = params
        self.announced: bool = False
        self.attachments: dict[str, Attachment] = {}
        self.presences: set[str] = set()
        self.port: ChannelPort | None = None
        self.confirmed: bool = False
        self.rejected: bool = False
        self.rejection: str = "rejected"
        self.ended: bool = False

    async def stream_from(
        self,
        stream: str,
        *,
        transform: StreamTransform | None = None,
        history: bool = True,
        history_since: float | None = None,
        whisper: bool = False,
        presence: Mapping[str, Any] | None = None,
    ) -> None:
        """Send the client what is broadcast to a stream (`SubscriptionPort.stream_from`)."""
        connection = self.connection
        limits = connection.cable.limits
        try:
            check_stream(stream, max_bytes=limits.name_bytes)
        except InvalidStreamError as error:
            raise RequestFailed(ErrorCode.INVALID_FORMAT, error.message) from None
        if self.ended:
            raise RequestFailed(ErrorCode.NOT_IN_ROOM, "the subscription has ended; nothing streams to it")
        if len(self.attachments) >= limits.streams and stream not in self.attachments:
            raise RequestFailed(
                ErrorCode.RATE_LIMITED, f"a subscription has at most {limits.streams} streams; stop one first"
            )
        attachment = Attachment(
            stream,
            codec=connection.codec,
            identifier=self.identifier,
            connection_id=connection.id,
            outbox=connection.outbox,
            transform=transform,
            history=history,
            history_since=history_since,
            whisper=whisper,
            presence=presence,
            # Until the client knows that it is subscribed, and has what it missed, nothing overtakes that.
            held=not self.confirmed,
            held_limit=limits.held_messages,
        )
        await self._attach(attachment)

    async def _attach(self, attachment: Attachment) -> None:
        stream, hub = attachment.stream, self.connection.cable.hub
        if _id_of(self.attachments.get(stream)) != _id_of(attachment):
            await self.connection.cable.presence.leave(self, stream)
        earlier = self.attachments.get(stream)
        # Before anything is waited for: who stops the stream, or begins it again, must find this.
        self.attachments[stream] = attachment
        try:
            await hub.attach(attachment, instead_of=earlier)
        except BaseException:
            if self.attachments.get(stream) is not attachment:
                if earlier is not None:
                    await hub.detach(earlier)
            elif earlier is None:
                del self.attachments[stream]
            else:
                self.attachments[stream] = earlier
            raise

    async def stop_stream_from(self, stream: str) -> None:
        """Stop sending a stream's messages."""
        attachment = self.attachments.get(stream)
        if attachment is None:
            return
        try:
            await self.connection.cable.presence.leave(self, stream)
        finally:
            if self.attachments.get(stream) is attachment:
                del self.attachments[stream]
            await self.connection.cable.hub.detach(attachment)

    async def stop_all_streams(self) -> None:
        """Stop sending any stream's messages.

        Raises:
            BusUnavailable: The bus does not answer; nothing is sent any more all the same.
        """
        failed: BusError | None = None
        for stream in list(self.attachments):
            try:
                await self.stop_stream_from(stream)
            except BusError as error:
                failed = error
        if failed is not None:
            raise failed

    def transmit(self, message: Any) -> None:
        """Send the client a JSON value."""
        self.connection.send(Transmission(self.identifier, message))

    def reject(self, reason: str = "rejected") -> None:
        """Refuse the subscription."""
        self.rejected = True
        self.rejection = reason

    @property
    def held(self) -> bool:
        """Its live messages wait for a replay."""
        return any(attachment.held is not None for attachment in self.attachments.values())

    def release(self) -> None:
        """Send what was held back, and let the rest through: in one go, so that nothing comes between."""
        hub = self.connection.cable.hub
        for attachment in self.attachments.values():
            held = attachment.held
            if held is None:
                continue
            attachment.held = None
            for message in held:
                attachment.send(message)
            hub.release(attachment)


def _id_of(attachment: Attachment | None) -> Any:
    return None if attachment is None or attachment.presence is None else attachment.presence["id"]
