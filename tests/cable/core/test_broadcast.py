"""What may be broadcast, and to which stream."""

from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.bus import InvalidStreamError
from lineside.cable import Channel
from tests.cable.core.cables import V1, cable, client, identifier, messages, subscribe
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio

FEED = identifier("Feed")


class Feed(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("feed")

    async def mine(self) -> Any:
        return self.transmit(_account())


class Base(SQLModel, registry=registry()):
    pass


class Account(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    hashed_password: str = ""


class Seen(BaseModel):
    on: date


def _account() -> Account:
    return Account(id=1, hashed_password="$argon2id$planted")


@pytest.mark.parametrize("wrapped", [lambda it: it, lambda it: [it], lambda it: {"rows": ({"one": it},)}])
async def test_a_database_record_is_never_sent_as_it_is(wrapped: Any) -> None:
    async with running(node := cable([Feed])):
        with pytest.raises(TypeError, match="a Account is a database record"):
            await node.broadcast("feed", wrapped(_account()))
        assert (await node.bus.read("feed")).messages == ()


async def test_a_record_that_an_action_transmits_stays_here_too(caplog: pytest.LogCaptureFixture) -> None:
    async with running(node := cable([Feed])):
        alice = await client(node, V1)
        await subscribe(alice, FEED)
        await alice.send({"command": "message", "identifier": FEED, "data": '{"action":"mine"}'})
        await eventually(lambda: node.stats.faults == 1)
        assert "planted" not in str(alice.frames())
        assert "planted" not in caplog.text


async def test_models_and_dates_are_sent_as_fastapi_sends_them() -> None:
    async with running(node := cable([Feed])):
        alice = await client(node, V1)
        await subscribe(alice, FEED)
        await node.broadcast("feed", Seen(on=date(2026, 11, 21)))
        await eventually(lambda: messages(alice, FEED) == [{"on": "2026-11-21"}])


@pytest.mark.parametrize("name", ["", "x" * 256, "lineside!nodes"])
async def test_a_name_that_is_no_streams_is_refused(name: str) -> None:
    async with running(node := cable([Feed])):
        with pytest.raises(InvalidStreamError):
            await node.broadcast(name, 1)


async def test_a_stream_that_is_no_text_is_refused_with_what_to_write() -> None:
    async with running(node := cable([Feed])):
        with pytest.raises(InvalidStreamError, match=r"type int.*broadcasting_for"):
            await node.broadcast(7, 1)  # type: ignore[arg-type]


async def test_what_is_no_json_on_the_bus_reaches_nobody_and_harms_nobody() -> None:
    async with running(node := cable([Feed])):
        alice = await client(node, V1)
        await subscribe(alice, FEED)
        await node.bus.publish("feed", b"\xff\xfe no text", headers={"k": "presence"})
        await node.bus.publish("feed", b"\xff\xfe no text")
        await node.broadcast("feed", "after")
        await eventually(lambda: messages(alice, FEED) == ["after"])
        assert node.stats.unreadable == 2
