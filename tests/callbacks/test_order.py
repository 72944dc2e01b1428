"""The order in which callbacks run, and what a class inherits."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from lineside.callbacks import Callbacks, Skip, declare, run_callbacks
from lineside.exceptions import CallbackError

pytestmark = pytest.mark.anyio


class Base:
    """Declares one callback of each kind and notes what runs."""

    def __init__(self) -> None:
        self.log: list[str] = []

    @declare("before")
    async def first(self) -> None:
        self.log.append("first")

    @declare("around")
    async def around(self) -> AsyncGenerator[None, Any]:
        self.log.append("around in")
        yield
        self.log.append("around out")

    @declare("after")
    async def last(self) -> None:
        self.log.append("last")

    async def work(self) -> str:
        self.log.append("work")
        return "done"


class Derived(Base):
    """Adds callbacks of its own."""

    @declare("before")
    async def second(self) -> None:
        self.log.append("second")

    @declare("after")
    async def early_after(self) -> None:
        self.log.append("early after")


async def run(receiver: Base, event: str = "work") -> Any:
    """Run the callbacks of the receiver's class around its work."""
    chain = Callbacks.of(type(receiver)).applying_to(event, type(receiver))
    return await run_callbacks(chain, receiver, receiver.work)


async def test_bases_come_first_and_afters_run_in_reverse() -> None:
    """Befores run base first in order of declaration; afters and second halves run backwards."""
    receiver = Derived()
    assert await run(receiver) == "done"
    assert receiver.log == ["first", "around in", "second", "work", "early after", "last", "around out"]


async def test_afters_and_second_halves_share_one_reverse_order() -> None:
    """An after that is declared behind an around runs before the around's second half."""
    receiver = Base()
    await run(receiver)
    assert receiver.log == ["first", "around in", "work", "last", "around out"]


async def test_an_overridden_callback_takes_the_place_of_the_inherited_one() -> None:
    """A method that overrides a callback runs in its place, without a decorator."""

    class Overriding(Derived):
        async def first(self) -> None:
            self.log.append("overridden")

    receiver = Overriding()
    await run(receiver)
    assert receiver.log[0] == "overridden"
    assert "first" not in receiver.log


async def test_a_callback_that_is_declared_again_moves_to_the_end() -> None:
    """Declaring an inherited callback again lets it run after the others."""

    class Redeclaring(Derived):
        @declare("before")
        async def first(self) -> None:
            self.log.append("first again")

    receiver = Redeclaring()
    await run(receiver)
    assert receiver.log[:3] == ["around in", "second", "first again"]


async def test_only_and_except_choose_the_events() -> None:
    """A filter decides for which events a callback runs; one name may stand without a list."""

    class Filtered:
        @declare("before", only="ship")
        async def for_ship(self) -> None: ...

        @declare("before", except_=["ship"])
        async def for_others(self) -> None: ...

    def names(event: str) -> list[str]:
        return [planned.callback.name for planned in Callbacks.of(Filtered).applying_to(event, Filtered)]

    assert names("ship") == ["for_ship"]
    assert names("pay") == ["for_others"]


@pytest.mark.parametrize(
    ("skip", "left"),
    [
        (Skip.of("before", "check"), []),
        (Skip.of("before", "check", only=["a"]), ["b", "c"]),
        (Skip.of("before", "check", only="a"), ["b", "c"]),
        (Skip.of("before", "check", except_=["a"]), ["a"]),
        (Skip.of("before", "check", only=["a", "b"], except_=["b"]), ["b", "c"]),
    ],
)
async def test_a_skip_takes_away_some_or_all_events(skip: Skip, left: list[str]) -> None:
    """What a skip does not name still runs."""

    class Checked:
        @declare("before")
        async def check(self) -> None: ...

    callbacks = Callbacks.of(Checked).skip(skip)
    assert [event for event in "abc" if callbacks.applying_to(event, Checked)] == left


async def test_a_skip_with_except_keeps_the_filter_of_the_callback() -> None:
    """Skipping except an event does not widen a callback that never ran for it."""

    class Checked:
        @declare("before", only=["a", "b"])
        async def check(self) -> None: ...

    callbacks = Callbacks.of(Checked).skip(Skip.of("before", "check", except_=["b", "c"]))
    assert [event for event in "abc" if callbacks.applying_to(event, Checked)] == ["b"]


async def test_a_skip_of_an_unknown_callback_names_the_known_ones() -> None:
    """A misspelled skip would leave a callback running that nobody wants: it is an error."""
    with pytest.raises(CallbackError, match=r"cannot skip 'frist'.*first.*second"):
        Callbacks.of(Derived).skip(Skip.of("before", "frist"))


async def test_a_filter_with_an_unknown_event_names_the_known_ones() -> None:
    """A misspelled filter fails before anything runs."""

    class Misspelled:
        @declare("before", only=["shwo"])
        async def check(self) -> None: ...

    with pytest.raises(CallbackError, match=r"Misspelled.*'check'.*shwo.*known.*show"):
        Callbacks.of(Misspelled).check(["show"], "Misspelled")


async def test_merging_keeps_the_place_of_a_shared_callback() -> None:
    """What two bases share stays where the first of them has it, in the version of the second."""

    class Shared:
        @declare("before")
        async def shared(self) -> None: ...

    class Left(Shared):
        @declare("before")
        async def left(self) -> None: ...

    skipping = Callbacks.of(Shared).skip(Skip.of("before", "shared", only=["a"]))
    merged = Callbacks.of(Left).merge(skipping)
    assert [callback.name for callback in merged.entries] == ["shared", "left"]
    assert merged.entries[0].except_ == {"a"}


async def test_a_class_attribute_that_answers_to_every_name_is_no_callback() -> None:
    """Only functions are marked; an object with any attribute is left alone."""

    class Anything:
        def __getattr__(self, name: str) -> Any:
            return self

        def __call__(self) -> None: ...

    class Owner:
        helper = Anything()

    assert Callbacks.of(Owner).entries == ()


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_a_generator_is_no_before_or_after(kind: Any) -> None:
    """A `yield` in the wrong kind of callback would never run: it is an error when it is planned."""

    class Wrong:
        @declare(kind)
        async def check(self) -> AsyncGenerator[None, None]:
            yield

    with pytest.raises(CallbackError, match="one `yield`"):
        Callbacks.of(Wrong).applying_to("work", Wrong)


async def test_an_around_needs_a_yield() -> None:
    """An around without `yield` is an error when it is planned."""

    class Wrong:
        @declare("around")
        async def check(self) -> None: ...

    with pytest.raises(CallbackError, match="one `yield`"):
        Callbacks.of(Wrong).applying_to("work", Wrong)
