"""A fresh token over the open connection: the same identity goes on with its new rights and time."""

import pytest

from lineside.cable import Cable, ConnectionPort, Identity, InvalidToken
from tests.cable.fakes import client

pytestmark = pytest.mark.anyio


async def _check(connection: ConnectionPort, token: str) -> Identity:
    identities = {
        "alice's": Identity(id="alice", permissions=frozenset({"create:room"}), expires_at=2e10),
        "bob's": Identity(id="bob", permissions=frozenset({"admin:system"}), expires_at=2e10),
    }
    if token not in identities:
        raise InvalidToken("forged")
    return identities[token]


async def test_a_fresh_token_brings_rights_and_time(node: Cable) -> None:
    """What was forbidden before is allowed behind it."""
    node.refresh = _check
    alice = await client(node, identity=Identity(id="alice", expires_at=1e10))
    assert (await alice.request("create_room", {"room_id": "r1"}))["data"]["code"] == 2001
    answer = await alice.request("refresh", {"token": "alice's"})
    assert (answer["message_type"], answer["data"]) == ("refreshed", {"expires_at": 2e10})
    assert (await alice.request("create_room", {"room_id": "r1"}))["message_type"] == "room_created"


@pytest.mark.parametrize("token", ["bob's", "forged"])
async def test_a_token_of_somebody_else_changes_nothing(node: Cable, token: str) -> None:
    """2003, and the connection is who it was."""
    node.refresh = _check
    alice = await client(node, identity=Identity(id="alice", expires_at=1e10))
    assert (await alice.request("refresh", {"token": token}))["data"]["code"] == 2003
    assert (alice.connection.identity.id, alice.connection.identity.expires_at) == ("alice", 1e10)


async def test_without_authentication_there_is_nothing_to_refresh(node: Cable) -> None:
    """The client is told to connect anew."""
    alice = await client(node, id="alice")
    assert "connect anew" in (await alice.request("refresh", {"token": "x"}))["data"]["message"]
