"""T5: who has lost a right hears nothing more, on whatever node, and cannot resume what is over."""

from typing import ClassVar

import pytest

from lineside.bus.memory import MemoryBroker
from lineside.cable import Cable, Channel, Identity
from tests.cable.core.cables import EXT, cable, client, identifier, messages, subscribe
from tests.cable.fakes import FakeClient, eventually, running

pytestmark = pytest.mark.anyio

SECRETS = identifier("Secrets")
MALLORY = Identity(id="mallory", identifiers={"user_id": 7})


class Secrets(Channel):
    revoked: ClassVar[set[str]] = set()

    async def subscribed(self) -> None:
        if self.connection.client_id in self.revoked:
            self.reject()
            return
        self.allow("the test's own rule")
        await self.stream_from("secrets")


async def listening(node: Cable) -> FakeClient:
    mallory = await client(node, EXT, identity=MALLORY)
    await subscribe(mallory, SECRETS)
    return mallory


async def test_a_revocation_on_one_node_ends_the_connection_on_another() -> None:
    broker = MemoryBroker()
    async with running(one := cable([Secrets], broker=broker), two := cable([Secrets], broker=broker)):
        mallory = await listening(two)
        await one.disconnect({"user_id": 7}, reconnect=False)
        await eventually(lambda: mallory.wire.closed)
        await one.broadcast("secrets", "not for mallory")
        await eventually(lambda: not two.connections)
        assert messages(mallory, SECRETS) == []


async def test_a_session_that_was_ended_for_good_cannot_be_resumed() -> None:
    broker = MemoryBroker()
    async with running(one := cable([Secrets], broker=broker), two := cable([Secrets], broker=broker)):
        mallory = await listening(two)
        await one.disconnect({"user_id": 7}, reconnect=False)
        await eventually(lambda: not two.connections)
        again = await client(one, EXT, identity=MALLORY, restore=mallory.connection.id)
        assert "restored" not in (await again.receive(lambda frame: frame["type"] == "welcome"))


async def test_who_may_come_back_is_asked_for_the_right_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(node := cable([Secrets])):
        mallory = await listening(node)
        monkeypatch.setattr(Secrets, "revoked", {"mallory"})
        await node.disconnect({"user_id": 7})
        await eventually(lambda: not node.connections)
        again = await client(node, EXT, identity=MALLORY, restore=mallory.connection.id)
        welcome = await again.receive(lambda frame: frame["type"] == "welcome")
        assert welcome.get("restored_ids", []) == []
        assert (await subscribe(again, SECRETS))["type"] == "reject_subscription"
