"""What surrounds a channel in these tests: a subscription and a connection that only write down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lineside.bus import Published
from lineside.cable import Channel, ChannelRegistry, Identity
from lineside.cable._channel._run import OpenChannel
from lineside.cable._protocol._identity import GUEST


class FakeCable:
    """Keeps what was broadcast."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, dict[str, Any]]] = []

    async def broadcast(self, stream: str, message: Any, **options: Any) -> Published:
        self.sent.append((stream, message, options))
        return Published(id=str(len(self.sent)))


@dataclass
class FakeConnection:
    """A client that was let in."""

    id: str = "connection-1"
    client_id: str = "client-1"
    identity: Identity = GUEST
    handshake: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    cable: Any = field(default_factory=FakeCable)


@dataclass
class FakeSubscription:
    """Keeps what its channel asked for."""

    identifier: str
    channel: str
    params: Mapping[str, Any]
    connection: Any = field(default_factory=FakeConnection)
    rejected: bool = False
    reason: str | None = None
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    transmitted: list[Any] = field(default_factory=list)

    async def stream_from(self, stream: str, **options: Any) -> None:
        self.streams[stream] = options

    async def stop_stream_from(self, stream: str) -> None:
        self.streams.pop(stream, None)

    async def stop_all_streams(self) -> None:
        self.streams.clear()

    def transmit(self, message: Any) -> None:
        self.transmitted.append(message)

    def reject(self, reason: str = "rejected") -> None:
        self.rejected = True
        self.reason = reason


@dataclass
class Opened:
    """A channel's object together with its subscription."""

    port: OpenChannel
    subscription: FakeSubscription

    @property
    def sent(self) -> list[tuple[str, Any, dict[str, Any]]]:
        return self.subscription.connection.cable.sent


def opened(
    channel: type[Channel],
    *,
    params: Mapping[str, Any] | None = None,
    identity: Identity = GUEST,
    **registry: Any,
) -> Opened:
    """Open a channel as a client that names it would; nothing has run yet."""
    channels = ChannelRegistry([channel], **registry)
    name = channel.channel_name
    subscription = FakeSubscription(name, name, params or {}, FakeConnection(identity=identity))
    return Opened(channels.open(subscription), subscription)


async def subscribed(channel: type[Channel], **options: Any) -> Opened:
    """Open a channel and subscribe."""
    made = opened(channel, **options)
    await made.port.subscribe()
    return made
