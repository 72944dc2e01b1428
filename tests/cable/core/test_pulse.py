"""What happens to a connection as time goes by."""

import time

import pytest

from lineside.cable import CableLimits, Channel, Identity
from tests.cable.core.cables import EXT, V1, cable, client
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio


class Quiet(Channel):
    public = True


async def test_pings_come_and_their_time_grows() -> None:
    async with running(node := cable([Quiet], limits=CableLimits(ping_seconds=0.05))):
        alice = await client(node, V1)
        await eventually(lambda: len(alice.frames()) >= 4)
        pings = [frame["message"] for frame in alice.frames() if frame.get("type") == "ping"]
        assert all(isinstance(each, int) for each in pings)
        assert pings == sorted(pings)


async def test_a_token_that_ends_ends_the_connection() -> None:
    async with running(node := cable([Quiet], limits=CableLimits(ping_seconds=0.05))):
        alice = await client(node, V1, identity=Identity(id="alice", expires_at=time.time() + 0.2))
        bob = await client(node, V1, identity=Identity(id="bob", expires_at=time.time() + 3600))
        frame = await alice.receive(lambda each: each.get("type") == "disconnect")
        assert (frame["reason"], frame["reconnect"]) == ("token_expired", False)
        assert alice.wire.closed == (4408, "token_expired")
        assert bob.wire.closed is None


async def test_a_client_that_answers_no_ping_is_dropped_and_may_come_back() -> None:
    limits = CableLimits(ping_seconds=0.05, pong_seconds=0.2)
    async with running(node := cable([Quiet], limits=limits)):
        silent, plain = await client(node, EXT), await client(node, V1)
        frame = await silent.receive(lambda each: each.get("type") == "disconnect")
        assert (frame["reason"], frame["reconnect"]) == ("no_pong", True)
        assert plain.wire.closed is None


async def test_a_connection_that_nobody_uses_is_closed() -> None:
    limits = CableLimits(ping_seconds=0.05, idle_seconds=0.2)
    async with running(node := cable([Quiet], limits=limits)):
        idle = await client(node, V1)
        frame = await idle.receive(lambda each: each.get("type") == "disconnect")
        assert (frame["reason"], frame["reconnect"]) == ("idle_timeout", False)


async def test_a_drain_tells_everybody_to_come_back_and_takes_nobody_new() -> None:
    async with running(node := cable([Quiet])):
        clients = [await client(node, V1) for _ in range(20)]
        await node.drain(seconds=0.05)
        for each in clients:
            frame = each.frames()[-1]
            assert (frame["type"], frame["reason"], frame["reconnect"]) == (
                "disconnect",
                "server_restart",
                True,
            )
            assert each.wire.closed == (1012, "server_restart")
        assert not node.accepting
        assert not node.connections
