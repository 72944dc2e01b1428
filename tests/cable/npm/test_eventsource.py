"""EventSource, as browsers have it: the cable by plain HTTP, which goes on after a cut."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.cable.npm.app import SIGNED
from tests.cable.npm.drivers import Driver, eventually
from tests.cable.npm.nodes import Nodes
from tests.cable.npm.proxy import proxied

pytestmark = pytest.mark.anyio

TYPES = ["welcome", "confirm_subscription", "reject_subscription", "confirm_history", "disconnect"]


async def listening(run: Any, url: str, **query: str) -> Driver:
    """Return an EventSource whose subscription is confirmed."""
    library: Driver = await run("eventsource")
    await library.do("connect", client="a", url=f"{url}/cable/events?{urlencode(query)}", types=TYPES)
    await library.event("received", type="confirm_subscription")
    return library


def messages(library: Driver) -> list[Any]:
    """Return what the page was shown, in order."""
    return [json.loads(each["data"]) for each in library.seen("received", type="message")]


@pytest.mark.parametrize("wish", ["stream", "signed_stream"])
async def test_a_stream_is_listened_to(nodes: Nodes, run: Any, name: str, wish: str) -> None:
    stream = f"open:{name}" if wish == "stream" else f"secret:{name}"
    asked = stream if wish == "stream" else SIGNED.sign(stream)
    library = await listening(run, nodes.first.url, raw="1", **{wish: asked})
    await nodes.broadcast(stream, "one", {"two": 2})
    await library.until(lambda: len(messages(library)) == 2)
    assert messages(library) == ["one", {"two": 2}]


async def test_a_channel_decides_about_its_subscription_as_over_a_socket(node: Nodes, run: Any) -> None:
    library: Driver = await run("eventsource")
    await library.do("connect", client="a", url=f"{node.first.url}/cable/events?channel=Picky", types=TYPES)
    assert (await library.event("error"))["code"] in (401, 403)


async def test_a_stream_that_nobody_has_made_public_is_refused(node: Nodes, run: Any) -> None:
    library: Driver = await run("eventsource")
    await library.do("connect", client="a", url=f"{node.first.url}/cable/events?stream=room:1", types=TYPES)
    assert (await library.event("error"))["code"] in (401, 403)


async def test_what_is_said_while_a_page_is_cut_off_comes_once_and_in_order(
    nodes: Nodes, run: Any, name: str
) -> None:
    async with proxied(nodes.first.port, nodes.last.port) as proxy:
        library = await listening(run, f"http://127.0.0.1:{proxy.port}", stream=f"open:{name}", raw="1")
        await nodes.broadcast(f"open:{name}", "one", "two")
        await library.until(lambda: len(messages(library)) == 2)
        with proxy.closed():
            proxy.cut()
            await eventually(lambda: _nobody_listens(nodes, f"open:{name}"))
            await nodes.broadcast(f"open:{name}", "three", "four")
        await library.event("received", type="confirm_subscription", times=2, seconds=30)
        await nodes.broadcast(f"open:{name}", "five")
        await library.until(lambda: "five" in messages(library))
        assert messages(library) == ["one", "two", "three", "four", "five"]


async def _nobody_listens(nodes: Nodes, stream: str) -> bool:
    return await nodes.subscriptions(stream) == 0
