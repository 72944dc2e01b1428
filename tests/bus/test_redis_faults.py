"""Redis killed, paused, emptied and cut off while two nodes publish: the ledger must be clean."""

import asyncio
from collections.abc import Iterator

import pytest

from lineside.bus import Bus
from lineside.testing._bus_nodes import Collector, until
from tests.bus.faults import DepartureFaults, publishing
from tests.bus.ledger import KEPT
from tests.services import Redis, running_redis

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def own() -> Iterator[Redis]:
    """A Redis that only this test has, and may kill."""
    with running_redis() as server:
        yield server


class TestRedis(DepartureFaults):
    """What every store's outage must cost."""

    recovery_seconds = 2.0

    async def test_a_silent_server_is_knocked_at_gently(self, own: Redis) -> None:
        """However many calls wait for it."""
        async with self.behind_a_proxy(own) as (proxy, buses), publishing(buses):
            proxy.black_hole()
            await until(lambda: not buses[0].connected, seconds=5.0, what="the black hole is noticed")
            knocked = proxy.accepted
            await asyncio.sleep(3.0)
            # At most one attempt of the listening connection in a second, and what was under way before.
            assert proxy.accepted - knocked <= 4
            proxy.heal()


async def test_a_server_without_a_file_begins_a_new_epoch() -> None:
    """What was acknowledged behind the last snapshot is gone, and no position may pretend otherwise."""
    with running_redis("--appendonly", "no", "--save", "3600 1") as server:
        async with Bus(server.url) as bus:
            heard = Collector()
            await bus.subscribe("s", heard, history=True)
            saved = (await bus.publish("s", b"saved", history=KEPT)).position
            await bus.backend._commands.client.save()  # type: ignore[attr-defined]
            await bus.publish("s", b"not saved", history=KEPT)
            server.kill()
            server.restart()
            await until(lambda: heard.discontinuities, what="the loss is told")
            again = await bus.publish("s", b"later", history=KEPT)
            assert saved is not None
            assert again.position is not None
            assert again.position.epoch != saved.epoch
            assert (await bus.read("s", after=saved)).complete is False
