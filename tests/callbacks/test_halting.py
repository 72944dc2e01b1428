"""What happens when a callback answers, fails or is cancelled."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

import anyio
import pytest

from lineside.callbacks import Callbacks, declare, run_callbacks
from lineside.exceptions import CallbackError

pytestmark = pytest.mark.anyio


class Order:
    """Has callbacks that halt where the test says so."""

    def __init__(self, halt_in: str = "") -> None:
        self.halt_in = halt_in
        self.log: list[str] = []
        self.ready = anyio.Event()

    def note(self, where: str) -> str | None:
        self.log.append(where)
        return where if where == self.halt_in else None

    @declare("after")
    async def after(self) -> None:
        self.note("after")

    @declare("around")
    async def outer(self) -> AsyncGenerator[Any, Any]:
        try:
            yield self.note("outer in")
        finally:
            self.note("outer out")

    @declare("before")
    async def before(self) -> str | None:
        return self.note("before")

    @declare("around")
    async def inner(self) -> AsyncGenerator[Any, Any]:
        answer = self.note("inner in")
        if answer:
            yield answer
        result = yield
        self.log.append(f"inner saw {result}")
        if answer := self.note("inner out"):
            yield answer

    async def ship(self) -> str:
        self.note("ship")
        return "shipped"

    async def fail(self) -> str:
        raise KeyError("lost")

    async def wait(self) -> str:
        self.ready.set()
        await anyio.sleep_forever()
        return "never"


async def run(order: Any, work: Any = None) -> Any:
    """Run an order through the callbacks of its class."""
    chain = Callbacks.of(type(order)).applying_to("ship", type(order))
    return await run_callbacks(chain, order, work or order.ship)


async def test_without_a_halt_everything_runs() -> None:
    """The result passes through all second halves and afters."""
    order = Order()
    assert await run(order) == "shipped"
    assert order.log == [
        "outer in",
        "before",
        "inner in",
        "ship",
        "inner saw shipped",
        "inner out",
        "outer out",
        "after",
    ]


async def test_a_before_that_halts_skips_the_work_and_the_afters() -> None:
    """Arounds that have begun are unwound, nothing else runs."""
    order = Order("before")
    assert await run(order) == "before"
    assert order.log == ["outer in", "before", "outer out"]


async def test_an_around_that_answers_first_halts() -> None:
    """An around may answer instead of the work; it is closed, those outside are unwound."""
    order = Order("inner in")
    assert await run(order) == "inner in"
    assert order.log == ["outer in", "before", "inner in", "outer out"]


async def test_an_around_that_answers_behind_the_work_replaces_the_result() -> None:
    """A second value of an around is the new result, and afters still run."""
    order = Order("inner out")
    assert await run(order) == "inner out"
    assert order.log[-2:] == ["outer out", "after"]


async def test_an_error_passes_through_the_arounds_and_skips_the_afters() -> None:
    """Open arounds see the error, which then goes on."""
    order = Order()
    with pytest.raises(KeyError, match="lost"):
        await run(order, order.fail)
    assert order.log == ["outer in", "before", "inner in", "outer out"]


async def test_an_around_may_answer_an_error() -> None:
    """Yielding a value from an `except` answers with it; afters outside of it run again."""

    class Rescued(Order):
        @declare("around")
        async def rescue(self) -> AsyncGenerator[Any, Any]:
            try:
                yield
            except KeyError as error:
                yield f"rescued {error}"

    order = Rescued()
    assert await run(order, order.fail) == "rescued 'lost'"
    assert order.log[-2:] == ["outer out", "after"]


async def test_an_around_that_swallows_an_error_is_an_error() -> None:
    """Nobody can know the answer then: the message says what to do."""

    class Swallowing(Order):
        @declare("around")
        async def swallow(self) -> AsyncGenerator[Any, Any]:
            try:
                yield
            except KeyError:
                self.log.append("swallowed")

    order = Swallowing()
    with pytest.raises(CallbackError, match="swallowed an error") as caught:
        await run(order, order.fail)
    assert isinstance(caught.value.__cause__, KeyError)


async def test_an_around_that_yields_twice_is_an_error() -> None:
    """A second `yield` without an answer has no meaning."""

    class Twice:
        @declare("around")
        async def twice(self) -> AsyncGenerator[Any, Any]:
            yield
            yield

        async def ship(self) -> None: ...

    with pytest.raises(CallbackError, match=r"^Twice\.twice \(around 'ship'\) yielded twice"):
        await run(Twice())


async def test_an_around_that_never_yields_is_an_error() -> None:
    """An around that returns early forgot the work: silence would skip it."""

    class Never:
        @declare("around")
        async def never(self) -> AsyncGenerator[Any, Any]:
            if False:
                yield

        async def ship(self) -> None: ...

    with pytest.raises(CallbackError, match=r"^Never\.never \(around 'ship'\) ended without `yield`"):
        await run(Never())


async def test_cancellation_unwinds_the_arounds() -> None:
    """A cancelled run leaves no around open, and stays cancelled."""
    order = Order()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, order, order.wait)
        with anyio.fail_after(5):
            await order.ready.wait()
        tasks.cancel_scope.cancel()
    assert order.log == ["outer in", "before", "inner in", "outer out"]


async def test_cancellation_unwinds_a_plain_generator_too() -> None:
    """The second half of a sync around runs in its thread although the task is cancelled."""

    class Plain(Order):
        @declare("around")
        def plain(self) -> Generator[Any, Any, None]:
            try:
                yield
            finally:
                self.log.append("plain out")

    order = Plain()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, order, order.wait)
        with anyio.fail_after(5):
            await order.ready.wait()
        tasks.cancel_scope.cancel()
    assert order.log[-2:] == ["plain out", "outer out"]


async def test_an_error_of_an_after_is_seen_by_the_arounds_outside() -> None:
    """An after that fails fails the run, and what is open is unwound."""

    class Failing(Order):
        @declare("after")
        async def broken(self) -> None:
            raise ValueError("after")

    order = Failing()
    with pytest.raises(ValueError, match="after"):
        await run(order)
    assert order.log[-1] == "outer out"


async def test_an_after_may_replace_the_result() -> None:
    """What an after returns takes the place of the result."""

    class Wrapping:
        @declare("after")
        async def wrap(self, result: str) -> str:
            return f"<{result}>"

        async def ship(self) -> str:
            return "shipped"

    assert await run(Wrapping()) == "<shipped>"


async def test_what_halts_is_for_the_caller_to_say() -> None:
    """`halts` decides which values end the chain; None never does."""

    class Asking:
        @declare("before")
        async def ask(self) -> int:
            return 0

        async def ship(self) -> str:
            return "shipped"

    chain = Callbacks.of(Asking).applying_to("ship", Asking)
    asking = Asking()
    assert await run_callbacks(chain, asking, asking.ship, halts=lambda given: given is False) == "shipped"
    assert await run_callbacks(chain, asking, asking.ship) == 0
