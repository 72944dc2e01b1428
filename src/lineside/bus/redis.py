"""The backend on Redis: pub/sub for what is live, streams for what is kept.

    from lineside.bus import Bus

    bus = Bus("redis://127.0.0.1:6379/0", namespace="my-app")
    assert not bus.local

Kept messages survive as much as Redis does: `RedisBackend.durability` says how much that is. After a restart
that may have lost messages, every stream has another epoch, and readers are told.

Needs Redis 6.2 or newer, and ``pip install 'lineside[redis]'``. Do not let Redis evict keys
(``maxmemory-policy noeviction``): the bus bounds what it keeps by itself.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Mapping
from typing import Any, Final

from lineside.bus._contract import History, Membership, Presence, Receiver
from lineside.bus._envelope import Envelope
from lineside.bus._errors import BusClosedError, BusUnavailable
from lineside.bus._message import Message, Position
from lineside.bus._options import BackendOptions
from lineside.bus._redis._commands import Errors, RedisCommands
from lineside.bus._redis._history import RedisHistory
from lineside.bus._redis._node_scripts import ADOPT
from lineside.bus._redis._presence import RedisMembership, RedisPresence
from lineside.bus._redis._subscriber import Link, RedisSubscriber
from lineside.exceptions import ConfigurationError, MissingDependencyError

try:
    import redis.asyncio
    from redis import exceptions
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError:
    raise MissingDependencyError("redis", extra="redis") from None

__all__ = ["RedisBackend"]

_CONNECT_SECONDS: Final = 2.0
_CONNECTIONS: Final = 32

_ERRORS: Final = Errors(
    refused=(exceptions.AuthenticationError, exceptions.AuthorizationError),
    passing=(
        exceptions.ConnectionError,
        exceptions.TimeoutError,
        exceptions.ReadOnlyError,
        OSError,
        # What redis-py 8 raises for a connection that died under it: its writer is None.
        AttributeError,
        # uvloop's word for writing to a connection that has just been closed.
        RuntimeError,
    ),
    other=(exceptions.RedisError,),
)

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
        self._pool = self._pool_of(url)
        database = self._pool.connection_kwargs.get("db", 0)
        # Channels know nothing of databases. The braces keep all keys in one slot of a cluster.
        self._channels = f"lineside:{{{self._options.namespace}}}:{database}:s:".encode()
        self._commands = RedisCommands(
            redis.asyncio.Redis(connection_pool=self._pool),
            prefix=f"lineside:{{{self._options.namespace}}}:",
            errors=_ERRORS,
            deadline_seconds=self._options.deadline_seconds,
            until_connected=self._until_live,
        )
        self._subscriber: RedisSubscriber | None = None
        self._receiver: Receiver | None = None
        self._told: set[str] = set()
        self.history: History | None = RedisHistory(self._commands, self._envelope, self._channel_of)
        self.presence: Presence | None = RedisPresence(self._commands)
        self.membership: Membership | None = RedisMembership(self._commands)

    async def connect(self, receiver: Receiver) -> None:
        """Open the connections; from now on they are brought back by themselves."""
        if self._subscriber is not None:
            return
        self._receiver = receiver
        subscriber = RedisSubscriber(
            self._open_link,
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
        await self._commands.client.aclose()
        await self._pool.disconnect()

    async def subscribe(self, stream: str, *, history: bool) -> None:
        """Listen to a stream; returns when the server has confirmed."""
        if self._subscriber is None:
            raise BusClosedError("this backend is not connected")
        await self._subscriber.subscribe(self._channel_of(stream))
        if history and "history" not in self._told:
            self._told.add("history")
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

    def _pool_of(self, url: str) -> Any:
        deadline = self._options.deadline_seconds
        try:
            return redis.asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=deadline,
                socket_timeout=max(0.5, deadline / 2),
                socket_connect_timeout=min(_CONNECT_SECONDS, deadline),
                socket_keepalive=True,
                # The retries are ours: only we know which of them publish a message once.
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                redis_connect_func=self._greet,
                decode_responses=False,
            )
        except ValueError:
            # Not the client's words: they may quote a part of the password.
            raise ConfigurationError(
                "this Redis URL is not possible; write redis://[[user]:password@]host[:port][/db], "
                "with special characters percent-encoded"
            ) from None

    async def _open_link(self) -> Link:
        # Without a timeout of the client's own: it would stand between us and a cancellation.
        settings = {**self._pool.connection_kwargs, "socket_timeout": None}
        connection = self._pool.connection_class(**settings)
        try:
            async with asyncio.timeout(2 * _CONNECT_SECONDS):
                await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return _PubSubLink(connection)

    async def _greet(self, connection: Any) -> None:
        # On every new connection, in front of its first command: nobody works with a server that has
        # lost messages before its streams have another epoch.
        await connection.on_connect()
        try:
            await connection.send_command("INFO", check_health=False)
            said = _said(await connection.read_response())
            safe = said.get("aof_enabled") == "1" and not said.get("master_replid2", "0").strip("0")
            await connection.send_command(
                *("EVAL", ADOPT, 1, self._commands.prefix, said.get("run_id", "")),
                *(int(safe), secrets.token_hex(4)),
                check_health=False,
            )
            await connection.read_response()
        except exceptions.NoPermissionError as error:
            if "info" not in self._told:
                self._told.add("info")
                _logger.warning("cannot tell whether Redis has lost messages: %s; allow INFO and EVAL", error)


class _PubSubLink:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._closed = False

    async def send(self, *command: bytes) -> None:
        if self._closed:  # redis-py would open another connection, which listens to nothing
            raise ConnectionError("this connection is closed")
        await self._connection.send_command(*command, check_health=False)

    async def read(self) -> Any:
        answer = await self._connection.read_response(timeout=math.inf)
        # A ping is answered with a plain text while nothing is subscribed.
        return answer if isinstance(answer, list) else [answer]

    async def close(self) -> None:
        self._closed = True
        await asyncio.shield(self._connection.disconnect(nowait=True))


def _position(head: bytes) -> Position | None:
    epoch, _, offset = head[1:].partition(b" ")
    if not epoch or not offset.isdigit() or len(offset) > 18 or len(epoch) > 64 or not epoch.isascii():
        return None
    return Position(epoch.decode(), int(offset))


def _said(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value.strip() for name, _, value in lines}


def _field(values: Mapping[Any, Any], name: str) -> str:
    value = values.get(name, values.get(name.encode(), ""))
    return value.decode() if isinstance(value, bytes) else str(value)
