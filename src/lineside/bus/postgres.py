"""The backend on PostgreSQL: LISTEN and NOTIFY, and tables for what is kept.

    from lineside.bus import Bus

    bus = Bus("postgres://user:password@127.0.0.1:5432/app")

A message travels inside its notification when it has at most 5,600 bytes with its envelope, else in a
table. The tables and functions are called ``lineside_bus_...`` and made at the first connect in the first
schema of the ``search_path``; who may not create them there lets somebody else run `SCHEMA`. The connection
must be one session of the server: a pooler between statements (PgBouncer's transaction mode) cannot listen.

What is acknowledged is as safe as any commit of the server (``synchronous_commit``). A commit that notifies
takes a lock of the whole database: some thousands of messages in a second are the most, which is what
``redis://`` and ``nats://`` are for.
"""

import asyncio
import logging
import random
from typing import Final

from lineside.bus._contract import History, Membership, Presence, Receiver
from lineside.bus._envelope import Envelope
from lineside.bus._errors import BusError, BusUnavailable
from lineside.bus._message import Message
from lineside.bus._options import BackendOptions
from lineside.bus._postgres._channels import channel_of, token_of
from lineside.bus._postgres._client import prepare
from lineside.bus._postgres._groups import PostgresMembership, PostgresPresence
from lineside.bus._postgres._history import PostgresHistory
from lineside.bus._postgres._listener import PostgresListener
from lineside.bus._postgres._pool import PostgresPool
from lineside.bus._postgres._schema import SCHEMA
from lineside.bus._postgres._streams import PostgresStreams

__all__ = ["SCHEMA", "PostgresBackend"]

_PUBLISH: Final = "SELECT lineside_bus_publish($1, $2, $3)"
_SWEEP_SECONDS: Final = 30.0

_logger = logging.getLogger("lineside.bus")


class PostgresBackend:
    """Carries messages over PostgreSQL.

    Args:
        url: The database, as asyncpg takes it.
        options: The bus' settings.
        pool_size: The most connections beside the one that listens.

    Attributes:
        scheme: ``"postgres"``.
        local: It reaches other processes.
        history: The logs, in tables.
        presence: The groups, in tables.
        membership: The nodes, in tables.
    """

    scheme: str = "postgres"
    local: bool = False

    def __init__(self, url: str, options: BackendOptions | None = None, *, pool_size: int = 8) -> None:
        options = options or BackendOptions()
        envelope = Envelope(options)
        self._receiver: Receiver | None = None
        self._namespace = options.namespace
        self._deadline_seconds = options.deadline_seconds
        self._envelope = envelope
        self._pool = PostgresPool(url, options, size=pool_size)
        self._streams = PostgresStreams(self._pool, envelope, options, lambda: self._receiver)
        self._listener = PostgresListener(
            url,
            prepare=prepare,
            notified=self._streams.notified,
            lost=self._lost,
            restored=self._restored,
        )
        self._sweeper: asyncio.Task[None] | None = None
        self.history: History | None = PostgresHistory(self._pool, envelope, options)
        self.presence: Presence | None = PostgresPresence(self._pool, options)
        self.membership: Membership | None = PostgresMembership(self._pool, options)

    async def connect(self, receiver: Receiver) -> None:
        """Reach the server and make what is missing there; from now on lost connections are replaced."""
        self._receiver = receiver
        await self._listener.open(deadline_seconds=self._deadline_seconds)
        self._pool.open = True
        self._pool.up.set()
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def close(self) -> None:
        """Leave the server; a second call does nothing."""
        self._receiver = None
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
            await asyncio.wait([sweeper])
        await self._streams.stop()
        await self._listener.close()
        self._pool.open = False
        self._pool.drop()

    async def subscribe(self, stream: str, *, history: bool) -> None:
        """Listen to a stream; returns when the server knows."""
        del history  # kept messages are notified like the others
        await self._streams.add(self._listener, stream)

    async def unsubscribe(self, stream: str) -> None:
        """Stop listening to a stream."""
        await self._streams.remove(self._listener, stream)

    async def publish(self, message: Message) -> None:
        """Publish a message that is not kept; who listens knows it by its id if it is sent twice."""
        await self._pool.fetch(
            _PUBLISH,
            channel_of(self._namespace, message.stream),
            token_of(message.stream),
            self._envelope.encode(message),
        )

    async def ping(self) -> None:
        """Ask the server for an answer."""
        await self._pool.fetch("SELECT 1")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS * random.uniform(0.7, 1.3))  # noqa: S311 - no secret
            try:
                await self._pool.fetch("SELECT lineside_bus_sweep()")
            except BusUnavailable as error:
                _logger.debug("nothing is swept while PostgreSQL is away: %s", error)
            except BusError:
                _logger.exception("what is over could not be removed from the tables; trying again later")

    def _lost(self, reason: str) -> None:
        self._pool.up.clear()
        self._pool.drop()
        if self._receiver is not None:
            self._receiver.lost(reason)

    def _restored(self) -> None:
        self._pool.up.set()
        if self._receiver is not None:
            self._receiver.restored()
