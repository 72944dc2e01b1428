"""Where the core of the cable meets its rooms: what a channel is given, and what one must offer."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lineside.cable._protocol._identity import Identity

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["ChannelPort", "Channels", "ConnectionPort", "Handshake", "StreamTransform", "SubscriptionPort"]

StreamTransform = Callable[[Any], Any]
"""Makes what one subscriber is sent from a stream's message; returns None to send nothing."""


class Handshake(Protocol):
    """What is known of a connection's HTTP request. Tokens are not in it.

    Attributes:
        scope: The ASGI scope: ``headers``, ``path``, ``client``, ``app`` (FastAPI's), ``state`` ...
    """

    scope: Mapping[str, Any]


class ConnectionPort(Protocol):
    """A connection, as channels and handlers see it.

    Attributes:
        id: The connection's own id, unique over all nodes.
        client_id: The identity's id, or the id that a guest was given.
        identity: Who is behind it.
        handshake: The request it began with; None in tests without one.
        cable: The cable it belongs to.
    """

    id: str
    client_id: str
    identity: Identity
    handshake: Handshake | None
    cable: "Cable"

    @property
    def metadata(self) -> dict[str, Any]:
        """Values of the app's own; they live as long as the connection does."""
        ...


class SubscriptionPort(Protocol):
    """A subscription, as its channel sees it.

    Attributes:
        identifier: Its name, as the client wrote it.
        channel: The name of the channel in it.
        params: The other values in it.
        rejected: ``reject`` was called.
    """

    identifier: str
    channel: str
    params: Mapping[str, Any]
    rejected: bool

    @property
    def connection(self) -> ConnectionPort:
        """Its connection."""
        ...

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
        """Send the client what is broadcast to a stream; returns when the subscription is live.

        Args:
            stream: The stream's name.
            transform: Changes each message for this subscriber; None for none.
            history: The client may ask for what it has missed.
            history_since: It may not see what was published before (seconds since 1970).
            whisper: What the client whispers goes to this stream.
            presence: ``{"id", "info"}``: the client may be present on this stream, under this id. The
                client's own words are never taken for who it is.
        """
        ...

    async def stop_stream_from(self, stream: str) -> None:
        """Stop sending a stream's messages."""
        ...

    async def stop_all_streams(self) -> None:
        """Stop sending any stream's messages."""
        ...

    def transmit(self, message: Any) -> None:
        """Send the client a JSON value."""
        ...

    def reject(self, reason: str = "rejected") -> None:
        """Refuse the subscription."""
        ...


class ChannelPort(Protocol):
    """A channel's instance for one subscription, as the core sees it.

    Each of these may raise `RequestFailed`, which becomes the answer; anything else is a fault of the
    app: it is logged, and answered with 1003 without its text.
    """

    async def subscribe(self) -> None:
        """Run ``subscribed`` and its callbacks; it may stream, transmit and reject."""
        ...

    async def unsubscribe(self) -> None:
        """Run ``unsubscribed`` and its callbacks; called exactly once after every ``subscribe``."""
        ...

    async def perform(self, action: str, data: Mapping[str, Any]) -> Any:
        """Run an action; what it returns answers protocols that answer each request."""
        ...


class Channels(Protocol):
    """Finds the channel that an identifier names."""

    def parse(self, identifier: str) -> tuple[str, Mapping[str, Any]]:
        """Return the channel's name and the other values of an identifier.

        Raises:
            RequestFailed: It is no identifier.
        """
        ...

    def open(self, subscription: SubscriptionPort) -> ChannelPort:
        """Make the channel's instance for a subscription.

        Raises:
            UnknownChannelError: No channel has this name.
        """
        ...
