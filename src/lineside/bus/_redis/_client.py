"""redis-py, set up so that every deadline, retry and reconnection is the bus' own."""

import asyncio
import logging
import math
import secrets
from typing import Any, Final

import redis.asyncio
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from lineside.bus._redis._commands import Errors
from lineside.bus._redis._node_scripts import ADOPT
from lineside.bus._redis._subscriber import Link
from lineside.exceptions import ConfigurationError

__all__ = ["ERRORS", "RedisClient"]

_CONNECT_SECONDS: Final = 2.0
_CONNECTIONS: Final = 32

ERRORS: Final = Errors(
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
"""What redis-py raises, sorted."""

_logger: Final = logging.getLogger("lineside.bus")


class RedisClient:
    """The connections to one server.

    Args:
        url: As redis-py takes it.
        prefix: In front of every key.
        deadline_seconds: How long a call of the bus may take.

    Raises:
        ConfigurationError: The URL is not possible.

    Attributes:
        commands: The ``redis.asyncio.Redis``.
        database: The number of the database.
    """

    def __init__(self, url: str, *, prefix: str, deadline_seconds: float) -> None:
        self._prefix = prefix
        self._warned = False
        self._pool = self._pool_of(url, deadline_seconds)
        self.commands: Any = redis.asyncio.Redis(connection_pool=self._pool)
        self.database: int = self._pool.connection_kwargs.get("db", 0)

    async def close(self) -> None:
        """Close every connection of the pool."""
        await self.commands.aclose()
        await self._pool.disconnect()

    async def open_link(self) -> Link:
        """Open a connection beside the pool, for listening."""
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

    def _pool_of(self, url: str, deadline: float) -> Any:
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

    async def _greet(self, connection: Any) -> None:
        # On every new connection, in front of its first command: nobody works with a server that has
        # lost messages before its streams have another epoch.
        await connection.on_connect()
        try:
            await connection.send_command("INFO", check_health=False)
            said = _said(await connection.read_response())
            if said.get("loading") == "1":
                # While it reads its file, INFO says that it has none, and it may be through before EVAL.
                raise exceptions.BusyLoadingError("Redis is still reading its file")
            safe = said.get("aof_enabled") == "1" and not said.get("master_replid2", "0").strip("0")
            await connection.send_command(
                *("EVAL", ADOPT, 1, self._prefix, said.get("run_id", "")),
                *(int(safe), secrets.token_hex(4)),
                check_health=False,
            )
            await connection.read_response()
        except exceptions.NoPermissionError as error:
            if not self._warned:
                self._warned = True
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


def _said(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value.strip() for name, _, value in lines}
