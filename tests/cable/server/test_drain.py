"""Sending clients away in order, and the hooks through which a server does."""

import asyncio
from typing import Any

import pytest

from lineside.cable import CableLimits
from lineside.cable._core._drain import drain
from lineside.cable.asgi import ServerHooks

pytestmark = pytest.mark.anyio


class Client:
    """A connection that goes when it is told to, or does not."""

    def __init__(self, cable: "Node", *, stays: bool = False) -> None:
        self.cable = cable
        self.stays = stays
        self.wire = self
        self.told: list[Any] = []
        self.aborted = False

    def disconnect(self, reason: str, *, reconnect: bool, code: int) -> None:
        self.told.append((reason, reconnect, code))
        if not self.stays:
            self.leave()

    def leave(self) -> None:
        del self.cable.connections[str(id(self))]
        self.cable.emptied.set()

    def abort(self) -> None:
        self.aborted = True

    async def closed(self) -> None:
        self.leave()


class Node:
    """What draining asks of a cable."""

    def __init__(self, *, clients: int, stays: bool = False) -> None:
        self.limits = CableLimits(close_seconds=0.05)
        self.accepting = True
        self.emptied = asyncio.Event()
        made = [Client(self, stays=stays) for _ in range(clients)]
        self.connections = {str(id(client)): client for client in made}
        self.clients = made


async def test_every_client_is_told_to_come_back() -> None:
    node = Node(clients=50)
    await drain(node, seconds=0.05)  # type: ignore[arg-type]
    assert [client.told for client in node.clients] == [[("server_restart", True, 1012)]] * 50
    assert not node.accepting


async def test_the_only_client_is_told_at_once() -> None:
    async with asyncio.timeout(10):
        await drain(Node(clients=1), seconds=3600)  # type: ignore[arg-type]


async def test_who_does_not_go_is_cut_off() -> None:
    node = Node(clients=3, stays=True)
    await drain(node, seconds=0)  # type: ignore[arg-type]
    assert all(client.aborted for client in node.clients)
    assert not node.connections


async def test_one_hook_that_fails_keeps_none_of_the_others_from_draining(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drained: list[float] = []

    async def fails(seconds: float) -> None:
        raise ValueError("no")

    async def works(seconds: float) -> None:
        drained.append(seconds)

    hooks = ServerHooks()
    hooks.add_drain(fails)
    hooks.add_drain(works)
    await hooks.drain(2.5)
    assert drained == [2.5]
    assert "could not be drained" in caplog.text
    hooks.remove_drain(works)
    await hooks.drain(1)
    assert drained == [2.5]


def test_the_hooks_of_an_app_are_one_object() -> None:
    class App:
        def __init__(self) -> None:
            self.state = type("State", (), {})()

    app, other = App(), App()
    assert ServerHooks.of(app) is ServerHooks.of(app)
    assert ServerHooks.of(app) is not ServerHooks.of(other)
    assert ServerHooks.of(app).app is app
