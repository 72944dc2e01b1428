"""The groups and nodes of a bus on Redis."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lineside.bus._contract import Departed, Joined, Left, Member, Node
from lineside.bus._errors import AlreadyJoinedError, GroupFullError
from lineside.bus._redis._commands import RedisCommands
from lineside.bus._redis._group_scripts import EXPIRE, JOIN, LEAVE, MEMBERS, REMOVE
from lineside.bus._redis._node_scripts import BEAT, NODES
from lineside.exceptions import InvalidJSONError
from lineside.strict_json import dumps, loads

__all__ = ["RedisMembership", "RedisPresence"]

_EXPIRE_AT_A_TIME: Final = 500


class RedisPresence:
    """The groups.

    Args:
        commands: Runs the scripts; each of them is one step for all nodes.
    """

    def __init__(self, commands: RedisCommands) -> None:
        self._commands = commands
        self._caller = secrets.token_hex(8)
        self._answered = 0
        self._untold: list[Departed] = []
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
        told = dumps(dict(info)) if info is not None else b"{}"
        answer, attempts = await self._commands.attempt(
            JOIN,
            (
                *(group, member, session, node, "0" if info is None else "1", told),
                *(-1 if limit is None else limit, int(exclusive)),
            ),
        )
        outcome, first, count = answer
        if outcome == b"joined":
            if attempts > 1 and await self._has(group, member, session):
                return Joined(first=False, count=await self.count(group))
            raise AlreadyJoinedError(f"{member!r} is in {group!r} already; leave it first")
        if outcome == b"full":
            raise GroupFullError(f"{group!r} has {count} members, and {limit} are the most")
        return Joined(first=bool(first), count=count)

    async def leave(self, group: str, member: str, session: str, *, grace_seconds: float = 0.0) -> Left:
        """Take a session from a group."""
        (existed, last, count), attempts = await self._commands.attempt(
            LEAVE, (group, member, session, max(0, round(grace_seconds * 1000)))
        )
        if not existed and attempts > 1:
            # The attempt that had no answer has done it, and its member's leaving is told to nobody else.
            return Left(existed=True, last=await self.member(group, member) is None, count=count)
        return Left(existed=bool(existed), last=bool(last), count=count)

    async def members(self, group: str) -> Sequence[Member]:
        """Return who is in a group, sorted by id."""
        found = await self._commands.run(MEMBERS, (group, "0", ""))
        return sorted((_member(entry) for entry in found), key=lambda member: member.id)

    async def member(self, group: str, member: str) -> Member | None:
        """Return one member of a group, or None."""
        found = await self._commands.run(MEMBERS, (group, "1", member))
        return _member(found[0]) if found else None

    async def count(self, group: str) -> int:
        """Return how many members a group has."""
        key = f"{self._commands.prefix}gc:{group}"
        count, _ = await self._commands.call(lambda: self._commands.client.hlen(key))
        return int(count)

    async def remove(self, group: str) -> bool:
        """Drop a group with everybody in it."""
        return bool(await self._commands.run(REMOVE, (group,)))

    async def expire(self) -> Sequence[Departed]:
        """Drop sessions of dead nodes and members whose grace is over."""
        async with self._expiring:
            more = 1
            while more:
                # A question without an answer is asked again with its number, be it by the next call.
                more, gone = await self._commands.run(
                    EXPIRE, (_EXPIRE_AT_A_TIME, self._caller, self._answered + 1)
                )
                self._answered += 1
                self._untold += [
                    Departed(group.decode(), who.decode(), _info(info)) for group, who, info in gone
                ]
            departed, self._untold = self._untold, []
            return departed

    async def _has(self, group: str, member: str, session: str) -> bool:
        # An attempt without an answer may have been the one that let this session in.
        found = await self.member(group, member)
        return found is not None and list(found.sessions) == [session]


class RedisMembership:
    """The living nodes and the small values.

    Args:
        commands: Runs the scripts; leases go by the server's clock.
    """

    def __init__(self, commands: RedisCommands) -> None:
        self._commands = commands

    async def beat(self, node: str, info: Mapping[str, object], *, ttl_seconds: float) -> None:
        """Renew a node's lease."""
        await self._commands.run(BEAT, (node, dumps(dict(info)), round(ttl_seconds * 1000)))

    async def nodes(self) -> Sequence[Node]:
        """Return the living nodes, sorted by id."""
        found = await self._commands.run(NODES, ())
        return sorted((Node(node.decode(), _info(info)) for node, info in found), key=lambda node: node.id)

    async def depart(self, node: str) -> None:
        """End a node's lease now."""
        client, prefix = self._commands.client, self._commands.prefix
        await self._commands.call(lambda: client.zrem(f"{prefix}nodes", node))
        await self._commands.call(lambda: client.hdel(f"{prefix}info", node))

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long."""
        milliseconds = max(1, round(ttl_seconds * 1000))
        await self._commands.call(lambda: self._commands.client.set(self._value(key), value, px=milliseconds))

    async def get(self, key: str) -> bytes | None:
        """Return a value that is kept."""
        value: tuple[bytes | None, int] = await self._commands.call(
            lambda: self._commands.client.get(self._value(key))
        )
        return value[0]

    async def take(self, key: str) -> bytes | None:
        """Return a value and drop it."""
        value: tuple[bytes | None, int] = await self._commands.call(
            lambda: self._commands.client.getdel(self._value(key))
        )
        return value[0]

    def _value(self, key: str) -> str:
        return f"{self._commands.prefix}v:{key}"


def _member(entry: Any) -> Member:
    name, info, sessions = entry
    pairs = {sessions[i].decode(): sessions[i + 1].decode() for i in range(0, len(sessions), 2)}
    return Member(name.decode(), _info(info), pairs)


def _info(raw: bytes) -> dict[str, object]:
    try:
        info = loads(raw)
    except InvalidJSONError:
        return {}  # somebody else has written there; the member is there all the same
    return info if isinstance(info, dict) else {}
