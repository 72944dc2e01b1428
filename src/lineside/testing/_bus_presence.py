"""What a backend with presence and membership must do."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from lineside.bus import AlreadyJoinedError, Bus, Departed, GroupFullError, Member, Node
from lineside.testing._bus_nodes import BusNodes

__all__ = ["PresenceConformance"]

_LONG = 60.0


class PresenceConformance(BusNodes):
    """The contracts of `lineside.bus.Presence` and `lineside.bus.Membership` as tests."""

    async def test_a_member_is_seen_from_every_node(self) -> None:
        """With what its latest session says, until its last session leaves."""
        async with self.nodes() as (one, other):
            self.needs(one.presence, "presence")
            await _beat(one, other)
            here, there = one.require_presence(), other.require_presence()
            info = {"name": "Ann", "n": [1, {"ü": None}]}
            first = await here.join("g", "ann", "s1", node=one.node, info=info)
            second = await there.join("g", "ann", "s2", node=other.node)
            third = await there.join("g", "bob", "s3", node=other.node, info={"name": "Bob"})
            assert (first.first, second.first, third.first) == (True, False, True)
            assert (first.count, second.count, third.count) == (1, 1, 2)
            ann = Member("ann", info, {"s1": one.node, "s2": other.node})
            bob = Member("bob", {"name": "Bob"}, {"s3": other.node})
            assert list(await here.members("g")) == [ann, bob]
            assert await there.member("g", "ann") == ann
            assert await there.member("g", "eve") is None
            assert await here.count("g") == 2
            left = await here.leave("g", "ann", "s1")
            again = await here.leave("g", "ann", "s1")
            last = await here.leave("g", "ann", "s2")
            assert (left.existed, left.last, left.count) == (True, False, 2)
            assert (again.existed, again.last) == (False, False)
            assert (last.existed, last.last, last.count) == (True, True, 1)
            assert list(await there.members("g")) == [bob]

    async def test_the_same_session_renews_its_info(self) -> None:
        """Nothing is counted twice."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.presence, "presence")
            await _beat(bus)
            presence = bus.require_presence()
            await presence.join("g", "ann", "s", node=bus.node, info={"mood": "fine"})
            again = await presence.join("g", "ann", "s", node=bus.node, info={"mood": "better"})
            assert (again.first, again.count) == (False, 1)
            assert await presence.member("g", "ann") == Member("ann", {"mood": "better"}, {"s": bus.node})
            assert (await presence.leave("g", "ann", "s")).last

    async def test_a_limit_holds_over_nodes(self) -> None:
        """Thirty at once from three nodes into a room for ten: ten are in."""
        async with self.nodes(3) as buses:
            self.needs(buses[0].presence, "presence")
            await _beat(*buses)

            async def join(number: int) -> bool:
                bus = buses[number % 3]
                try:
                    await bus.require_presence().join(
                        "room", f"m{number}", f"s{number}", node=bus.node, limit=10
                    )
                except GroupFullError:
                    return False
                return True

            entered = await asyncio.gather(*(join(number) for number in range(30)))
            assert entered.count(True) == 10
            assert await buses[0].require_presence().count("room") == 10
            inside = (await buses[1].require_presence().members("room"))[0].id
            more = (
                await buses[2].require_presence().join("room", inside, "more", node=buses[2].node, limit=10)
            )
            assert more.first is False

    async def test_an_exclusive_member_is_there_once(self) -> None:
        """Of several at once one gets in, and being in is told before being full."""
        async with self.nodes(2) as buses:
            self.needs(buses[0].presence, "presence")
            await _beat(*buses)

            async def join(number: int) -> bool:
                bus = buses[number % 2]
                try:
                    await bus.require_presence().join(
                        "g", "ann", f"s{number}", node=bus.node, limit=1, exclusive=True
                    )
                except AlreadyJoinedError:
                    return False
                return True

            entered = await asyncio.gather(*(join(number) for number in range(8)))
            assert entered.count(True) == 1

    async def test_a_grace_period_keeps_a_member(self) -> None:
        """It stays without a session, comes back as if it had never gone, and is told when it does not."""
        async with self.nodes(2) as (one, other):
            self.needs(one.presence, "presence")
            await _beat(one, other)
            presence = one.require_presence()
            await presence.join("g", "ann", "s1", node=one.node, info={"n": 1})
            left = await presence.leave("g", "ann", "s1", grace_seconds=_LONG)
            assert (left.existed, left.last, left.count) == (True, False, 1)
            assert await presence.member("g", "ann") == Member("ann", {"n": 1}, {})
            assert list(await presence.expire()) == []
            back = await other.require_presence().join("g", "ann", "s2", node=other.node, exclusive=True)
            assert back.first is False
            await presence.leave("g", "ann", "s2", grace_seconds=0.2)
            gone = await _expired(one, other, count=1)
            assert gone == [Departed("g", "ann", {"n": 1})]
            assert await presence.count("g") == 0

    async def test_coming_back_ends_a_grace_period(self) -> None:
        """Whoever is there when it is over is not told to have gone."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.presence, "presence")
            await _beat(bus)
            presence = bus.require_presence()
            for member in ("ann", "bob"):
                await presence.join("g", member, f"{member}1", node=bus.node)
                await presence.leave("g", member, f"{member}1", grace_seconds=0.2)
            await presence.join("g", "ann", "ann2", node=bus.node)
            assert [departed.member for departed in await _expired(bus, count=1)] == ["bob"]
            assert [member.id for member in await presence.members("g")] == ["ann"]

    async def test_the_members_of_a_dead_node_are_told_once(self) -> None:
        """Its lease ends, and each of its members is told to exactly one of those who ask."""
        async with self.nodes(3) as (dead, one, other):
            self.needs(dead.presence, "presence")
            await _beat(one, other)
            await dead.require_membership().beat(dead.node, {}, ttl_seconds=0.3)
            for number in range(5):
                await dead.require_presence().join("g", f"m{number}", f"s{number}", node=dead.node)
            await one.require_presence().join("g", "m0", "elsewhere", node=one.node)
            await one.require_presence().join("g", "server", "none", node="")
            gone = await _expired(one, other, count=4)
            assert sorted(departed.member for departed in gone) == ["m1", "m2", "m3", "m4"]
            left = await other.require_presence().members("g")
            assert left == [
                Member("m0", {}, {"elsewhere": one.node}),
                Member("server", {}, {"none": ""}),
            ]

    async def test_a_node_that_departs_takes_its_members_with_it(self) -> None:
        """Without waiting for its lease."""
        async with self.nodes(2) as (one, other):
            self.needs(one.presence, "presence")
            await _beat(one, other)
            await one.require_presence().join("g", "ann", "s", node=one.node)
            await one.require_membership().depart(one.node)
            gone = list(await other.require_presence().expire())
            assert gone == [Departed("g", "ann", {})]

    async def test_a_group_is_removed_with_everybody(self) -> None:
        """And nobody of it is told to have departed later."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.presence, "presence")
            await _beat(bus)
            presence = bus.require_presence()
            await presence.join("g", "ann", "s1", node=bus.node)
            await presence.join("g", "bob", "s2", node=bus.node)
            await presence.leave("g", "bob", "s2", grace_seconds=0.05)
            await presence.join("other", "ann", "s1", node=bus.node)
            assert await presence.remove("g") is True
            assert await presence.remove("g") is False
            assert await presence.count("g") == 0
            await bus.require_membership().depart(bus.node)
            assert list(await presence.expire()) == [Departed("other", "ann", {})]

    async def test_names_of_groups_and_members_are_data(self) -> None:
        """What stands in one is never taken for another."""
        async with self.nodes(1) as (bus,):
            self.needs(bus.presence, "presence")
            await _beat(bus)
            presence = bus.require_presence()
            names = ["a", "a:b", "a*", "*", "", "ü 🙂", "a.b", ">", "'\"", "a\nb", "{x}"]
            for group in names[:4]:
                for member in names:
                    await presence.join(group, member, f"{group}|{member}", node=bus.node)
            for group in names[:4]:
                assert [member.id for member in await presence.members(group)] == sorted(names)

    async def test_nodes_live_as_long_as_their_lease(self) -> None:
        """They are seen by each other with what they say, until they depart or are silent."""
        async with self.nodes(3) as (one, other, silent):
            self.needs(one.membership, "membership")
            members = one.require_membership()
            await members.beat(one.node, {"host": "ä"}, ttl_seconds=_LONG)
            await other.require_membership().beat(other.node, {}, ttl_seconds=_LONG)
            await members.beat(silent.node, {}, ttl_seconds=0.2)
            expected = sorted([Node(one.node, {"host": "ä"}), Node(other.node, {})], key=lambda node: node.id)
            assert await _eventually(other.require_membership().nodes) == expected
            await members.beat(one.node, {"host": "b"}, ttl_seconds=_LONG)
            await members.depart(other.node)
            assert list(await members.nodes()) == [Node(one.node, {"host": "b"})]

    async def test_values_are_kept_and_taken_once(self) -> None:
        """From any node, until their time is over."""
        async with self.nodes(2) as (one, other):
            self.needs(one.membership, "membership")
            here, there = one.require_membership(), other.require_membership()
            await here.put("k:*", b"\x00\xff", ttl_seconds=_LONG)
            assert await there.get("k:*") == b"\x00\xff"
            await there.put("k:*", b"two", ttl_seconds=_LONG)
            taken = await asyncio.gather(*(m.take("k:*") for m in (here, there) * 4))
            assert (
                sorted(taken, key=lambda value: value or b"")[-2:] == [None, b"two"]
                or taken.count(b"two") == 1
            )
            assert await here.get("k:*") is None
            await here.put("short", b"x", ttl_seconds=0.1)
            await _eventually(lambda: there.get("short"), wanted=lambda value: value is None)
            assert await there.take("short") is None


async def _beat(*buses: Bus) -> None:
    for bus in buses:
        await bus.require_membership().beat(bus.node, {}, ttl_seconds=_LONG)


async def _expired(*buses: Bus, count: int) -> list[Departed]:
    """Ask every node at once, again and again, until so many have been told; and once more."""
    gone: list[Departed] = []

    async def ask() -> None:
        for told in await asyncio.gather(
            *(bus.require_presence().expire() for bus in buses for _ in range(3))
        ):
            gone.extend(told)

    async with asyncio.timeout(10):
        while len(gone) < count:
            await ask()
            await asyncio.sleep(0.02)
    await ask()
    return gone


async def _eventually(
    ask: Callable[[], Coroutine[Any, Any, Any]],
    *,
    wanted: Callable[[Any], bool] = lambda nodes: len(nodes) == 2,
) -> Any:
    async with asyncio.timeout(10):
        answer = await ask()
        while not wanted(answer):
            await asyncio.sleep(0.02)
            answer = await ask()
    return list(answer) if isinstance(answer, list | tuple) else answer
