"""Typed messages: handlers of the app, their payloads, answers, order and faults."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends
from pydantic import BaseModel, Field

from lineside.bus import BusUnavailable
from lineside.cable import Answer, Cable, CableConfigurationError, Connection, ConnectionPort, RequestFailed
from lineside.exceptions import AccessDeniedError
from tests.cable.fakes import client, running

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    """What a client orders."""

    item: str
    count: Annotated[int, Field(ge=1)] = 1


class Receipt(BaseModel):
    """What it gets."""

    item: str
    total: float


async def test_a_handler_gets_its_payload_and_answers(node: Cable) -> None:
    """The payload is a model, so is the answer; the answer's type is the handler's to name."""

    @node.on("order", reply="receipt")
    async def order(connection: ConnectionPort, message: Order) -> Receipt:
        assert connection.client_id == "alice"
        return Receipt(item=message.item, total=message.count * 1.5)

    alice = await client(node, id="alice")
    answer = await alice.request("order", {"item": "tea", "count": 2})
    assert (answer["message_type"], answer["data"]) == ("receipt", {"item": "tea", "total": 3.0})


async def test_an_answer_has_the_type_of_its_request_unless_it_says_otherwise(node: Cable) -> None:
    """``request_id`` tells the client that it is the answer."""
    node.on("echo", lambda message: message)
    node.on("choose", lambda message: Answer(message, 1))
    alice = await client(node)
    assert (await alice.request("echo", [1, {"a": None}]))["message_type"] == "echo"
    assert (await alice.request("choose", "chosen"))["message_type"] == "chosen"


async def test_nothing_to_say_is_an_acknowledgement(node: Cable) -> None:
    """Every request is answered."""

    @node.on("note")
    async def note() -> None:
        """Take no payload."""

    alice = await client(node)
    answer = await alice.request("note", {"any": "thing"})
    assert (answer["message_type"], answer["data"]) == ("ack", None)


async def test_a_wrong_payload_names_its_fields(node: Cable) -> None:
    """1001, with details as in FastAPI's 422."""

    @node.on("order")
    async def order(message: Order) -> None:
        raise AssertionError("never called")

    alice = await client(node)
    error = (await alice.request("order", {"count": 0}))["data"]
    assert error["code"] == 1001
    assert [each["loc"] for each in error["details"]] == [["data", "item"], ["data", "count"]]
    assert error["message"].startswith("item: Field required; count: ")


async def test_a_handler_that_fails_kills_nothing(node: Cable, caplog: pytest.LogCaptureFixture) -> None:
    """WEAK-HUB-23: the client is told that something went wrong, the log has what; all goes on."""

    @node.on("fail")
    async def fail() -> None:
        raise ZeroDivisionError("a secret of the server")

    alice = await client(node)
    error = (await alice.request("fail"))["data"]
    assert error["code"] == 1003
    assert "secret" not in error["message"]
    assert "a secret of the server" in caplog.text
    assert (await alice.request("ping", {"ts": 1}))["message_type"] == "pong"
    assert node.stats.faults == 1


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (RequestFailed(3001, "mine"), 3001, "mine"),
        (BusUnavailable("server at 10.0.0.7 is away"), 1004, "the bus does not answer; try again"),
        (AccessDeniedError("read", "Order", reason="not yours"), 2001, "not yours"),
    ],
)
async def test_errors_are_answered_with_their_code(
    node: Cable, error: Exception, code: int, text: str
) -> None:
    """What is public is said; where the servers are is not."""

    @node.on("fail")
    async def fail() -> None:
        raise error

    alice = await client(node)
    answer = (await alice.request("fail"))["data"]
    assert (answer["code"], answer["message"]) == (code, text)


