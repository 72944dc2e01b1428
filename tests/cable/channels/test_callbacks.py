"""Callbacks around actions, rescues, and what goes wrong when a class is made."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lineside.cable import (
    CableConfigurationError,
    Channel,
    ChannelRegistry,
    ErrorCode,
    RequestFailed,
    after_command,
    after_subscribe,
    around_command,
    before_command,
    before_subscribe,
    periodically,
    rescue_from,
)
from lineside.callbacks import declare
from lineside.exceptions import AccessDeniedError, CallbackError
from tests.cable.channels.fakes import subscribed

pytestmark = pytest.mark.anyio


class Noted(Channel):
    public = True

    def __init__(self) -> None:
        self.notes: list[Any] = []

    @before_command()
    async def first(self) -> None:
        self.notes.append("first")

    @around_command(only=["speak"])
    async def timed(self) -> AsyncIterator[None]:
        self.notes.append("begin")
        yield
        self.notes.append("end")

    @before_command(except_="listen")
    def second(self) -> None:
        self.notes.append(f"second {self.action_name}")

    @after_command()
    def last(self, result: Any) -> None:
        self.notes.append(f"got {result}")

    async def speak(self, text: str) -> str:
        self.notes.append("speak")
        return text

    async def listen(self) -> None:
        self.notes.append("listen")


async def test_callbacks_run_around_actions_in_order() -> None:
    """Before in the order of declaration, after in reverse, filtered by the action's name."""
    channel = await subscribed(Noted)
    assert await channel.port.perform("speak", {"text": "hi"}) == "hi"
    notes = channel.port._channel.notes  # type: ignore[attr-defined]
    assert notes == ["first", "begin", "second speak", "speak", "got hi", "end"]
    notes.clear()
    await channel.port.perform("listen", {})
    assert notes == ["first", "listen", "got None"]


async def test_a_guard_speaks_before_the_arguments_are_looked_at() -> None:
    """A refusal beats a validation error: who may not ask learns nothing of what to ask."""

    class Guarded(Noted):
        @before_command()
        def refuse(self) -> None:
            raise RequestFailed(ErrorCode.FORBIDDEN, "not you")

    channel = await subscribed(Guarded)
    with pytest.raises(RequestFailed, match="not you"):
        await channel.port.perform("speak", {"text": []})


@pytest.mark.parametrize("value", [False, True, {"error": "no"}])
async def test_a_guard_that_returns_something_is_a_mistake(value: Any) -> None:
    """It would guard nothing: the action does not run."""

    class Returns(Noted):
        @before_command()
        def refuse(self) -> Any:
            return value

    channel = await subscribed(Returns)
    with pytest.raises(CallbackError, match=r"Returns\.refuse"):
        await channel.port.perform("speak", {"text": "hi"})
    assert "speak" not in channel.port._channel.notes  # type: ignore[attr-defined]


async def test_an_around_sees_the_error_of_the_action() -> None:
    """It is raised at its `yield`."""
    seen: list[BaseException] = []

    class Fails(Channel):
        public = True

        @around_command()
        async def watch(self) -> AsyncIterator[None]:
            try:
                yield
            except ZeroDivisionError as error:
                seen.append(error)
                raise

        async def divide(self) -> float:
            return 1 / 0

    channel = await subscribed(Fails)
    with pytest.raises(ZeroDivisionError):
        await channel.port.perform("divide", {})
    assert len(seen) == 1


ERRORS = {"key": KeyError, "index": IndexError, "zero": ZeroDivisionError, "value": ValueError}


class Rescuing(Channel):
    public = True

    async def fail(self, what: str) -> None:
        raise {"key": KeyError, "index": IndexError, "zero": ZeroDivisionError, "value": ValueError}[what](
            what
        )

    @rescue_from(LookupError)
    async def lookup(self) -> str:
        return "lookup"

    @rescue_from(KeyError)
    def key(self, error: KeyError) -> str:
        return f"key {error}"

    @rescue_from(ZeroDivisionError)
    def zero(self) -> None:
        raise RequestFailed(ErrorCode.INVALID_FORMAT, "do not divide by zero")


