"""What `ws` and the libraries are told at the door: origins, subprotocols and tokens."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.cable.npm.app import TOKENS
from tests.cable.npm.drivers import Driver
from tests.cable.npm.nodes import Nodes

pytestmark = pytest.mark.anyio

BOTH = ["actioncable-v1-json", "actioncable-v1-ext-json"]


async def test_a_page_of_another_origin_is_refused_before_the_upgrade(node: Nodes, run: Any) -> None:
    ws = await run("ws")
    answer = await ws.do("connect", client="a", url=node.first.cable, origin="https://evil.example")
    assert answer["status"] == 403


async def test_a_page_of_the_apps_own_origin_is_let_in(node: Nodes, run: Any) -> None:
    ws = await run("ws")
    answer = await ws.do(
        "connect", client="a", url=node.first.cable, origin=node.first.url, protocols=["actioncable-v1-json"]
    )
    assert answer == {"protocol": "actioncable-v1-json"}


async def test_a_client_of_only_unknown_subprotocols_is_told_the_known_ones(node: Nodes, run: Any) -> None:
    ws = await run("ws")
    answer = await ws.do("connect", client="a", url=node.first.cable, protocols=["soap"])
    assert answer["status"] == 400
    assert "actioncable-v1-json" in json.loads(answer["body"])["detail"]


async def test_a_client_that_names_no_subprotocol_speaks_gohubs(node: Nodes, run: Any) -> None:
    ws = await run("ws")
    assert await ws.do("connect", client="a", url=node.first.cable) == {"protocol": ""}
    await ws.do("send", client="a", frame=json.dumps({"message_id": 7, "message_type": "ping", "data": {}}))
    await ws.until(
        lambda: [each for each in ws.seen("frame") if json.loads(each["frame"]).get("request_id") == 7]
    )


@pytest.mark.parametrize("first", BOTH)
async def test_the_subprotocol_that_a_client_names_first_is_spoken(node: Nodes, run: Any, first: str) -> None:
    ws = await run("ws")
    offered = sorted(BOTH, key=lambda each: each != first)
    assert await ws.do("connect", client="a", url=node.first.cable, protocols=offered) == {"protocol": first}


async def test_a_forged_token_is_refused_before_the_upgrade(node: Nodes, run: Any) -> None:
    ws = await run("ws")
    token = TOKENS.generate_token("ann")[:-4] + "AAAA"
    answer = await ws.do("connect", client="a", url=f"{node.first.cable}?jid={token}", protocols=BOTH)
    assert answer["status"] == 401


async def test_a_token_that_ends_closes_the_socket_with_a_code_of_its_own(node: Nodes, run: Any) -> None:
    ws = await run("ws")
    token = TOKENS.generate_token("ann", ttl=timedelta(seconds=1))
    await ws.do("connect", client="a", url=f"{node.first.cable}?jid={token}", protocols=BOTH)
    assert (await ws.event("closed"))["code"] == 4408
    last = json.loads(ws.seen("frame")[-1]["frame"])
    assert last == {"type": "disconnect", "reason": "token_expired", "reconnect": False}


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_library_that_comes_with_an_ended_token_is_told_so_by_a_frame(
    node: Nodes, run: Any, protocol: str
) -> None:
    ws = await run("ws")
    token = await ended_token(ws, node)
    await ws.do("connect", client="a", url=f"{node.first.cable}?jid={token}", protocols=[protocol])
    assert (await ws.event("closed", client="a"))["code"] == 4408
    frames = [json.loads(each["frame"]) for each in ws.seen("frame", client="a")]
    assert frames == [{"type": "disconnect", "reason": "token_expired", "reconnect": False}]


async def test_other_clients_with_an_ended_token_are_refused_before_the_upgrade(
    node: Nodes, run: Any
) -> None:
    ws = await run("ws")
    token = await ended_token(ws, node)
    answer = await ws.do("connect", client="a", url=f"{node.first.cable}?jid={token}")
    assert answer["status"] == 401


async def ended_token(ws: Driver, node: Nodes) -> str:
    """Return a token of the app's that was good, and is no longer."""
    token = TOKENS.generate_token("ann", ttl=timedelta(seconds=1))
    await ws.do("connect", client="meanwhile", url=f"{node.first.cable}?jid={token}")
    await ws.event("closed", client="meanwhile")
    return token


async def test_a_frame_that_is_too_large_closes_with_1009(node: Nodes, run: Any) -> None:
    ws = await run("ws")
    await ws.do("connect", client="a", url=node.first.cable)
    await ws.do("send", client="a", frame="x" * 70_000)
    assert (await ws.event("closed"))["code"] == 1009
