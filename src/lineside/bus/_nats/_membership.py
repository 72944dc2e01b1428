"""Which nodes of a NATS bus are alive, by the server's clock, and the small values."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lineside.bus._contract import Node
from lineside.bus._nats._bucket import Entry
from lineside.bus._nats._state import NatsState
from lineside.bus._nats._subjects import token_of
from lineside.strict_json import dumps, loads

__all__ = ["NatsMembership", "lease_runs", "node_key"]

_TTL: Final = struct.Struct("!d")


class NatsMembership:
    """The nodes and the values, as `Membership`.

    Args:
        state: The buckets.
    """

    def __init__(self, state: NatsState) -> None:
        self._state = state

    async def beat(self, node: str, info: Mapping[str, object], *, ttl_seconds: float) -> None:
        """Renew a node's lease."""
        value = dumps({"node": node, "info": dict(info), "ttl": ttl_seconds})
        await self._state.retry(lambda: self._state.groups.put(node_key(node), value))

    async def nodes(self) -> Sequence[Node]:
        """Return the living nodes, sorted by id."""
        groups = self._state.groups
        entries: Sequence[Entry] = await self._state.retry(lambda: groups.entries("node.*"))
        now: float = await self._state.retry(groups.now)
        alive = (_lease(entry) for entry in entries if lease_runs(entry, now))
        return sorted((Node(lease["node"], lease["info"]) for lease in alive), key=lambda node: node.id)

    async def depart(self, node: str) -> None:
        """End a node's lease now."""
        await self.beat(node, {}, ttl_seconds=0.0)

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long."""
        values, written = self._state.values, _TTL.pack(ttl_seconds) + value
        await self._state.retry(lambda: values.widen(ttl_seconds))
        await self._state.retry(lambda: values.put(token_of(key), written))

    async def get(self, key: str) -> bytes | None:
        """Return a value that is kept."""
        entry: Entry = await self._state.retry(lambda: self._state.values.get(token_of(key)))
        return await self._fresh(entry)

    async def take(self, key: str) -> bytes | None:
        """Return a value and drop it."""
        values = self._state.values
        entry: Entry = await self._state.retry(lambda: values.get(token_of(key)))
        value = await self._fresh(entry)
        # Not tried again when the answer is lost: nobody could tell who has taken it.
        if value is None or not await values.delete(entry.key, entry.revision):
            return None
        return value

    async def _fresh(self, entry: Entry) -> bytes | None:
        if entry.value is None or len(entry.value) < _TTL.size:
            return None
        (ttl_seconds,) = _TTL.unpack_from(entry.value)
        now: float = await self._state.retry(self._state.values.now)
        return entry.value[_TTL.size :] if now - entry.stored_at < ttl_seconds else None


def node_key(node: str) -> str:
    """Return where a node's lease is.

    Args:
        node: The node's id.
    """
    return f"node.{token_of(node)}"


def lease_runs(entry: Entry, now: float) -> bool:
    """Tell whether a lease is not over.

    Args:
        entry: The lease.
        now: By the server's clock.
    """
    if entry.value is None:
        return False
    ttl_seconds = _lease(entry)["ttl"]
    # The server's clock is known but about: who has departed is gone, whatever it says.
    return bool(ttl_seconds > 0 and now - entry.stored_at < ttl_seconds)


def _lease(entry: Entry) -> dict[str, Any]:
    lease: dict[str, Any] = loads(entry.value or b"{}")
    return lease
