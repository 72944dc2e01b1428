"""What surrounds a channel under test: a connection and a subscription that only write down."""

from collections.abc import Mapping
from typing import Any

from lineside.cable import Cable, Identity
from lineside.cable._core._subscription import check_stream
from lineside.cable._protocol._ports import StreamTransform
from lineside.strict_json import dumps

__all__ = ["StubConnection", "StubSubscription"]


class StubConnection:
    """A client that was let in (`lineside.cable.ConnectionPort`).

    Args:
        cable: The cable.
        identity: Who it is.
    """

    def __init__(self, cable: Cable, identity: Identity) -> None:
        self.id = "test-connection"
        self.client_id: str = identity.id or "test-client"
        self.identity = identity
        self.handshake: Any = None
        self.cable = cable
        self._metadata: dict[str, Any] = {}

    @property
    def metadata(self) -> dict[str, Any]:
        """Values of the app's own."""
        return self._metadata


class StubSubscription:
    """What a client calls by one identifier (`lineside.cable._protocol._ports.SubscriptionPort`).

    Args:
        channel: The channel's name.
        params: The other values of the identifier.
        connection: The client's.

    Attributes:
        streams: By name, what the channel has said of each.
        transmissions: What it has transmitted.
        reason: Why it has rejected; None while it has not.
    """

    def __init__(self, channel: str, params: Mapping[str, Any], connection: StubConnection) -> None:
        self.identifier: str = dumps({"channel": channel, **params}).decode()
        self.channel = channel
        self.params = params
        self.rejected: bool = False
        self.reason: str | None = None
        self.streams: dict[str, Mapping[str, Any]] = {}
        self.transmissions: list[Any] = []
        self._connection = connection

    @property
    def connection(self) -> StubConnection:
        """The client's."""
        return self._connection

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
        """Write a stream down; a name that no cable takes is refused."""
        check_stream(stream, max_bytes=self._connection.cable.limits.name_bytes)
        self.streams[stream] = {
            "transform": transform,
            "history": history,
            "history_since": history_since,
            "whisper": whisper,
            "presence": presence,
        }

    async def stop_stream_from(self, stream: str) -> None:
        """Strike a stream out."""
        self.streams.pop(stream, None)

    async def stop_all_streams(self) -> None:
        """Strike all streams out."""
        self.streams.clear()

    def transmit(self, message: Any) -> None:
        """Write a transmission down."""
        self.transmissions.append(message)

    def reject(self, reason: str = "rejected") -> None:
        """Write the refusal down."""
        self.rejected = True
        self.reason = reason
