"""Which streams this node listens to, and what goes to them without being kept."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from lineside.bus._backoff import persist
from lineside.bus._contract import Receiver
from lineside.bus._envelope import Envelope
from lineside.bus._message import Message, Position
from lineside.bus._nats._link import NatsLink
from lineside.bus._nats._session import Session
from lineside.bus._nats._subjects import Subjects, token_of
from lineside.bus._options import BackendOptions

__all__ = ["NatsStreams"]


@dataclass(slots=True)
class _Listening:
    history: bool
    session: Session | None = None
    stop: Callable[[], Coroutine[Any, Any, None]] | None = None


class NatsStreams:
    """The streams of one node.

    Args:
        link: The connection.
        subjects: The namespace's subjects.
        envelope: Writes and reads messages.
        options: The deadline.
        receiver: Returns who takes the messages.
    """

    def __init__(
        self,
        link: NatsLink,
        subjects: Subjects,
        envelope: Envelope,
        options: BackendOptions,
        receiver: Callable[[], Receiver | None],
    ) -> None:
        self._link = link
        self._subjects = subjects
        self._envelope = envelope
        self._deadline_seconds = options.deadline_seconds
        self._receiver = receiver
        self._streams: dict[str, _Listening] = {}
        self._kept: dict[str, str] = {}

    def kept(self) -> tuple[str, ...]:
        """Return the streams whose kept messages are wanted."""
        return tuple(self._kept.values())

    async def add(self, stream: str, *, history: bool) -> None:
        """Listen to a stream, and wait until the server knows.

        Args:
            stream: Its name.
            history: Kept messages are wanted as well.
        """
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        listening = self._streams.setdefault(stream, _Listening(history))
        if history:
            listening.history = True
            self._kept[token_of(stream)] = stream

        async def listen(session: Session) -> None:
            await self._listen(stream, listening, session)

        await self._settled(listen, until)

    async def remove(self, stream: str) -> None:
        """Stop listening to a stream.

        Args:
            stream: Its name.
        """
        self._kept.pop(token_of(stream), None)
        listening = self._streams.pop(stream, None)
        if listening is not None and listening.stop is not None:
            await listening.stop()

    async def restore(self, session: Session) -> None:
        """Listen to everything over a new connection.

        Args:
            session: The connection.
        """
        for stream, listening in tuple(self._streams.items()):
            if stream in self._streams:
                await self._listen(stream, listening, session)

    async def publish(self, message: Message) -> None:
        """Send a message to the nodes that listen now, and wait until the server has it.

        Args:
            message: The message.

        Raises:
            BusUnavailable: The server is away, or ended the connection while it was sent.
        """
        data = self._envelope.encode(message)
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        subject = self._subjects.live(message.stream)

        async def send(session: Session) -> None:
            await session.publish(subject, data)

        # A second try is safe: listeners know the message by its id.
        await self._settled(send, until)

    def deliver_kept(self, token: str, epoch: str, sequence: int, data: bytes) -> None:
        """Hand on a message of the log, if somebody listens to its stream.

        Args:
            token: The stream's token.
            epoch: The log's epoch.
            sequence: The message's sequence.
            data: The message.
        """
        stream = self._kept.get(token)
        if stream is not None:
            self._deliver(data, Position(epoch, sequence), stream)

    async def _settled(self, work: Callable[[Session], Awaitable[None]], until: float) -> None:
        async def attempt() -> None:
            session = await self._link.session(until=until)
            await work(session)
            left = until - asyncio.get_running_loop().time()
            await session.settle(timeout_seconds=max(left, 0.0))

        await persist(attempt, until=until)

    async def _listen(self, stream: str, listening: _Listening, session: Session) -> None:
        if listening.session is session:
            return
        listening.session = session
        try:
            listening.stop = await session.listen(
                self._subjects.live(stream), lambda delivery: self._deliver(delivery.data, None, stream)
            )
        except BaseException:
            listening.session = None
            raise

    def _deliver(self, data: bytes, position: Position | None, stream: str) -> None:
        receiver = self._receiver()
        message = self._envelope.read(data, position, stream=stream)
        if receiver is not None and message is not None:
            receiver.received(message)