async def test_the_most_specific_rescue_answers() -> None:
    """What it returns is the answer, what it raises the failure; other errors go on to the core."""
    channel = await subscribed(Rescuing)
    assert await channel.port.perform("fail", {"what": "key"}) == "key 'key'"
    assert await channel.port.perform("fail", {"what": "index"}) == "lookup"
    with pytest.raises(RequestFailed, match="do not divide"):
        await channel.port.perform("fail", {"what": "zero"})
    with pytest.raises(ValueError, match="value"):
        await channel.port.perform("fail", {"what": "value"})


async def test_a_subclass_rescues_in_its_own_way() -> None:
    """The handler of the same class of errors is replaced."""

    class Other(Rescuing):
        @rescue_from(KeyError)
        def other(self) -> str:
            return "other"

    channel = await subscribed(Other)
    assert await channel.port.perform("fail", {"what": "key"}) == "other"


async def test_a_refused_action_is_forbidden() -> None:
    """Our own public errors are answers with the code that fits."""

    class Refuses(Channel):
        public = True

        async def act(self) -> None:
            raise AccessDeniedError("update", "Post")

    channel = await subscribed(Refuses)
    with pytest.raises(RequestFailed, match="you may not update Post") as caught:
        await channel.port.perform("act", {})
    assert caught.value.code == 2001


def test_a_misspelled_action_fails_when_the_class_is_made() -> None:
    """With the names that there are."""
    with pytest.raises(CallbackError, match=r"unknown \['spaek'\]; known: \['speak'\]"):

        class Misspelled(Channel):
            async def speak(self) -> None: ...

            @before_command(only=["spaek"])
            def guard(self) -> None: ...


@pytest.mark.parametrize(
    "decorator", [before_subscribe, after_subscribe, before_command, after_command, around_command]
)
def test_missing_parentheses_are_a_mistake(decorator: Any) -> None:
    """The message shows what to write."""
    with pytest.raises(CallbackError, match=f"@{decorator.__name__}\\(\\)"):
        decorator(lambda self: None)


@pytest.mark.parametrize("errors", [(), (print,), (KeyError, "x")])
def test_rescue_from_takes_classes_of_errors(errors: Any) -> None:
    """Nothing else."""
    with pytest.raises(CallbackError, match="rescue_from"):
        rescue_from(*errors)


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan"), True, "5", print])
def test_periodically_takes_seconds(seconds: Any) -> None:
    """More than none, and not for ever."""
    with pytest.raises(CallbackError, match="periodically"):
        periodically(seconds)


def test_a_callback_of_another_concept_is_refused() -> None:
    """A controller's guard would guard nothing here."""
    with pytest.raises(CallbackError, match=r"Wrong\.guard is no callback of a channel"):

        class Wrong(Channel):
            @declare("before")
            def guard(self) -> None: ...


async def test_one_method_may_guard_both_subscribing_and_acting() -> None:
    """Two marks on one method are two callbacks."""

    class Both(Channel):
        public = True
        count = 0

        @before_subscribe()
        @before_command()
        def check(self) -> None:
            self.count += 1

        async def act(self) -> int:
            return self.count

    channel = await subscribed(Both)
    assert await channel.port.perform("act", {}) == 2


@before_command()
def _guard(self: Any, room: int) -> None: ...


@periodically(1)
def _tick(self: Any, room: int) -> None: ...


@rescue_from(KeyError)
def _rescue(self: Any, error: KeyError, room: int) -> None: ...


def _unsubscribed(self: Any, room: int) -> None: ...


@pytest.mark.parametrize(
    ("name", "method"),
    [("guard", _guard), ("tick", _tick), ("rescue", _rescue), ("unsubscribed", _unsubscribed)],
)
def test_a_parameter_that_nobody_fills_fails_at_registration(name: str, method: Any) -> None:
    """Only `subscribed` and actions take something from the client."""
    channel = type("Odd", (Channel,), {"public": True, name: method})
    with pytest.raises(CableConfigurationError, match=rf"Odd\.{name} takes `room"):
        ChannelRegistry([channel])
