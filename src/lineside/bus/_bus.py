"""The bus of one process."""

import asyncio
import logging
import secrets as random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from lineside.bus._checks import check_id, check_namespace, check_stream
from lineside.bus._contract import Backend, History, Membership, Presence
from lineside.bus._dedup import Seen
from lineside.bus._errors import (
    BusClosedError,
    BusUnavailable,
    UnsupportedByBackendError,
)
from lineside.bus._ids import Ids
from lineside.bus._intake import Intake
from lineside.bus._message import HistoryLimits, Position, Published, Slice
from lineside.bus._options import BackendOptions, Secret
from lineside.bus._publishing import Publisher
from lineside.bus._registry import Registry
from lineside.bus._stats import BusStats
from lineside.bus._subscription import BusSubscription, Listener, MessageQueue, Registration
from lineside.bus._tasks import end_tasks
from lineside.bus._urls import backend_of_url
from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lineside.instrumentation import Metrics

__all__ = ["Bus"]

_POSITION_CHECK_SECONDS: Final = 25.0
_READS_AT_A_TIME: Final = 32

_logger = logging.getLogger("lineside.bus")

_T = TypeVar("_T")


class Bus:
    """Carries messages to every process that listens, over the backend that a URL names.

    Args:
        url_or_backend: ``"memory://"``, ``"redis://..."``, ``"nats://..."``, ``"postgres://..."``, or a
            `Backend` that was made with settings of its own.
        namespace: Keeps the buses of several apps on one server apart: letters, digits, ``_`` and ``-``.
        node: The id of this process; by default a random one. Unique over all nodes.
        secret: Signs what is published; messages that are not signed with it are refused then. At least
            32 bytes. To rotate, use `BackendOptions.secrets` with a backend of your own.
        dedup_seconds: How long a message's id is remembered.
        dedup_size: How many ids are remembered.
        deadline_seconds: How long a call waits for the server, retries included.
        max_message_bytes: The largest data of one message.
        clock: Returns the seconds since 1970; stamps messages.
        new_id: Makes the ids of messages; unique over all nodes.
        metrics: Shows what happens as ``lineside_bus_events_total``.

    Raises:
        ConfigurationError: The scheme or the namespace is not possible, or settings of the server are
            given beside a backend that has its own.
        MissingDependencyError: The scheme's client is not installed.
        SecretError: The secret has less than 32 bytes.

    Attributes:
        node: The id of this process on the bus.
        backend: Carries the messages.
        stats: What has happened, in figures.
        reads: Bounds how many logs are read at a time.
    """

    def __init__(
        self,
        url_or_backend: str | Backend,
        *,
        namespace: str = "lineside",
        node: str | None = None,
        secret: Secret | None = None,
        dedup_seconds: float = 120.0,
        dedup_size: int = 100_000,
        deadline_seconds: float = 5.0,
        max_message_bytes: int = 4 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] | None = None,
        metrics: "Metrics | None" = None,
    ) -> None:
        check_namespace(namespace)
        self.stats: BusStats = BusStats(metrics)
        if isinstance(url_or_backend, str):
            options = BackendOptions(
                namespace=namespace,
                secrets=() if secret is None else (secret,),
                deadline_seconds=deadline_seconds,
                max_message_bytes=max_message_bytes,
                stats=self.stats,
            )
            self.backend: Backend = backend_of_url(url_or_backend, options)
        elif secret is not None or namespace != "lineside":
            raise ConfigurationError(
                "a backend that is given as an object has its own namespace and secrets: "
                "give them to it, as BackendOptions(namespace=..., secrets=[...])"
            )
        else:
            self.backend = url_or_backend
        self.node: str = check_id(node, what="a node's id") if node is not None else random.token_hex(8)
        self.reads: asyncio.Semaphore = asyncio.Semaphore(_READS_AT_A_TIME)
        self._tasks: set[asyncio.Task[None]] = set()
        self._registry = Registry(self)
        streams, seen = self._registry.streams, Seen(seconds=dedup_seconds, size=dedup_size)
        self._intake = Intake(node=self.node, streams=streams, seen=seen, stats=self.stats)
        self._publisher = Publisher(
            node=self.node,
            streams=streams,
            seen=seen,
            unsent=Seen(seconds=dedup_seconds, size=dedup_size),
            stats=self.stats,
            max_bytes=max_message_bytes,
            clock=clock,
            new_id=new_id if new_id is not None else Ids(),
        )
        self._open = False

    @property
    def scheme(self) -> str:
        """The URL scheme of the backend: ``"redis"``."""
        return self.backend.scheme

    @property
    def local(self) -> bool:
        """The bus reaches this process only."""
        return self.backend.local

    @property
    def history(self) -> History | None:
        """The logs of the streams, where the backend has them."""
        return self.backend.history

    @property
    def presence(self) -> Presence | None:
        """The groups, where the backend has them."""
        return self.backend.presence

    @property
    def membership(self) -> Membership | None:
        """The nodes, where the backend knows them."""
        return self.backend.membership

    @property
    def connected(self) -> bool:
        """The server answered when it was last asked."""
        return self._open and self._intake.connected.is_set()

    @property
    def open(self) -> bool:
        """The bus is between `connect` and `close`."""
        return self._open

    def require_history(self) -> History:
        """Return the logs.

        Raises:
            UnsupportedByBackendError: The backend keeps none.
        """
        return _required(self.history, "history", self.scheme)

    def require_presence(self) -> Presence:
        """Return the groups.

        Raises:
            UnsupportedByBackendError: The backend has none.
        """
        return _required(self.presence, "presence", self.scheme)

    def require_membership(self) -> Membership:
        """Return the nodes.

        Raises:
            UnsupportedByBackendError: The backend does not know them.
        """
        return _required(self.membership, "membership", self.scheme)

    async def connect(self) -> None:
        """Reach the server; from now on the bus comes back by itself. A second call does nothing.

        Raises:
            BusUnavailable: The server does not answer within the deadline.
        """
        if self._open:
            return
        await self.backend.connect(self._intake)
        self._intake.connected.set()
        self._open = True
        self.spawn(self._registry.check_positions(_POSITION_CHECK_SECONDS))

    async def close(self) -> None:
        """Deliver nothing more and leave the server; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        self._intake.connected.clear()
        self._registry.close()
        await end_tasks(self._tasks)
        await self.backend.close()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def publish(
        self,
        stream: str,
        data: bytes,
        *,
        history: HistoryLimits | None = None,
        id: str | None = None,  # noqa: A002 - the message's word for it
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Published:
        """Publish a message to everybody who listens to a stream.

        Without history it reaches this process' listeners at once, before the server has it; other nodes
        get it if they can be reached now. With history it gets its offset first, and arrives everywhere
        in the order of the offsets.

        Args:
            stream: The stream's name: 1 to 255 bytes, no control characters.
            data: Any bytes; they arrive unchanged.
            history: What to keep of the stream; None to keep nothing.
            id: Names the message; by default a new one. A second message with one id is dropped.
            idempotency_key: A second message with this key is not published: for 5 minutes with history;
                without, for ``dedup_seconds``, and only as far as each node remembers.
            headers: Small texts beside the data; 8 KiB at most.

        Returns:
            The message's id, and its position if it is kept.

        Raises:
            BusUnavailable: The server was away until the deadline. Without history, listeners of this
                process have the message. Publishing again with the same id publishes it once at most.
            InvalidStreamError: The name is no stream's.
            MessageTooLargeError: The data or the headers are too large.
            UnsupportedByBackendError: The backend keeps no history.
            BusClosedError: The bus is not connected.
        """
        self._must_be_open()
        kept = history if history is not None and history.messages > 0 else None
        key = idempotency_key if kept is None else None
        message = self._publisher.message(stream, data, id, key, headers)
        try:
            if kept is None:
                return await self._publisher.publish(message, self.backend)
            return await self.require_history().append(message, kept, idempotency_key=idempotency_key)
        except BusUnavailable:
            self.stats.count("unavailable")
            raise

    async def subscribe(self, stream: str, listener: Listener, *, history: bool = False) -> BusSubscription:
        """Listen to a stream; returns when the subscription is live everywhere.

        Args:
            stream: The stream's name.
            listener: A plain function that takes each message, or the notice that some are lost.
            history: The stream's messages are kept: they arrive in the order of their offsets, none is
                missing, and when some cannot be brought back a `Discontinuity` tells. Say so wherever
                they are: without it, whether kept messages arrive at all is the backend's affair.

        Raises:
            BusUnavailable: The server did not confirm within the deadline.
            InvalidStreamError: The name is no stream's.
            UnsupportedByBackendError: The backend keeps no history.
            BusClosedError: The bus is not connected.
        """
        self._must_be_open()
        check_stream(stream)
        if history:
            self.require_history()
        return await self._counted(
            self._registry.subscribe(stream, listener, history=history, check=self._must_be_open)
        )

    @asynccontextmanager
    async def messages(
        self, stream: str, *, history: bool = False, max_pending: int = 1_000
    ) -> AsyncGenerator[MessageQueue, None]:
        """Listen to a stream with ``async for``, for a block.

        Args:
            stream: The stream's name.
            history: As in `subscribe`; a `Discontinuity` comes between the messages.
            max_pending: How many messages may wait; one more ends the loop with `SlowConsumerError`.
        """
        queue = MessageQueue(max_pending)
        subscription = await self.subscribe(stream, queue.put, history=history)
        try:
            yield queue
        finally:
            await subscription.close()

    async def read(
        self,
        stream: str,
        *,
        after: Position | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> Slice:
        """Return a piece of a stream's log.

        Args:
            stream: The stream's name.
            after: The last message that is known; wins over ``since``.
            since: Seconds since 1970: messages published then or later.
            limit: At most the last so many; with the others, a longer slice is not complete.

        Raises:
            BusUnavailable: The server did not answer within the deadline.
            UnsupportedByBackendError: The backend keeps no history.
        """
        self._must_be_open()
        check_stream(stream)
        return await self._counted(self.require_history().read(stream, after=after, since=since, limit=limit))

    async def ping(self) -> None:
        """Ask the server for an answer.

        Raises:
            BusUnavailable: There is none within the deadline.
        """
        self._must_be_open()
        await self._counted(self.backend.ping())

    def on_lost(self, function: Callable[[str], object]) -> Registration:
        """Call a function with the reason whenever the server is lost.

        Args:
            function: A plain function; what it raises is logged.
        """
        return Registration(self._intake.on_lost, function)

    def on_restored(self, function: Callable[[], object]) -> Registration:
        """Call a function whenever every subscription is live again.

        Args:
            function: A plain function; what it raises is logged.
        """
        return Registration(self._intake.on_restored, function)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside; `close` ends it.

        Args:
            work: What to run.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def until_connected(self) -> None:
        """Wait until the server can be reached."""
        await self._intake.connected.wait()

    async def _counted(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            return await work
        except BusUnavailable:
            self.stats.count("unavailable")
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("work of the bus failed", exc_info=error)

    def _must_be_open(self) -> None:
        if not self._open:
            raise BusClosedError(
                "the bus is not connected; use it inside 'async with bus', or call connect()"
            )


def _required(part: _T | None, name: str, scheme: str) -> _T:
    if part is None:
        raise UnsupportedByBackendError(
            f"the {scheme}:// backend has no {name}; memory://, redis://, nats:// and postgres:// have"
        )
    return part
