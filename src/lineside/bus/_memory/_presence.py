"""Groups and nodes of a broker in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lineside.bus._contract import Departed, Joined, Left, Member, Node
from lineside.bus._errors import AlreadyJoinedError, GroupFullError

__all__ = ["MemoryMembership", "MemoryPresence"]


@dataclass(slots=True)
class _Member:
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sessions: dict[str, str] = field(default_factory=dict[str, str])
    until: float | None = None


class MemoryMembership:
    """The living nodes and the small values.

    Args:
        clock: Returns the seconds since 1970.
        max_values: How many values are kept; beyond that the oldest go.
    """

    def __init__(self, *, clock: Callable[[], float], max_values: int = 100_000) -> None:
        self._clock = clock
        self._max_values = max_values
        self._nodes: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._values: dict[str, tuple[float, bytes]] = {}

    async def beat(self, node: str, info: Mapping[str, object], *, ttl_seconds: float) -> None:
        """Renew a node's lease."""
        self._nodes[node] = (self._clock() + ttl_seconds, dict(info))

    async def nodes(self) -> Sequence[Node]:
        """Return the living nodes, sorted by id."""
        return [Node(node, info) for node, (_, info) in sorted(self._nodes.items()) if self.alive(node)]

    async def depart(self, node: str) -> None:
        """End a node's lease now."""
        self._nodes.pop(node, None)

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long."""
        now = self._clock()
        self._values.pop(key, None)
        self._values[key] = (now + ttl_seconds, value)
        # Two for each one that comes: what is over goes, and no call pays for many.
        for _ in range(2):
            oldest = next(iter(self._values))
            if len(self._values) <= self._max_values and self._values[oldest][0] > now:
                break
            del self._values[oldest]

    async def get(self, key: str) -> bytes | None:
        """Return a value that is kept."""
        until, value = self._values.get(key, (0.0, None))
        return value if until > self._clock() else None

    async def take(self, key: str) -> bytes | None:
        """Return a value and drop it."""
        until, value = self._values.pop(key, (0.0, None))
        return value if until > self._clock() else None

    def alive(self, node: str) -> bool:
        """Tell whether a node's lease runs, and forget it if it does not.

        Args:
            node: The node's id.
        """
        lease = self._nodes.get(node)
        if lease is not None and lease[0] > self._clock():
            return True
        self._nodes.pop(node, None)
        return False


class MemoryPresence:
    """The groups.

    Args:
        clock: Returns the seconds since 1970.
        alive: Tells whether a node is.
    """

    def __init__(self, *, clock: Callable[[], float], alive: Callable[[str], bool]) -> None:
        self._clock = clock
        self._alive = alive
        self._groups: dict[str, dict[str, _Member]] = {}
        # What may have to go: nodes that have sessions, and members whose grace runs. Looking through
        # everybody each second would stop the loop of a node with many clients.
        self._nodes: set[str] = set()
        self._graces: dict[tuple[str, str], None] = {}

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
        members = self._groups.get(group, {})
        present = members.get(member)
        if node:
            self._nodes.add(node)
        if exclusive and present is not None and present.sessions:
            raise AlreadyJoinedError(f"{member!r} is in {group!r} already; leave it first")
        if present is None:
            if limit is not None and len(members) >= limit:
                raise GroupFullError(f"{group!r} has {len(members)} members, and {limit} are the most")
            members[member] = _Member(dict(info or {}), {session: node})
            self._groups[group] = members
            return Joined(first=True, count=len(members))
        if info is not None:
            present.info = dict(info)
        present.sessions[session] = node
        present.until = None
        return Joined(first=False, count=len(members))

    async def leave(self, group: str, member: str, session: str, *, grace_seconds: float = 0.0) -> Left:
        """Take a session from a group."""
        members = self._groups.get(group, {})
        present = members.get(member)
        if present is None or session not in present.sessions:
            return Left(existed=False, last=False, count=len(members))
        del present.sessions[session]
        if present.sessions:
            return Left(existed=True, last=False, count=len(members))
        if grace_seconds > 0:
            present.until = self._clock() + grace_seconds
            self._graces[group, member] = None
            return Left(existed=True, last=False, count=len(members))
        self._drop(group, member)
        return Left(existed=True, last=True, count=len(members))

    async def members(self, group: str) -> Sequence[Member]:
        """Return who is in a group, sorted by id."""
        return [_shown(name, member) for name, member in sorted(self._groups.get(group, {}).items())]

    async def member(self, group: str, member: str) -> Member | None:
        """Return one member of a group, or None."""
        present = self._groups.get(group, {}).get(member)
        return _shown(member, present) if present is not None else None

    async def count(self, group: str) -> int:
        """Return how many members a group has."""
        return len(self._groups.get(group, {}))

    async def remove(self, group: str) -> bool:
        """Drop a group with everybody in it."""
        return self._groups.pop(group, None) is not None

    async def expire(self) -> Sequence[Departed]:
        """Drop sessions of dead nodes and members whose grace is over."""
        now, departed = self._clock(), list[Departed]()
        dead = {node for node in self._nodes if not self._alive(node)}
        self._nodes -= dead
        for group, name in self._everybody() if dead else tuple(self._graces):
            member = self._groups.get(group, {}).get(name)
            if member is None:
                self._graces.pop((group, name), None)
                continue
            for session in [key for key, node in member.sessions.items() if node in dead]:
                del member.sessions[session]
            waiting = member.until is not None and member.until > now
            if not waiting:
                self._graces.pop((group, name), None)
            if not member.sessions and not waiting:
                self._drop(group, name)
                departed.append(Departed(group, name, member.info))
        return departed

    def _everybody(self) -> Sequence[tuple[str, str]]:
        return [(group, name) for group, members in self._groups.items() for name in members]

    def _drop(self, group: str, member: str) -> None:
        members = self._groups[group]
        del members[member]
        if not members:
            del self._groups[group]


def _shown(name: str, member: _Member) -> Member:
    return Member(name, dict(member.info), dict(member.sessions))
