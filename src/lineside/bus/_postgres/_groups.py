"""Groups, nodes and small values of a PostgreSQL bus, by the server's clock."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lineside.bus._contract import Departed, Joined, Left, Member, Node
from lineside.bus._errors import AlreadyJoinedError, GroupFullError
from lineside.bus._options import BackendOptions
from lineside.bus._postgres._pool import PostgresPool
from lineside.strict_json import dumps, loads

__all__ = ["PostgresMembership", "PostgresPresence"]

_JOIN: Final = "SELECT * FROM lineside_bus_join($1, $2, $3, $4, $5, $6, $7, $8)"
_LEAVE: Final = "SELECT * FROM lineside_bus_leave($1, $2, $3, $4, $5)"
_EXPIRE: Final = "SELECT * FROM lineside_bus_expire($1, $2, $3)"
_MEMBERS: Final = """
SELECT m.member, m.info, s.session, s.node FROM lineside_bus_members m LEFT JOIN lineside_bus_sessions s
    USING (namespace, grp, member)
WHERE m.namespace = $1 AND m.grp = $2 AND ($3::text IS NULL OR m.member = $3)
"""
_BEAT: Final = """
INSERT INTO lineside_bus_nodes VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
ON CONFLICT (namespace, node) DO UPDATE SET info = excluded.info, expires_at = excluded.expires_at
"""
_NODES: Final = """
SELECT node, info FROM lineside_bus_nodes WHERE namespace = $1 AND expires_at > clock_timestamp()
"""
_PUT: Final = """
INSERT INTO lineside_bus_values VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_GET: Final = """
SELECT value FROM lineside_bus_values WHERE namespace = $1 AND key = $2 AND expires_at > clock_timestamp()
"""
_TAKE: Final = """
DELETE FROM lineside_bus_values WHERE namespace = $1 AND key = $2
RETURNING value, expires_at > clock_timestamp() AS fresh
"""


class PostgresPresence:
    """The groups, as `Presence`.

    Args:
        pool: Asks the server.
        options: The namespace.
    """

    def __init__(self, pool: PostgresPool, options: BackendOptions) -> None:
        self._pool = pool
        self._namespace = options.namespace
        self._caller = secrets.token_hex(8)
        self._answered = 0
        self._expiring = asyncio.Lock()

    async def join(
        self,
        group: str,
        member: str,
        session: str,
        *,
        node: str,
        info: Mapping[str, object] | None = None,
        limit: int | None = None,
        exclusive: bool = False,
    ) -> Joined:
        """Add a session of a member to a group."""
        shown = None if info is None else dumps(dict(info)).decode()
        rows, _ = await self._pool.try_fetch(
            _JOIN, self._namespace, group, member, session, node, shown, limit, exclusive
        )
        outcome, count = rows[0]
        if outcome == "already":
            raise AlreadyJoinedError(f"{member!r} is in {group!r} already; leave it first")
        if outcome == "full":
            raise GroupFullError(f"{group!r} has {count} members, and {limit} are the most")
        return Joined(first=outcome == "first", count=count)

    async def leave(self, group: str, member: str, session: str, *, grace_seconds: float = 0.0) -> Left:
        """Take a session from a group."""
        rows = await self._pool.fetch(_LEAVE, self._namespace, group, member, session, grace_seconds)
        existed, last, count = rows[0]
        return Left(existed=existed, last=last, count=count)

    async def members(self, group: str) -> Sequence[Member]:
        """Return who is in a group, sorted by id."""
        return await self._members(group, None)

    async def member(self, group: str, member: str) -> Member | None:
        """Return one member of a group, or None."""
        return next(iter(await self._members(group, member)), None)

    async def count(self, group: str) -> int:
        """Return how many members a group has."""
        rows = await self._pool.fetch("SELECT lineside_bus_count($1, $2)", self._namespace, group)
        return int(rows[0][0])

    async def remove(self, group: str) -> bool:
        """Drop a group with everybody in it."""
        rows = await self._pool.fetch("SELECT lineside_bus_remove($1, $2)", self._namespace, group)
        return bool(rows[0][0])

    async def expire(self) -> Sequence[Departed]:
        """Drop sessions of dead nodes and members whose grace is over."""
        async with self._expiring:
            # A question without an answer is asked again with its number, be it by the next call.
            rows = await self._pool.fetch(_EXPIRE, self._namespace, self._caller, self._answered + 1)
            self._answered += 1
        return [Departed(group, member, _info(info)) for group, member, info in rows]

    async def _members(self, group: str, member: str | None) -> list[Member]:
        found: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}
        for name, info, session, node in await self._pool.fetch(_MEMBERS, self._namespace, group, member):
            _, sessions = found.setdefault(name, (_info(info), {}))
            if session is not None:
                sessions[session] = node
        return [Member(name, info, sessions) for name, (info, sessions) in sorted(found.items())]


class PostgresMembership:
    """The nodes and the small values, as `Membership`.

    Args:
        pool: Asks the server.
        options: The namespace.
    """

    def __init__(self, pool: PostgresPool, options: BackendOptions) -> None:
        self._pool = pool
        self._namespace = options.namespace

    async def beat(self, node: str, info: Mapping[str, object], *, ttl_seconds: float) -> None:
        """Renew a node's lease."""
        await self._pool.fetch(_BEAT, self._namespace, node, dumps(dict(info)).decode(), ttl_seconds)

    async def nodes(self) -> Sequence[Node]:
        """Return the living nodes, sorted by id."""
        rows = await self._pool.fetch(_NODES, self._namespace)
        return [Node(node, _info(info)) for node, info in sorted(rows)]

    async def depart(self, node: str) -> None:
        """End a node's lease now."""
        sql = "DELETE FROM lineside_bus_nodes WHERE namespace = $1 AND node = $2"
        await self._pool.fetch(sql, self._namespace, node)

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long."""
        await self._pool.fetch(_PUT, self._namespace, key, value, ttl_seconds)

    async def get(self, key: str) -> bytes | None:
        """Return a value that is kept."""
        rows = await self._pool.fetch(_GET, self._namespace, key)
        return rows[0]["value"] if rows else None

    async def take(self, key: str) -> bytes | None:
        """Return a value and drop it."""
        rows = await self._pool.fetch(_TAKE, self._namespace, key)
        return rows[0]["value"] if rows and rows[0]["fresh"] else None


def _info(text: str) -> dict[str, Any]:
    info: dict[str, Any] = loads(text)
    return info
