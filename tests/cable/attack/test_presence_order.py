"""What a stream is told of its members ends in the truth, whoever is quicker."""

import json
from typing import Any

import pytest

from lineside.bus.memory import MemoryBroker
from lineside.cable import CableLimits, Channel, Identity
from tests.cable.core.cables import EXT, cable, client, identifier, subscribe
from tests.cable.fakes import FakeClient, eventually, running

pytestmark = pytest.mark.anyio

LOBBY = identifier("Lobby")


class Lobby(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("lobby", presence=True)


def changes(someone: FakeClient, who: str) -> list[str]:
    """Return what a client was told of another one."""
    return [
        frame["message"]["type"]
        for frame in someone.frames()
        if frame.get("type") == "presence" and frame["message"].get("id") == who
    ]


async def join(node: Any, name: str) -> FakeClient:
    someone = await client(node, EXT, identity=Identity(id=name))
    await subscribe(someone, LOBBY)
    await someone.send({"command": "join", "identifier": LOBBY, "presence": {"id": name}})
    return someone


@pytest.mark.parametrize("grace", [0.0, 0.01])
async def test_a_late_word_about_a_member_who_left_is_not_the_last_one_about_who_came_back(
    monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    """One node is slow to say that ann left; meanwhile she joins at another one."""
    broker = MemoryBroker()
    limits = CableLimits(presence_seconds=grace)
    one, two = (cable([Lobby], broker=broker, limits=limits) for _ in range(2))
    async with running(one, two):
        watcher = await join(two, "watcher")
        ann = await join(one, "ann")
        await eventually(lambda: changes(watcher, "ann") == ["join"])
        publish, back = one.bus.publish, list[FakeClient]()

        async def slowly(stream: str, data: bytes, **more: Any) -> Any:
            if stream == "lobby" and json.loads(data)["type"] == "leave" and not back:
                back.append(await join(two, "ann"))
                await eventually(lambda: changes(watcher, "ann") == ["join", "join"])
            return await publish(stream, data, **more)

        monkeypatch.setattr(one.bus, "publish", slowly)
        await ann.close()
        await eventually(lambda: "leave" in changes(watcher, "ann"))
        await eventually(lambda: changes(watcher, "ann")[-1] == "join")
        assert [each.id for each in await two.presence.members("lobby")] == ["ann", "watcher"]
