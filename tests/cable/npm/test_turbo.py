"""Turbo's stream source: what is broadcast to a signed stream changes the page."""

from typing import Any

import pytest

from tests.cable.npm.app import SIGNED
from tests.cable.npm.drivers import Driver, eventually
from tests.cable.npm.nodes import Nodes

pytestmark = pytest.mark.anyio

APPEND = '<turbo-stream action="append" target="list"><template><li>{}</li></template></turbo-stream>'


async def page(run: Any, nodes: Nodes, token: str) -> Driver:
    """Return a page with an empty list and one stream source."""
    library: Driver = await run("turbo")
    await library.do("connect", url=nodes.first.cable)
    source = f'channel="Turbo::StreamsChannel" signed-stream-name="{token}"'
    body = f'<ul id="list"></ul><turbo-cable-stream-source id="source" {source}></turbo-cable-stream-source>'
    await library.do("show", html=body)
    return library


async def is_connected(library: Driver) -> bool:
    """Tell whether Turbo has marked its source as connected, as pages may style."""
    return 'connected=""' in await library.do("body")


async def test_what_is_broadcast_is_rendered_once_and_in_order(nodes: Nodes, run: Any, name: str) -> None:
    library = await page(run, nodes, SIGNED.sign(f"posts:{name}"))
    await eventually(lambda: is_connected(library))
    await nodes.broadcast(f"posts:{name}", *(APPEND.format(number) for number in range(5)))
    listed = "".join(f"<li>{number}</li>" for number in range(5))
    await eventually(lambda: _shows(library, f'<ul id="list">{listed}</ul>'))


async def test_a_source_that_is_removed_unsubscribes(nodes: Nodes, run: Any, name: str) -> None:
    library = await page(run, nodes, SIGNED.sign(f"posts:{name}"))
    await eventually(lambda: is_connected(library))
    assert await nodes.subscriptions(f"posts:{name}") == 1
    await library.do("remove", element="source")
    await eventually(lambda: _nobody_listens(nodes, f"posts:{name}"))


async def test_a_source_with_a_wrong_signature_is_never_connected(node: Nodes, run: Any, name: str) -> None:
    body, _, signature = SIGNED.sign(f"posts:{name}").rpartition("--")
    library = await page(run, node, f"{body}--{signature[::-1]}")
    # Both go the same way: when the second page is connected, the first would have been.
    other = await page(run, node, SIGNED.sign(f"posts:{name}-other"))
    await eventually(lambda: is_connected(other))
    assert not await is_connected(library)
    assert await node.subscriptions(f"posts:{name}") == 0


async def _shows(library: Driver, html: str) -> bool:
    return html in await library.do("body")


async def _nobody_listens(nodes: Nodes, stream: str) -> bool:
    return await nodes.subscriptions(stream) == 0
