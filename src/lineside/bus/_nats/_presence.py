"""Who is in which group of a NATS bus: one value per group, changed by comparing its revision.

All members of a group stand in one message, so a group is as large as the server's ``max_payload`` allows:
with its default of 1 MiB that is about 5,000 members with a little to show of each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from lineside.bus._contract import Departed, Joined, Left, Member
from lineside.bus._errors import AlreadyJoinedError, GroupFullError
from lineside.bus._locks import Locks
from lineside.bus._nats._bucket import Entry
from lineside.bus._nats._membership import lease_runs, node_key
from lineside.bus._nats._state import NatsState
from lineside.bus._nats._subjects import token_of
from lineside.strict_json import dumps, loads

__all__ = ["NatsPresence"]

_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_MEMBERS: Final = 1_000_000

_Result = TypeVar("_Result")
_Members = dict[str, dict[str, Any]]


class NatsPresence:
    """The groups, as `Presence`.

    Args:
        state: The buckets.
    """

    def __init__(self, state: NatsState) -> None:
        self._state = state
        self._locks = Locks()
        self._untold: list[Departed] = []

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

        def change(members: _Members, again: bool) -> Joined:  # noqa: FBT001 - as `NatsState.change` calls it
            present = members.get(member)
            mine = again and present is not None and present["s"] == {session: node}
            if present is not None and exclusive and present["s"] and not mine:
                raise AlreadyJoinedError(f"{member!r} is in {group!r} already; leave it first")
            if present is None:
                if limit is not None and len(members) >= limit:
                    raise GroupFullError(f"{group!r} has {len(members)} members, and {limit} are the most")
                present = members[member] = {"i": {}, "s": {}, "u": None}
                mine = True
            if info is not None:
                present["i"] = dict(info)
            present["s"][session] = node
            present["u"] = None
            return Joined(first=mine, count=len(members))

        joined = await self._change(group, change)
        if node:
            await self._state.retry(lambda: self._be_found(node))
        return joined

    async def leave(self, group: str, member: str, session: str, *, grace_seconds: float = 0.0) -> Left:
        """Take a session from a group."""
        until: float | None = None
        if grace_seconds > 0:
            now: float = await self._state.retry(self._state.groups.now)
            until = now + grace_seconds
            # Before the group: a grace period that nobody looks for would never end.
            await self._look_again(group, now + grace_seconds)

        def change(members: _Members, again: bool) -> Left:  # noqa: FBT001 - as above
            present = members.get(member)
            if present is None or session not in present["s"]:
                gone = again and present is None
                return Left(existed=again, last=gone, count=len(members))
            del present["s"][session]
            if present["s"]:
                return Left(existed=True, last=False, count=len(members))
            if until is not None:
                present["u"] = until
                return Left(existed=True, last=False, count=len(members))
            del members[member]
            return Left(existed=True, last=True, count=len(members))

        return await self._change(group, change)

    async def members(self, group: str) -> Sequence[Member]:
        """Return who is in a group, sorted by id."""
        return [_shown(name, member) for name, member in sorted((await self._members(group)).items())]

    async def member(self, group: str, member: str) -> Member | None:
        """Return one member of a group, or None."""
        present = (await self._members(group)).get(member)
        return _shown(member, present) if present is not None else None

    async def count(self, group: str) -> int:
        """Return how many members a group has."""
        return len(await self._members(group))

    async def remove(self, group: str) -> bool:
        """Drop a group with everybody in it."""

        def change(members: _Members, again: bool) -> bool:  # noqa: FBT001 - as above
            had = bool(members) or again
            members.clear()
            return had

        return await self._change(group, change)

    async def expire(self) -> Sequence[Departed]:
        """Drop sessions of dead nodes and members whose grace is over.

        The departures of one group are told to nobody when the server goes away after it has written them
        and does not come back before the deadline: nobody could tell them from another node's.
        """
        groups = self._state.groups
        now = await groups.now()
        leases = await groups.entries("node.*")
        dead = [lease for lease in leases if not lease_runs(lease, now)]
        due = [entry for entry in await groups.entries("grace.*") if _read(entry)["until"] <= now]
        names = {_read(entry)["group"] for entry in due}
        if dead:
            names |= {_read(entry)["group"] for entry in await groups.entries("group.*")}
        alive = {lease.key: lease_runs(lease, now) for lease in leases}
        for name in sorted(names):
            gone = await self._expire_group(name, now, alive)
            # Kept until all is done: what an outage interrupts is told by the next call.
            self._untold.extend(gone)
        for entry in due:
            await groups.delete(entry.key, entry.revision)
        for lease in dead:
            # Refused when the node has beaten or joined meanwhile: the next call looks again.
            await groups.delete(lease.key, lease.revision)
        departed, self._untold = self._untold, []
        return departed

    async def _expire_group(self, group: str, now: float, alive: dict[str, bool]) -> list[Departed]:
        for member in (await self._members(group)).values():
            for key in {node_key(node) for node in member["s"].values() if node} - alive.keys():
                # A node that came after the leases were listed.
                alive[key] = lease_runs(await self._state.groups.get(key), now)
        gone: dict[str, Departed] = {}
        waiting: list[float] = []

        def change(members: _Members, again: bool) -> None:  # noqa: FBT001 - as above
            earlier = dict(gone) if again else {}
            gone.clear()
            waiting.clear()
            gone.update({name: told for name, told in earlier.items() if name not in members})
            for name, member in tuple(members.items()):
                member["s"] = {
                    session: node
                    for session, node in member["s"].items()
                    if not node or alive.get(node_key(node), True)
                }
                if member["s"]:
                    continue
                if member["u"] is not None and member["u"] > now:
                    waiting.append(member["u"])
                else:
                    del members[name]
                    gone[name] = Departed(group, name, member["i"])

        await self._change(group, change)
        if waiting:
            await self._look_again(group, min(waiting))
        return list(gone.values())

    async def _look_again(self, group: str, until: float) -> None:
        def earliest(value: bytes | None, again: bool) -> bytes | None:  # noqa: FBT001 - as above
            del again
            soonest = until if value is None else min(until, _load(value)["until"])
            # Written in any case, so that who has just looked at it does not take it away.
            return dumps({"group": group, "until": soonest})

        await self._state.change(self._state.groups, f"grace.{token_of(group)}", earliest)

    async def _be_found(self, node: str) -> None:
        # A session that joins while its node's lease ends would be overlooked, and stay.
        groups = self._state.groups
        entry = await groups.get(node_key(node))
        if not lease_runs(entry, await groups.now()):
            await groups.put(node_key(node), dumps({"node": node, "info": {}, "ttl": 0.0}))

    async def _members(self, group: str) -> _Members:
        entry: Entry = await self._state.retry(lambda: self._state.groups.get(_key(group)))
        return _read(entry)["members"] if entry.value is not None else {}

    async def _change(self, group: str, change: "Callable[[_Members, bool], _Result]") -> _Result:
        results: list[_Result] = []

        def changed(value: bytes | None, again: bool) -> bytes | None:  # noqa: FBT001 - as above
            members: _Members = _load(value)["members"] if value is not None else {}
            before = dumps(members)
            results[:] = [change(members, again)]
            if dumps(members) == before:
                return value
            return dumps({"group": group, "members": members}) if members else None

        async with self._locks.holding(group):
            await self._state.change(self._state.groups, _key(group), changed)
        return results[0]


def _key(group: str) -> str:
    return f"group.{token_of(group)}"


def _read(entry: Entry) -> dict[str, Any]:
    return _load(entry.value or b"{}")


def _load(value: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = loads(value, max_bytes=_MAX_BYTES, max_keys=_MAX_MEMBERS)
    return loaded


def _shown(name: str, member: dict[str, Any]) -> Member:
    return Member(name, member["i"], member["s"])
