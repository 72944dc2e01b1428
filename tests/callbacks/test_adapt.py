"""Sync callbacks run in a worker thread, planned once."""

import threading
from collections.abc import Generator
from typing import Any

import pytest

from lineside.callbacks import Callbacks, adapted, declare, run_callbacks

pytestmark = pytest.mark.anyio


class Report:
    """Has plain functions as callbacks and notes the threads they run in."""

    def __init__(self) -> None:
        self.threads: dict[str, int] = {}
        self.seen: list[Any] = []

    def note(self, where: str) -> None:
        self.threads[where] = threading.get_ident()

    @declare("before")
    def before(self) -> None:
        self.note("before")

    @declare("after")
    def after(self, result: str) -> None:
        self.note("after")
        self.seen.append(result)

    @declare("around")
    def around(self) -> Generator[None, Any, None]:
        self.note("in")
        try:
            result = yield
        except KeyError as error:
            self.seen.append(error)
            raise
        self.note("out")
        self.seen.append(result)

    async def build(self) -> str:
        self.note("build")
        return "built"

    async def fail(self) -> str:
        raise KeyError("lost")


async def test_plain_callbacks_run_in_a_worker_thread() -> None:
    """A blocking callback does not block the event loop."""
    report = Report()
    chain = Callbacks.of(Report).applying_to("build", Report)
    assert await run_callbacks(chain, report, report.build) == "built"
    here = threading.get_ident()
    assert report.threads["build"] == here
    assert all(report.threads[where] != here for where in ("before", "after", "in", "out"))


async def test_a_plain_around_gets_the_result() -> None:
    """What the work gave is the value of its `yield`."""
    report = Report()
    await run_callbacks(Callbacks.of(Report).applying_to("build", Report), report, report.build)
    assert report.seen == ["built", "built"]


async def test_a_plain_around_gets_the_error() -> None:
    """What the work raised is raised at its `yield`."""
    report = Report()
    with pytest.raises(KeyError):
        await run_callbacks(Callbacks.of(Report).applying_to("fail", Report), report, report.fail)
    assert [type(seen) for seen in report.seen] == [KeyError]


async def test_a_plain_around_may_answer() -> None:
    """A second value of a plain generator replaces the result."""

    class Answering:
        @declare("around")
        def answer(self) -> Generator[Any, Any, None]:
            result = yield
            yield f"<{result}>"

        async def build(self) -> str:
            return "built"

    answering = Answering()
    chain = Callbacks.of(Answering).applying_to("build", Answering)
    assert await run_callbacks(chain, answering, answering.build) == "<built>"


async def test_an_async_function_is_used_as_it_is() -> None:
    """Only plain functions are wrapped."""

    async def callback() -> None: ...

    assert adapted(callback) is callback


async def test_a_function_that_stands_for_itself_gets_no_receiver() -> None:
    """A callback outside of any class is called with its own parameters alone."""
    from lineside.callbacks import Callback

    seen: list[str] = []

    async def before() -> None:
        seen.append("before")

    def after(result: str) -> None:
        seen.append(result)

    async def after_alone() -> None:
        seen.append("alone")

    async def work() -> str:
        return "done"

    callbacks = Callbacks(
        (Callback("before", "b", before), Callback("after", "a", after), Callback("after", "c", after_alone))
    )
    await run_callbacks(callbacks.applying_to("work", object), None, work)
    assert seen == ["before", "alone", "done"]
