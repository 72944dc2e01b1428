"""What the NATS backend asks of one connection, so that nothing but ``_client.py`` knows nats-py."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple, Protocol

from lineside.bus._errors import BusUnavailable

__all__ = ["Delivery", "Dial", "NobodyAnswers", "Session", "Taker"]


class NobodyAnswers(BusUnavailable):
    """Nothing on the server listens to the subject of a request: its status 503."""


class Delivery(NamedTuple):
    """A message as the server delivers it.

    Attributes:
        subject: Where it was published.
        reply: Where an answer would go; for a message of a log, its place there.
        data: Its bytes.
        headers: Its headers; a message of the server itself has ``Status``.
    """

    subject: str
    reply: str
    data: bytes
    headers: Mapping[str, str]


Taker = Callable[[Delivery], None]
"""Takes deliveries, on the event loop; it does not wait."""


class Session(Protocol):
    """One connection, which never comes back once it has ended.

    Attributes:
        ended: Has the reason when the connection is no more.
        max_payload: The largest message of this server, in bytes.
    """

    ended: "asyncio.Future[str]"
    max_payload: int

    async def request(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None, timeout_seconds: float
    ) -> Delivery:
        """Ask, and wait for the answer.

        Raises:
            NobodyAnswers: Nobody listens to the subject.
            BusUnavailable: There is no answer in time.
        """
        ...

    async def publish(self, subject: str, data: bytes) -> None:
        """Send a message; `settle` tells when the server has it."""
        ...

    async def settle(self, *, timeout_seconds: float) -> None:
        """Wait until the server has processed everything that was sent before.

        Raises:
            BusUnavailable: It has not in time.
        """
        ...

    async def listen(self, subject: str, taker: Taker) -> Callable[[], Coroutine[Any, Any, None]]:
        """Take what is published to a subject; returns what stops it."""
        ...

    def new_inbox(self) -> str:
        """Return a subject that nobody else uses."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...


Dial = Callable[[], Awaitable[Session]]
"""Opens a connection, or raises `BusUnavailable`."""
