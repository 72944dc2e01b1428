"""A node that was thought dead puts everybody back, and once more when nobody can bury them any longer."""

from collections.abc import Mapping

import pytest

from tests.cable.core.cables import cable
from tests.cable.fakes import running

pytestmark = pytest.mark.anyio


async def test_a_lease_that_ends_while_it_is_renewed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    async with running(node := cable([], monotonic=lambda: now[0])):
        rejoined: list[float] = []

        async def rejoin() -> None:
            rejoined.append(now[0])

        monkeypatch.setattr(node, "rejoin", rejoin)
        membership = node.bus.require_membership()
        beat = membership.beat

        async def slow_beat(name: str, info: Mapping[str, object], *, ttl_seconds: float) -> None:
            now[0] += ttl_seconds + 1.0
            await beat(name, info, ttl_seconds=ttl_seconds)

        monkeypatch.setattr(membership, "beat", slow_beat)
        await node.cluster._beat()
        assert len(rejoined) == 1
        monkeypatch.setattr(membership, "beat", beat)
        await node.cluster._beat()
        assert len(rejoined) == 1
        now[0] += 6.0
        await node.cluster._beat()
        assert len(rejoined) == 2
        await node.cluster._beat()
        assert len(rejoined) == 2
