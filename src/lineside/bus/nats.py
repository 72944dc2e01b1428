"""The backend on NATS: core NATS for messages that are not kept, JetStream for those that are.

    from lineside.bus import Bus

    bus = Bus("nats://127.0.0.1:4222")
    bus_on_a_cluster = Bus("nats://user:password@one:4222,two:4222?storage=file&replicas=3")

History, presence and membership need JetStream (``nats-server -js``); for the rest core NATS is enough.
Kept messages arrive only at who subscribes with ``history=True``. What the URL may say behind the ``?``:

- ``storage``: ``file`` (the default) or ``memory``: where JetStream keeps what is kept.
- ``replicas``: on how many servers of a NATS cluster; 1 by default.

JetStream acknowledges a message before it is safe on the disk: a power failure may cost what came in the
last two minutes, unless the server is told ``sync_interval: always``.
"""

from typing import Final
from urllib.parse import parse_qsl

from lineside.bus._contract import History, Membership, Presence, Receiver
from lineside.bus._envelope import Envelope
from lineside.bus._errors import BusUnavailable
from lineside.bus._message import Discontinuity, Message
from lineside.bus._nats._core import NatsStreams
from lineside.bus._nats._gap import Gap
from lineside.bus._nats._history import NatsHistory
from lineside.bus._nats._jetstream import JetStream
from lineside.bus._nats._link import NatsLink
from lineside.bus._nats._log import NatsLog
from lineside.bus._nats._membership import NatsMembership
from lineside.bus._nats._presence import NatsPresence
from lineside.bus._nats._reader import NatsReader
from lineside.bus._nats._session import Session
from lineside.bus._nats._state import NatsState
from lineside.bus._nats._subjects import Subjects
from lineside.bus._options import BackendOptions
from lineside.exceptions import ConfigurationError, MissingDependencyError

try:
    from lineside.bus._nats._client import dial
except ImportError as _missing:
    raise MissingDependencyError("nats", extra="nats") from _missing

__all__ = ["NatsBackend"]

_STORAGES: Final = ("file", "memory")


class NatsBackend:
    """Carries messages over NATS.

    Args:
        url: ``nats://`` or ``tls://``, one server or several with commas between them.
        options: The bus' settings.

    Raises:
        ConfigurationError: The URL asks for something unknown.

    Attributes:
        scheme: ``"nats"``.
        local: It reaches other processes.
        history: The logs, in JetStream.
        presence: The groups, in JetStream.
        membership: The nodes, in JetStream.
    """

    scheme: str = "nats"
    local: bool = False

    def __init__(self, url: str, options: BackendOptions | None = None) -> None:
        options = options or BackendOptions()
        servers, storage, replicas = _read_url(url)
        subjects, envelope = Subjects(options.namespace), Envelope(options)
        self._receiver: Receiver | None = None
        self._deadline_seconds = options.deadline_seconds
        self._link = NatsLink(
            lambda: dial(servers, name=f"lineside-{options.namespace}", stats=options.stats),
            prepare=self._prepare,
            lost=self._lost,
            restored=self._restored,
        )
        jetstream = JetStream(self._link, timeout_seconds=min(2.0, options.deadline_seconds))
        log = NatsLog(jetstream, subjects, storage=storage, replicas=replicas)
        self._streams = NatsStreams(self._link, subjects, envelope, options, lambda: self._receiver)
        gap = Gap(jetstream, log, subjects, streams=self._streams.kept, interrupted=self._interrupted)
        self._reader = NatsReader(
            jetstream, log, gap, deliver=self._streams.deliver_kept, renewed=self._renewed
        )
        state = NatsState(jetstream, options, storage=storage, replicas=replicas)
        self.history: History | None = NatsHistory(jetstream, log, self._reader, subjects, envelope, options)
        self.presence: Presence | None = NatsPresence(state)
        self.membership: Membership | None = NatsMembership(state)

    async def connect(self, receiver: Receiver) -> None:
        """Reach the server; from now on a lost connection is replaced by another."""
        self._receiver = receiver
        await self._link.open(deadline_seconds=self._deadline_seconds)

    async def close(self) -> None:
        """Leave the server; a second call does nothing."""
        self._receiver = None
        await self._reader.stop()
        await self._link.close()

    async def subscribe(self, stream: str, *, history: bool) -> None:
        """Listen to a stream; returns when the server knows."""
        if history:
            await self._reader.start()
        await self._streams.add(stream, history=history)

    async def unsubscribe(self, stream: str) -> None:
        """Stop listening to a stream."""
        await self._streams.remove(stream)

    async def publish(self, message: Message) -> None:
        """Publish a message that is not kept, over core NATS."""
        await self._streams.publish(message)

    async def ping(self) -> None:
        """Ask the server for an answer."""
        session = self._link.current
        if session is None:
            raise BusUnavailable("the NATS server cannot be reached; is it running?")
        await session.settle(timeout_seconds=self._deadline_seconds)

    async def _prepare(self, session: Session) -> None:
        await self._streams.restore(session)
        await self._reader.resume(session)

    def _lost(self, reason: str) -> None:
        if self._receiver is not None:
            self._receiver.lost(reason)

    def _restored(self) -> None:
        if self._receiver is not None:
            self._receiver.restored()

    def _interrupted(self, discontinuity: Discontinuity) -> None:
        if self._receiver is not None:
            self._receiver.interrupted(discontinuity)

    def _renewed(self, epoch: str, last: int) -> None:
        for stream in self._streams.kept():
            self._interrupted(Discontinuity(stream, epoch, last, "epoch"))


def _read_url(url: str) -> tuple[list[str], str, int]:
    address, _, query = url.partition("?")
    scheme, _, hosts = address.partition("://")
    hosts = hosts.rstrip("/")
    credentials, at, hosts = hosts.rpartition("@")
    servers = [f"{scheme}://{credentials}{at}{host}" for host in hosts.split(",") if host]
    settings = dict(parse_qsl(query, keep_blank_values=True))
    storage, replicas = settings.pop("storage", "file"), settings.pop("replicas", "1")
    if settings:
        raise ConfigurationError(
            f"a NATS URL has the settings storage and replicas, not {', '.join(sorted(settings))}"
        )
    if storage not in _STORAGES:
        raise ConfigurationError("the setting 'storage' of a NATS URL is 'file' or 'memory'")
    if not replicas.isdecimal() or not 1 <= int(replicas) <= 5:
        raise ConfigurationError("the setting 'replicas' of a NATS URL is a number from 1 to 5")
    if not servers:
        raise ConfigurationError("a NATS URL names a server: nats://127.0.0.1:4222")
    return servers, storage, int(replicas)
