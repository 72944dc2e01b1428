"""How often something may happen: token buckets, and a bounded table of them."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

from lineside.cable._auth._headers import Scope
from lineside.cable._auth._refusals import TooManyAttempts

__all__ = ["ConnectionRates", "TokenBucket", "peer_key"]

_IPV6_SITE_BITS: Final = 64


class TokenBucket:
    """Allows a rate on average and a burst at once; knows the time only when it is asked.

    Args:
        per_second: How many tokens come back in a second.
        burst: How many there are at most, and at first.
        clock: Returns seconds that never go back.

    Raises:
        ValueError: The rate is not positive, or the burst below 1.
    """

    __slots__ = ("_burst", "_clock", "_left", "_per_second", "_seen")

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not (per_second > 0 and burst >= 1):
            raise ValueError(f"a rate is positive and a burst at least 1, not {per_second} and {burst}")
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._left = float(burst)
        self._seen = clock()

    def take(self, count: float = 1.0) -> bool:
        """Take tokens, all of them or none; tell whether they were there.

        Args:
            count: How many; more than the burst is never there.
        """
        now = self._clock()
        left = min(self._burst, self._left + (now - self._seen) * self._per_second)
        self._seen = now
        taken = count <= left
        self._left = left - count if taken else left
        return taken

    def seconds_until(self, count: float = 1.0) -> float:
        """Return in how many seconds the tokens will be there; 0 for now.

        Args:
            count: How many.
        """
        self._fill()
        return max(0.0, (count - self._left) / self._per_second)

    @property
    def full(self) -> bool:
        """As if nothing had ever been taken."""
        self._fill()
        return self._left >= self._burst

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._seen) * self._per_second)
        self._seen = now


class ConnectionRates:
    """Limits how often each peer may connect. The table is bounded: who was seen longest ago leaves it.

    Args:
        per_second: How many connections one peer may open in a second, on average.
        burst: And how many at once.
        peers: How many peers are remembered.
        clock: Returns seconds that never go back.
    """

    __slots__ = ("_buckets", "_burst", "_clock", "_peers", "_per_second")

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        peers: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if peers < 1:
            raise ValueError(f"at least 1 peer must be remembered, not {peers}")
        TokenBucket(per_second, burst, clock)  # refuses a bad rate now, not at the first connection
        self._per_second = per_second
        self._burst = burst
        self._peers = peers
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def check(self, key: str) -> None:
        """Count an attempt to connect.

        Args:
            key: Who connects: `peer_key` of the request, or an identity's id.

        Raises:
            TooManyAttempts: The peer has none left (429, with the time to wait).
        """
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._per_second, self._burst, self._clock)
            if len(self._buckets) > self._peers:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        if not bucket.take():
            raise TooManyAttempts(bucket.seconds_until())

    @property
    def peer_count(self) -> int:
        """How many peers are remembered."""
        return len(self._buckets)


def peer_key(scope: Scope) -> str:
    """Return what counts as one peer: an IPv4 address, or the /64 network that an IPv6 site has.

    Args:
        scope: The request's ASGI scope; behind a proxy the server has set ``client`` from its headers.
    """
    client = scope.get("client")
    if not client:
        return "unknown"
    try:
        address = ip_address(str(client[0]))
    except ValueError:
        return str(client[0])[:100]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _IPV6_SITE_BITS << _IPV6_SITE_BITS)}/{_IPV6_SITE_BITS}"
