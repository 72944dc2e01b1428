"""One stream begun or left several times at once: one place in it, and none left behind."""

import asyncio
from collections.abc import Callable

import pytest

from lineside.cable import Channel
from tests.cable.core.cables import V1, cable, client, identifier, messages, subscribe
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio

TWICE = identifier("Twice")


class Twice(Channel):
    public = True

    async def subscribed(self) -> None:
        await asyncio.gather(*(self.stream_from("feed", transform=_same) for _ in range(3)))

    async def leave(self) -> None:
        await asyncio.gather(self.stream_from("other"), self.stop_stream_from("other"))
        await self.stop_all_streams()

    async def again(self) -> None:
        await self.stream_from("feed", transform=lambda message: -message)


def _same(message: object) -> object:
    return message


async def test_a_stream_that_is_begun_three_times_at_once_delivers_once() -> None:
    """And nothing of it is left when the client is gone."""
    async with running(node := cable([Twice])):
        someone = await client(node, V1)
        await subscribe(someone, TWICE)
        await node.broadcast("feed", 1)
        await someone.receive(lambda frame: frame.get("message") == 1)
        assert messages(someone, TWICE) == [1]
        assert len(node.hub.streams["feed"].special) == 1
        await someone.close()
        assert not node.hub.streams


async def test_a_stream_that_is_left_while_it_is_begun_is_left() -> None:
    """Whichever of the two came last."""
    async with running(node := cable([Twice])):
        someone = await client(node, V1)
        await subscribe(someone, TWICE)
        await someone.send({"command": "message", "identifier": TWICE, "data": '{"action":"leave"}'})
        await eventually(lambda: not someone.connection.subscriptions[TWICE].attachments)
        await eventually(lambda: not node.hub.streams)


async def test_a_stream_that_is_begun_again_misses_nothing_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is published while the bus works on it arrives, by the old transform or the new one."""
    async with running(node := cable([Twice])):
        someone = await client(node, V1)
        await subscribe(someone, TWICE)
        backend = node.bus.backend
        kept: dict[str, Callable[..., object]] = {}

        def slowly(name: str) -> None:
            kept[name] = getattr(backend, name)

            async def run(*args: object, **more: object) -> object:
                await node.broadcast("feed", 1)
                return await kept[name](*args, **more)  # type: ignore[misc]

            monkeypatch.setattr(backend, name, run)

        slowly("subscribe")
        slowly("unsubscribe")
        await someone.send({"command": "message", "identifier": TWICE, "data": '{"action":"again"}'})
        await eventually(lambda: someone.connection._lanes.pending == 0)
        monkeypatch.undo()
        published = (await node.broadcast("feed", 2)).position
        assert published is not None
        await someone.receive(lambda frame: frame.get("message") == -2)
        assert len(messages(someone, TWICE)) == published.offset
