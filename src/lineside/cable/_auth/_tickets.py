"""One-time tickets: what a page puts into the query string instead of a token.

An EventSource and a WebSocket of a browser cannot set headers. A page asks for a ticket over HTTP, with
its token, and connects with ``?ticket=``: found in a log afterwards, it opens nothing (OWASP ASVS 5.0
14.2.1). The ticket itself names nobody; who it is for stays on the server.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Protocol

from lineside.cable._auth._permissions import known_permissions
from lineside.cable._auth._refusals import InvalidTicket
from lineside.cable._protocol._errors import CableError
from lineside.cable._protocol._identity import Identity
from lineside.exceptions import SignatureError
from lineside.signing import Signer
from lineside.strict_json import dumps, loads

__all__ = ["MemoryTickets", "TicketStore", "TicketStoreFull", "Tickets"]

_PURPOSE: Final = "cable ticket"
_PREFIX: Final = "cable-ticket:"


class TicketStore(Protocol):
    """Keeps values for a while and hands each out once; the bus's `Membership` is one for all nodes."""

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long."""
        ...

    async def take(self, key: str) -> bytes | None:
        """Return a value and drop it: of several callers, one gets it."""
        ...


class TicketStoreFull(CableError):  # noqa: N818 - it says what is
    """As many tickets are waiting as the store keeps; one can be asked for again in a moment."""

    status_hint = 503


class Tickets:
    """Issues tickets and redeems each once.

    Args:
        signer: Signs them, so that a made-up one never reaches the store.
        store: Remembers which are open.
        ttl_seconds: How long a ticket is good.
    """

    __slots__ = ("_signer", "_store", "_ttl_seconds")

    def __init__(self, signer: Signer, store: TicketStore, *, ttl_seconds: float = 30.0) -> None:
        if not ttl_seconds > 0:
            raise ValueError(f"a ticket is good for a positive time, not {ttl_seconds} s")
        self._signer = signer
        self._store = store
        self._ttl_seconds = ttl_seconds

    async def issue(self, identity: Identity, *, origin: str | None) -> str:
        """Return a ticket for an identity.

        Args:
            identity: Who will connect with it; its ``user`` is not kept.
            origin: The Origin header of the request that asks; the connection must have the same. None
                for a client that sends none.

        Raises:
            TicketStoreFull: Too many tickets are open.
        """
        name = secrets.token_urlsafe(24)
        await self._store.put(
            _PREFIX + name, dumps([origin, _values(identity)]), ttl_seconds=self._ttl_seconds
        )
        return self._signer.sign(name, purpose=_PURPOSE, expires_in=timedelta(seconds=self._ttl_seconds))

    @property
    def ttl_seconds(self) -> float:
        """How long a ticket is good."""
        return self._ttl_seconds

    async def redeem(self, ticket: str, *, origin: str | None, same_origin: bool = False) -> Identity:
        """Return whom a ticket was issued for; it is used up then, and also by a wrong Origin.

        Args:
            ticket: What came in the query string.
            origin: The Origin header of the connection.
            same_origin: The browser says that there is none because the page is of this very origin.

        Raises:
            InvalidTicket: It is forged, over, used, or from another Origin.
        """
        try:
            name = self._signer.verify(ticket, purpose=_PURPOSE)
        except SignatureError as error:
            raise InvalidTicket(f"the ticket is {error.reason}") from None
        kept = await self._store.take(f"{_PREFIX}{name}")
        if kept is None:
            raise InvalidTicket("the ticket was used, or is over")
        expected, values = loads(kept)
        if origin != expected and not (origin is None and same_origin):
            raise InvalidTicket("the ticket came from another Origin")
        return _identity(values)


class MemoryTickets:
    """Keeps the tickets of one process.

    Args:
        most: How many may be open.
        clock: Returns seconds that never go back.
    """

    __slots__ = ("_clock", "_most", "_open")

    def __init__(self, *, most: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._open: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long.

        Raises:
            TicketStoreFull: Too many are kept.
        """
        now = self._clock()
        while self._open and next(iter(self._open.values()))[0] <= now:
            self._open.popitem(last=False)
        if len(self._open) >= self._most:
            raise TicketStoreFull(f"{self._most} tickets are open; ask again in a moment")
        self._open[key] = (now + ttl_seconds, value)

    async def take(self, key: str) -> bytes | None:
        """Return a value and drop it."""
        ends, value = self._open.pop(key, (0.0, None))
        return value if self._clock() < ends else None

    @property
    def open_count(self) -> int:
        """How many are kept."""
        return len(self._open)


def _values(identity: Identity) -> dict[str, Any]:
    return {
        "id": identity.id,
        "identifiers": dict(identity.identifiers),
        "permissions": sorted(identity.permissions),
        "expires_at": identity.expires_at,
        "anonymous": identity.anonymous,
    }


def _identity(values: dict[str, Any]) -> Identity:
    return Identity(
        id=values["id"],
        identifiers=values["identifiers"],
        permissions=known_permissions(values["permissions"]),
        expires_at=values["expires_at"],
        anonymous=values["anonymous"],
    )