async def test_handlers_of_one_type_stack_in_order(node: Cable) -> None:
    """WEAK-HUB-23: all run, the first that has something to say answers."""
    seen: list[str] = []

    @node.on("order")
    async def log(message: Any) -> None:
        seen.append(f"log {message}")

    @node.on("order")
    async def answer(message: Any) -> str:
        seen.append("answer")
        return "done"

    @node.on("order")
    def after(message: Any) -> str:
        seen.append("after")
        return "too late"

    alice = await client(node)
    assert (await alice.request("order", 1))["data"] == "done"
    assert seen == ["log 1", "answer", "after"]
    assert node.off("order", answer)
    assert (await alice.request("order", 2))["data"] == "too late"
    assert not node.off("order", answer)


async def test_two_cables_share_no_handlers(nodes: tuple[Cable, Cable]) -> None:
    """WEAK-HUB-23: GoHub's dispatcher belonged to the process."""
    nodes[0].on("mine", lambda: "mine")
    alice = await client(nodes[1])
    assert (await alice.request("mine"))["data"]["message"] == "unknown message type"


async def test_a_handler_stands_in_for_a_built_in_one(node: Cable) -> None:
    """HUB-SRV-05; the permission of the type stays."""
    node.on("join_room", lambda: "mine")
    node.on("ping", lambda: "mine", reply="pong")
    alice = await client(node, id="alice")
    assert (await alice.request("ping"))["data"] == "mine"
    assert (await alice.request("join_room"))["data"]["code"] == 2001


async def test_a_client_s_requests_are_done_in_order(node: Cable) -> None:
    """A slow one is not overtaken by its own client's next, and holds up nobody else."""
    gate = asyncio.Event()

    @node.on("slow")
    async def slow() -> str:
        await gate.wait()
        return "slow"

    alice, bob = await client(node), await client(node)
    await alice.send({"message_id": 71, "message_type": "slow", "data": None})
    await alice.send({"message_id": 72, "message_type": "ping", "data": {}})
    await bob.settle()
    assert alice.frames() == []
    gate.set()
    await alice.receive_type("pong")
    assert [frame["message_type"] for frame in alice.frames()] == ["slow", "pong"]


async def test_dependencies_are_resolved_by_whoever_can(new_cable: Callable[..., Cable]) -> None:
    """The cable knows no web framework: it is given what resolves, and says at its start when it has not."""

    def where() -> str:
        return "here"

    async def handler(message: int, place: Annotated[str, Depends(where)], connection: Connection) -> str:
        return f"{place} {message} {connection.client_id}"

    @asynccontextmanager
    async def inject(
        function: Callable[..., Any], connection: ConnectionPort
    ) -> AsyncIterator[dict[str, Any]]:
        assert function is handler
        yield {"place": where()}

    cable = new_cable()
    cable.on("where", handler)
    with pytest.raises(CableConfigurationError, match=r"'where' has dependencies \(place\)"):
        await cable.start()
    cable.messages.inject = inject
    async with running(cable):
        alice = await client(cable, id="alice")
        assert (await alice.request("where", 7))["data"] == "here 7 alice"


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (lambda one, two: None, "one payload"),
        (lambda *messages: None, "name each parameter"),
        (lambda message, /: None, "by name"),
    ],
)
def test_a_handler_that_cannot_be_called_is_refused_at_once(
    new_cable: Callable[..., Cable], handler: Any, why: str
) -> None:
    """Not with the first message."""
    with pytest.raises(CableConfigurationError, match=why):
        new_cable().on("type", handler)


async def test_metadata_lives_as_long_as_its_connection(node: Cable) -> None:
    """HUB-CONN-06: values of the app's own, set, read and removed by handlers."""

    @node.on("set")
    async def set_(connection: ConnectionPort, message: str) -> None:
        connection.metadata["name"] = message

    @node.on("get")
    async def get(connection: ConnectionPort) -> str | None:
        return connection.metadata.get("name")

    alice, bob = await client(node), await client(node)
    await alice.request("set", "Alice")
    assert (await alice.request("get"))["data"] == "Alice"
    assert (await bob.request("get"))["message_type"] == "ack"
