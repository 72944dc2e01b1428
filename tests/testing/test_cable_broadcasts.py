"""Assertions about what is broadcast, and who is present."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from lineside.bus import HistoryLimits
from lineside.cable import Cable, CableLimits, Channel, ChannelRegistry, Identity
from lineside.cable.fastapi import cable_router
from lineside.exceptions import ConfigurationError
from lineside.testing import (
    CableClient,
    assert_broadcast_on,
    assert_broadcasts,
    assert_no_broadcasts,
    broadcasts,
    present_on,
    running,
)

pytestmark = pytest.mark.anyio


class Together(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("news", presence={"id": self.connection.client_id, "info": {"in": "town"}})


@pytest.fixture(params=["memory", "redis", "nats", "without history"])
async def cable(request: pytest.FixtureRequest) -> AsyncIterator[Cable]:
    kind = request.param
    limits = CableLimits(history=HistoryLimits(messages=0)) if kind == "without history" else None
    url = "memory://" if kind in ("memory", "without history") else request.getfixturevalue(f"{kind}_url")
    made = Cable(ChannelRegistry([Together]), bus=url, limits=limits)
    async with running(made):
        yield made


async def test_as_many_as_said(cable: Cable) -> None:
    async with assert_broadcasts(cable, "news", 2) as messages:
        await cable.broadcast("news", {"n": 1})
        await cable.broadcast("news", {"n": 2}, history=False)
    assert sorted(messages, key=str) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("expected", [0, 2])
async def test_more_or_fewer_fail(cable: Cable, expected: int) -> None:
    with pytest.raises(
        AssertionError, match=rf"expected {expected} broadcasts to 'news', got 1\n  {{'n': 1}}"
    ):
        async with assert_broadcasts(cable, "news", expected):
            await cable.broadcast("news", {"n": 1})


async def test_none_on_a_stream_that_nobody_broadcasts_to(cable: Cable) -> None:
    await cable.broadcast("news", "earlier")
    async with assert_no_broadcasts(cable, "news"):
        await cable.broadcast("olds", "elsewhere")


async def test_one_message_among_others(cable: Cable) -> None:
    async with assert_broadcast_on(cable, "news", {"n": 2}):
        await cable.broadcast("news", {"n": 1})
        await cable.broadcast("news", {"n": 2})


async def test_a_message_that_is_missing_names_the_difference(cable: Cable) -> None:
    with pytest.raises(AssertionError, match=r"'news': at \$\.n: expected 2, got 1\n  \{'n': 1\}"):
        async with assert_broadcast_on(cable, "news", {"n": 2}):
            await cable.broadcast("news", {"n": 1})


async def test_an_error_of_the_block_goes_first(cable: Cable) -> None:
    with pytest.raises(ZeroDivisionError):
        async with assert_broadcasts(cable, "news", 5):
            raise ZeroDivisionError


async def test_who_comes_and_goes_is_no_broadcast(cable: Cable) -> None:
    async with (
        assert_no_broadcasts(cable, "news"),
        CableClient(cable, identity=Identity(id="ada")) as client,
    ):
        await client.subscribe("Together", presence=True)
        assert await present_on(cable, "news") == {"ada": {"in": "town"}}


async def test_what_is_kept_can_be_listed() -> None:
    made = Cable(ChannelRegistry([Together]))
    async with running(made):
        await made.broadcast("news", 1)
        await made.broadcast("news", 2, history=False)
        await made.broadcast("news", 3)
        assert await broadcasts(made, "news") == [1, 3]
        assert await broadcasts(made, "olds") == []
        assert await present_on(made, "news") == {}


async def test_an_app_or_its_router_stands_for_its_cable() -> None:
    router = cable_router([Together])
    app = FastAPI()
    app.include_router(router, prefix="/cable")
    async with running(app):
        for target in (app, router, router.cable):
            async with assert_broadcast_on(target, "news", "Hello"):
                await router.cable.broadcast("news", "Hello")


async def test_an_app_without_a_running_cable_is_told_what_to_do() -> None:
    for target in (FastAPI(), object()):
        with pytest.raises(ConfigurationError, match="no running cable"):
            await broadcasts(target, "news")


async def test_of_several_cables_it_is_the_default_one() -> None:
    app = FastAPI()
    default, other = cable_router([Together]), cable_router([Together], name="other")
    app.include_router(default, prefix="/cable")
    app.include_router(other, prefix="/other")
    messages: list[Any]
    async with running(app), assert_broadcasts(app, "news", 1) as messages:
        await other.cable.broadcast("news", "other")
        await default.cable.broadcast("news", "default")
    assert messages == ["default"]
