"""The backend on Redis: pub/sub for what is live, streams for what is kept.

    from lineside.bus import Bus

    bus = Bus("redis://127.0.0.1:6379/0", namespace="my-app")
    assert not bus.local

Kept messages survive as much as Redis does: `RedisBackend.durability` says how much that is. After a restart
that may have lost messages, every stream has another epoch, and readers are told.

Needs Redis 6.2 or newer, and ``pip install 'lineside[redis]'``. Do not let Redis evict keys
(``maxmemory-policy noeviction``): the bus bounds what it keeps by itself.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from lineside.bus._contract import History, Membership, Presence, Receiver
from lineside.bus._envelope import Envelope
from lineside.bus._errors import BusClosedError, BusUnavailable
from lineside.bus._message import Message, Position
from lineside.bus._options import BackendOptions
from lineside.bus._redis._commands import RedisCommands
from lineside.bus._redis._history import RedisHistory
from lineside.bus._redis._presence import RedisMembership, RedisPresence
from lineside.bus._redis._subscriber import RedisSubscriber
from lineside.exceptions import MissingDependencyError

try:
    from lineside.bus._redis._client import ERRORS, RedisClient
except ImportError as _missing:
    raise MissingDependencyError("redis", extra="redis") from _missing

__all__ = ["RedisBackend"]

_logger: Final = logging.getLogger("lineside.bus")


class RedisBackend:
    """Carries messages over one Redis server.

    Args:
        url: ``redis://[[user]:password@]host[:port][/db]``, ``rediss://`` for TLS; the settings of redis-py
            as its query.
        options: The namespace, the secrets and the bounds.

    Raises:
        ConfigurationError: The URL is not possible.

    Attributes:
        scheme: ``"redis"``.
        local: It reaches other processes.
        history: The logs.
        presence: The groups.
        membership: The nodes.
    """

    scheme: str = "redis"
    local: bool = False

    def __init__(self, url: str, options: BackendOptions | None = None) -> None:
        self._options = options if options is not None else BackendOptions()
        self._envelope = Envelope(self._options)
        # The braces keep all keys in one slot of a cluster.
        prefix = f"lineside:{{{self._options.namespace}}}:"
        self._client = RedisClient(url, prefix=prefix, deadline_seconds=self._options.deadline_seconds)
        # Channels know nothing of databases.
        self._channels = f"{prefix}{self._client.database}:s:".encode()
        self._commands = RedisCommands(
            self._client.commands,
            prefix=prefix,
            errors=ERRORS,
            deadline_seconds=self._options.deadline_seconds,
            until_connected=self._until_live,
        )
        self._subscriber: RedisSubscriber | None = None
        self._receiver: Receiver | None = None
        self._warned = False
        self.history: History | None = RedisHistory(self._commands, self._envelope, self._channel_of)
        self.presence: Presence | None = RedisPresence(self._commands)
        self.membership: Membership | None = RedisMembership(self._commands)

    async def connect(self, receiver: Receiver) -> None:
        """Open the connections; from now on they are brought back by themselves."""
        if self._subscriber is not None:
            return
        self._receiver = receiver
        subscriber = RedisSubscriber(
            self._client.open_link,
            received=self._received,
            lost=receiver.lost,
            restored=receiver.restored,
            deadline_seconds=self._options.deadline_seconds,
        )
        await self._commands.call(subscriber.start)
        self._subscriber = subscriber

    async def close(self) -> None:
        """Close every connection."""
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            await subscriber.close()
        await self._client.close()

    async def subscribe(self, stream: str, *, history: bool) -> None:
        """Listen to a stream; returns when the server has confirmed."""
        if self._subscriber is None:
            raise BusClosedError("this backend is not connected")
        await self._subscriber.subscribe(self._channel_of(stream))
        if history and not self._warned:
            self._warned = True
            await self._warn_of_durability()

    async def unsubscribe(self, stream: str) -> None:
        """Stop listening to a stream."""
        if self._subscriber is not None:
            await self._subscriber.unsubscribe(self._channel_of(stream))

    async def publish(self, message: Message) -> None:
        """Publish a message that is not kept; a second attempt has the same id."""
        channel, raw = self._channel_of(message.stream), self._envelope.encode(message)
        await self._commands.call(lambda: self._commands.client.publish(channel, raw))

    async def ping(self) -> None:
        """Ask the server for an answer."""
        await self._commands.call(lambda: self._commands.client.ping())

    async def durability(self) -> str:
        """Tell what a crash may cost.

        Returns:
            ``"power"``: nothing, even without power. ``"process"``: nothing when Redis alone is killed, about
            a second without power. ``"none"``: everything since the last snapshot.

        Raises:
            BusUnavailable: The server does not answer, or tells neither its settings nor its state.
        """
        client = self._commands.client
        try:
            settings, _ = await self._commands.call(lambda: client.config_get("append*"))
        except BusUnavailable:
            state, _ = await self._commands.call(lambda: client.info("persistence"))
            return "process" if _field(state, "aof_enabled") == "1" else "none"
        if _field(settings, "appendonly") != "yes":
            return "none"
        return "power" if _field(settings, "appendfsync") == "always" else "process"

    def _channel_of(self, stream: str) -> bytes:
        return self._channels + stream.encode()

    def _received(self, channel: bytes, raw: bytes) -> None:
        if self._receiver is None:
            return
        stream = channel[len(self._channels) :].decode()
        position = None
        if raw[:1] == b"+":
            head, _, raw = raw.partition(b"\n")
            position = _position(head)
            if position is None:
                self._envelope.skip("garbage")
                return
        message = self._envelope.read(raw, position, stream=stream)
        if message is not None:
            self._receiver.received(message)

    async def _until_live(self) -> None:
        if self._subscriber is not None:
            await self._subscriber.until_live()

    async def _warn_of_durability(self) -> None:
        try:
            durability = await self.durability()
        except BusUnavailable as error:
            _logger.info("cannot tell how durable this Redis is: %s", error)
            return
        if durability == "none":
            _logger.warning(
                "this Redis writes no append-only file: a crash loses the history of every stream. "
                "Set 'appendonly yes', or know that readers are told of a new epoch then"
            )


def _position(head: bytes) -> Position | None:
    epoch, _, offset = head[1:].partition(b" ")
    if not epoch or not offset.isdigit() or len(offset) > 18 or len(epoch) > 64 or not epoch.isascii():
        return None
    return Position(epoch.decode(), int(offset))


def _field(values: Mapping[Any, Any], name: str) -> str:
    value = values.get(name, values.get(name.encode(), ""))
    return value.decode() if isinstance(value, bytes) else str(value)
