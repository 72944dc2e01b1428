"""The example chat, in two real browsers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from examples.chat.app import create_app
from tests.browser.chromium import Page, browser
from tests.cable.server.cables import serving
from tests.faultproxy import FaultProxy, proxied

pytestmark = pytest.mark.anyio

MESSAGES = "#messages li"


async def enter(page: Page, port: int, name: str, room: str = "lobby") -> None:
    """Open the chat and enter a room."""
    await page.open(f"http://127.0.0.1:{port}/chat")
    await move(page, name, room)


async def move(page: Page, name: str, room: str) -> None:
    """Enter a room of the chat that is open."""
    await page.type("#name", name)
    await page.type("#room", room)
    await page.click("#enter button")
    await page.until("document.body.dataset.state === 'connected'")


async def say(page: Page, text: str) -> None:
    """Send a message."""
    await page.type("#text", text)
    await page.click("#speak button")


async def read(page: Page, text: str) -> None:
    """Wait for a message."""
    await page.until(
        f"[...document.querySelectorAll('#messages li')].some((each) => each.textContent.includes({text!r}))"
    )


async def sees(page: Page, *names: str) -> None:
    """Wait until exactly these are there."""
    shown = "[...document.querySelectorAll('#members li')].map((each) => each.textContent).join()"
    await page.until(f"{shown} === {','.join(names)!r}")


@asynccontextmanager
async def two_browsers() -> AsyncIterator[tuple[Page, Page]]:
    """Start two browsers; neither page may have had a fault."""
    async with browser() as first, browser() as second:
        yield first, second
        assert (first.faults, second.faults) == ([], [])


async def test_two_people_talk_see_each_other_and_see_who_is_typing() -> None:
    """Messages, presence and whispers between two browsers; a text is never taken for HTML."""
    async with serving(create_app()) as served, two_browsers() as (ada, ben):
        await enter(ada, served.port, "Ada")
        await say(ada, "Is anybody here?")
        await read(ada, "Is anybody here?")

        await enter(ben, served.port, "Ben")
        await read(ben, "Is anybody here?")
        await sees(ada, "Ada", "Ben")
        await sees(ben, "Ada", "Ben")

        await ben.type("#text", "I am")
        await ada.until("document.querySelector('#typing').textContent === 'Ben typing …'")
        await say(ben, "<b>I am</b>")
        await read(ada, "<b>I am</b>")
        assert [each.partition(": ")[0] for each in await ada.texts(MESSAGES)] == ["Ada", "Ben"]
        assert await ada.run("document.querySelectorAll('#messages li b b').length") == 0


async def test_a_room_keeps_to_itself() -> None:
    """Who moves to another room leaves the first, and hears nothing of it."""
    async with serving(create_app()) as served, two_browsers() as (ada, ben):
        await enter(ada, served.port, "Ada")
        await enter(ben, served.port, "Ben")
        await sees(ada, "Ada", "Ben")
        await move(ben, "Ben", "kitchen")
        await sees(ada, "Ada")
        await sees(ben, "Ben")
        await say(ada, "in the lobby")
        await read(ada, "in the lobby")
        await say(ben, "in the kitchen")
        await read(ben, "in the kitchen")
        assert len(await ben.texts(MESSAGES)) == 1


async def test_what_was_said_during_a_cut_arrives_once_and_in_order() -> None:
    """The line is cut, the other one speaks on, and the page brings back what it has missed."""
    async with (
        serving(create_app()) as served,
        proxied(served.port) as line,
        two_browsers() as (ada, ben),
    ):
        await enter(ben, served.port, "Ben")
        await enter(ada, line.port, "Ada")
        await say(ben, "number 0")
        await read(ada, "number 0")
        await cut(line, ada)
        for number in range(1, 4):
            await say(ben, f"number {number}")
            await read(ben, f"number {number}")
        await line.start()
        await read(ada, "number 3")
        await sees(ada, "Ada", "Ben")
        await say(ben, "number 4")
        await read(ada, "number 4")
        said = [each.partition(": ")[2][:8] for each in await ada.texts(MESSAGES)]
        assert said == [f"number {number}" for number in range(5)]


async def cut(line: FaultProxy, page: Page) -> None:
    """Cut a page's line; it notices, and nothing answers when it calls again."""
    await line.stop()
    await page.until("document.body.dataset.state === 'disconnected'")


async def test_two_nodes_are_one_chat(redis_url: str) -> None:
    """Each browser is on a node of its own; Redis is between them."""
    async with (
        serving(create_app(redis_url)) as one,
        serving(create_app(redis_url)) as other,
        two_browsers() as (ada, ben),
    ):
        await enter(ada, one.port, "Ada", "nodes")
        await enter(ben, other.port, "Ben", "nodes")
        await sees(ada, "Ada", "Ben")
        await sees(ben, "Ada", "Ben")
        await say(ada, "from one node")
        await read(ben, "from one node")
        await say(ben, "to the other")
        await read(ada, "to the other")
