"""@anycable/core, unchanged, in both of its protocols, on one node and on two."""

from datetime import timedelta
from typing import Any

import pytest

from tests.cable.npm.app import SIGNED, TOKENS
from tests.cable.npm.drivers import Driver, DriverError, eventually
from tests.cable.npm.nodes import Nodes

pytestmark = pytest.mark.anyio

V1 = "actioncable-v1-json"
EXT = "actioncable-v1-ext-json"
PROTOCOLS = [V1, EXT, "actioncable-v1-msgpack", "actioncable-v1-ext-msgpack"]


async def cable(library: Driver, client: str, url: str, **options: Any) -> None:
    """Make a cable of the extended protocol, unless told otherwise, and connect it."""
    await library.do("create", client=client, url=url, **{"protocol": EXT, **options})
    await library.do("connect", client=client)


async def in_room(library: Driver, client: str, name: str, channel: str = "room") -> None:
    """Subscribe a client to a room."""
    await library.do("subscribe", client=client, channel=channel, name="Room", params={"name": name})


async def cables_in_room(library: Driver, nodes: Nodes, name: str, **clients: dict[str, Any]) -> None:
    """Connect clients, the first to the first node and the others to the last, and subscribe them."""
    for number, (client, options) in enumerate(clients.items()):
        await cable(library, client, (nodes.last if number else nodes.first).cable, **options)
        await in_room(library, client, name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_one_client_says_reaches_another(nodes: Nodes, run: Any, name: str, protocol: str) -> None:
    library = await run("anycable")
    await cables_in_room(library, nodes, name, a={"protocol": protocol}, b={"protocol": protocol})
    await library.do("perform", client="a", channel="room", action="speak", data={"text": "hello"})
    for client in ("a", "b"):
        assert (await library.event("message", client=client))["message"] == {"text": "hello"}


@pytest.mark.parametrize("protocol", [V1, EXT])
async def test_a_rejection_is_the_librarys_own_error(node: Nodes, run: Any, protocol: str) -> None:
    library = await run("anycable")
    await cable(library, "a", node.first.cable, protocol=protocol)
    with pytest.raises(DriverError, match="Rejected"):
        await library.do("subscribe", client="a", channel="no", name="Picky", params={})
    assert (await library.event("closed", client="a"))["error"] == "SubscriptionRejectedError"


async def test_every_message_has_its_place_in_the_stream(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cables_in_room(library, nodes, name, a={})
    offsets = await nodes.broadcast(f"room:{name}", "one", "two", "three")
    await library.event("message", client="a", times=3)
    assert [each["offset"] for each in library.seen("message")] == offsets == sorted(set(offsets))


async def test_a_client_is_sent_what_was_said_since_a_time(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await nodes.broadcast(f"room:{name}", *range(1, 21))
    await cable(library, "a", nodes.first.cable, historyTimestamp=1)
    await in_room(library, "a", name)
    await nodes.broadcast(f"room:{name}", "live")
    await library.event("message", client="a", times=21)
    assert library.messages(client="a") == [*range(1, 21), "live"]


async def test_a_client_that_asks_for_no_history_gets_none(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await nodes.broadcast(f"room:{name}", 1)
    await cable(library, "a", nodes.first.cable, historyTimestamp=False)
    await in_room(library, "a", name)
    await nodes.broadcast(f"room:{name}", "live")
    await library.event("message", client="a")
    assert library.messages(client="a") == ["live"]


async def test_a_thousand_quick_turns_leave_one_subscription(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cables_in_room(library, nodes, name, a={})
    room = {"name": "Room", "params": {"name": name}}
    await library.do("toggle", client="a", channel="room", times=1_000, **room)
    assert await nodes.subscriptions(f"room:{name}") == 1
    await nodes.broadcast(f"room:{name}", "once", "end")
    await library.until(lambda: "end" in library.messages(client="a"))
    assert library.messages(client="a") == ["once", "end"]


async def test_a_whisper_reaches_the_others_and_not_who_whispered(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cables_in_room(library, nodes, name, a={}, b={}, c={"protocol": V1})
    await library.do("whisper", client="a", channel="room", data={"typing": True})
    for client in ("b", "c"):
        assert (await library.event("message", client=client))["message"] == {"typing": True}
    await nodes.broadcast(f"room:{name}", "end")
    await library.event("message", client="a")
    assert library.messages(client="a") == ["end"]


async def test_a_whisper_is_kept_for_nobody(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cables_in_room(library, nodes, name, a={}, b={})
    await library.do("whisper", client="a", channel="room", data="psst")
    await library.event("message", client="b")
    await cable(library, "c", nodes.last.cable, historyTimestamp=1)
    await in_room(library, "c", name)
    await nodes.broadcast(f"room:{name}", "end")
    await library.event("message", client="c")
    assert library.messages(client="c") == ["end"]


async def test_presence_tells_who_comes_who_is_there_and_who_goes(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    ann, bob = f"ann-{name}", f"bob-{name}"
    await cables_in_room(library, nodes, name, ann=_as(ann), bob=_as(bob))
    await library.do("join", client="ann", channel="room", **{"as": ann})
    await library.event("presence", client="bob")
    await library.do("join", client="bob", channel="room", **{"as": bob})
    joined = await library.event("presence", client="ann", times=2)
    assert joined["message"] == {"type": "join", "id": bob, "info": {"name": bob.upper()}}
    present = await library.do("present", client="bob", channel="room")
    assert present == {ann: {"name": ann.upper()}, bob: {"name": bob.upper()}}
    await library.do("leave", client="ann", channel="room")
    left = await eventually(lambda: [each for each in _presence(library, "bob") if each["type"] == "leave"])
    assert [each["id"] for each in left] == [ann]
    assert await library.do("present", client="bob", channel="room") == {bob: {"name": bob.upper()}}


async def test_whoever_is_there_twice_leaves_once(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    ann = f"ann-{name}"
    await cables_in_room(library, nodes, name, watcher={}, first=_as(ann), second=_as(ann))
    for client in ("first", "second"):
        await library.do("join", client=client, channel="room", **{"as": ann})
    await library.event("presence", client="watcher")
    await library.do("leave", client="first", channel="room")
    await library.do("perform", client="first", channel="room", action="speak", data={"text": "still here"})
    await library.event("message", client="watcher")
    assert [each["type"] for each in _presence(library, "watcher")] == ["join"]
    await library.do("close", client="second")
    await library.until(lambda: len(_presence(library, "watcher")) == 2)
    assert _presence(library, "watcher")[1]["type"] == "leave"


async def test_a_client_is_present_as_who_it_is_and_not_as_it_says(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cables_in_room(library, nodes, name, watcher={}, mallory=_as(f"mallory-{name}"))
    await library.do("join", client="mallory", channel="room", info={"admin": True}, **{"as": "ann"})
    joined = await library.event("presence", client="watcher")
    assert joined["message"]["id"] == f"mallory-{name}"
    assert "admin" not in joined["message"]["info"]


async def test_a_signed_stream_is_streamed(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cable(library, "a", nodes.first.cable)
    signed = SIGNED.sign(f"signed:{name}")
    await library.do("streamFromSigned", client="a", channel="signed", name=signed)
    await nodes.broadcast(f"signed:{name}", "hello")
    assert (await library.event("message", client="a"))["message"] == "hello"


async def test_a_stream_with_a_wrong_signature_is_rejected(node: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cable(library, "a", node.first.cable)
    body, _, signature = SIGNED.sign(f"signed:{name}").rpartition("--")
    forged = f"{body}--{'0' if signature[0] != '0' else '1'}{signature[1:]}"
    with pytest.raises(DriverError, match="Rejected"):
        await library.do("streamFromSigned", client="a", channel="signed", name=forged)


@pytest.mark.parametrize("place", ["param", "header", "sub-protocol"])
async def test_a_token_may_come_wherever_the_library_puts_it(
    node: Nodes, run: Any, name: str, place: str
) -> None:
    library = await run("anycable")
    await cable(library, "a", node.first.cable, token=TOKENS.generate_token(name), auth=place)
    await in_room(library, "a", name)
    await library.do("join", client="a", channel="room", **{"as": "whoever"})
    assert (await library.event("presence", client="a"))["message"]["id"] == name


async def test_a_token_that_ends_is_refreshed_and_the_channels_go_on(
    nodes: Nodes, run: Any, name: str
) -> None:
    library = await run("anycable")
    short = TOKENS.generate_token(f"ann-{name}", ttl=timedelta(seconds=2))
    await cable(library, "a", nodes.first.cable, token=short, refreshes=True)
    await in_room(library, "a", name)
    await library.event("refresh", client="a")
    assert (await library.event("close", client="a"))["reason"] == "token_expired"
    await nodes.broadcast(f"room:{name}", "while away")
    await library.do("token", client="a", token=TOKENS.generate_token(f"ann-{name}"))
    await library.event("connected", client="a", channel="room", times=2)
    await nodes.broadcast(f"room:{name}", "live")
    await library.until(lambda: "live" in library.messages(client="a"))
    assert library.messages(client="a") == ["while away", "live"]


async def test_a_token_that_has_ended_before_the_client_connects_is_refreshed_too(
    node: Nodes, run: Any, name: str
) -> None:
    library = await run("anycable")
    old = TOKENS.generate_token(name, ttl=timedelta(seconds=1))
    await cable(library, "first", node.first.cable, token=old)
    await library.event("close", client="first", reason="token_expired")
    await library.do("create", client="a", url=node.first.cable, protocol=EXT, token=old, refreshes=True)
    with pytest.raises(DriverError, match="token_expired"):
        await library.do("connect", client="a")
    await library.event("refresh", client="a")
    await library.do("token", client="a", token=TOKENS.generate_token(name))
    await library.event("connect", client="a")


async def test_a_cable_that_is_sent_away_for_good_stays_away(nodes: Nodes, run: Any, name: str) -> None:
    library = await run("anycable")
    await cables_in_room(library, nodes, name, a=_as(f"ann-{name}"))
    await nodes.disconnect(f"ann-{name}", reconnect=False)
    assert (await library.event("close", client="a"))["reason"] == "remote"


def _as(user: str) -> dict[str, Any]:
    return {"token": TOKENS.generate_token(user)}


def _presence(library: Driver, client: str) -> list[Any]:
    said = [each["message"] for each in library.seen("presence", client=client)]
    return [each for each in said if each["type"] in ("join", "leave")]
