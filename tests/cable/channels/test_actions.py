"""Which methods a client may call, and what they are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import pytest
from annotated_types import MaxLen
from pydantic import BaseModel, Field

from lineside.cable import (
    CableConfigurationError,
    Channel,
    ChannelRegistry,
    RequestFailed,
    after_subscribe,
    before_command,
    periodically,
    rescue_from,
)
from lineside.exceptions import CallbackError
from tests.cable.channels.fakes import subscribed

pytestmark = pytest.mark.anyio


class Helpers:
    def helper(self) -> str:
        return "a mixin's"


class Base(Channel):
    public = True

    async def inherited(self) -> str:
        return "inherited"

    async def withdrawn(self) -> None: ...


class Everything(Helpers, Base):
    value = "text"
    withdrawn = None  # type: ignore[assignment]
    function = staticmethod(lambda: "static")
    called = print

    class Nested:
        """No method."""

    def __init__(self) -> None:
        self.attribute = lambda: "no method"

    async def speak(self, text: Annotated[str, MaxLen(5)], times: int = 1) -> list[str]:
        return [text] * times

    async def receive(self, data: Mapping[str, Any]) -> Any:
        return data

    def blocking(self) -> str:
        return anyio.from_thread.run(self._whisper)

    async def _whisper(self) -> str:
        return "private"

    @property
    def shown(self) -> str:
        return "a property"

    @classmethod
    def of_class(cls) -> None: ...

    @staticmethod
    def static() -> None: ...

    async def unsubscribed(self) -> None: ...

    @before_command()
    def guard(self) -> None: ...

    @after_subscribe()
    def welcome(self) -> None: ...

    @rescue_from(KeyError)
    def rescue(self) -> None: ...

    @periodically(1000)
    async def tick(self) -> None: ...


def test_only_public_methods_of_channel_classes_are_actions() -> None:
    """T48: nothing else is reachable, whatever a client writes."""
    assert set(Everything.__lineside_actions__) == {"inherited", "speak", "receive", "blocking"}


@pytest.mark.parametrize(
    "name",
    [
        *("subscribed", "unsubscribed", "transmit", "reject", "allow", "authorize", "broadcast", "user"),
        *("_whisper", "__init__", "__class__", "__lineside_state__", "guard", "welcome", "rescue", "tick"),
        *("helper", "withdrawn", "value", "function", "called", "Nested", "attribute", "shown", "of_class"),
        *("static", "", "speak ", "Speak", "stream_from", "connection", "a\u0000b"),
    ],
)
async def test_a_name_that_is_no_action_is_answered(name: str) -> None:
    """T48: the answer names what was asked for and does not list what there is."""
    channel = await subscribed(Everything)
    with pytest.raises(RequestFailed) as caught:
        await channel.port.perform(name, {})
    assert caught.value.code == 1001
    assert repr(name) in caught.value.message
    assert "speak'" not in caught.value.message.replace(repr(name), "")


async def test_a_long_name_of_an_action_comes_back_short() -> None:
    """An answer does not outgrow its question."""
    channel = await subscribed(Everything)
    with pytest.raises(RequestFailed) as caught:
        await channel.port.perform("x" * 60_000, {})
    assert len(caught.value.message) < 200


async def test_an_action_gets_its_arguments_validated() -> None:
    """Fields become arguments of their annotated types; a missing one takes the default."""
    channel = await subscribed(Everything)
    assert await channel.port.perform("speak", {"action": "speak", "text": "hi", "times": "2"}) == [
        "hi",
        "hi",
    ]
    assert await channel.port.perform("speak", {"text": "hi", "unknown": 1}) == ["hi"]
    assert await channel.port.perform("inherited", {}) == "inherited"


async def test_wrong_arguments_are_answered_in_the_shape_of_fastapi() -> None:
    """Each wrong field is named; what was sent does not come back."""
    channel = await subscribed(Everything)
    with pytest.raises(RequestFailed) as caught:
        await channel.port.perform("speak", {"text": "too long", "times": "x"})
    assert caught.value.code == 1001
    assert caught.value.message.startswith("text: ")
    assert [(each["loc"], each["type"], set(each)) for each in caught.value.details] == [
        (["data", "text"], "string_too_long", {"type", "loc", "msg"}),
        (["data", "times"], "int_parsing", {"type", "loc", "msg"}),
    ]


async def test_a_missing_argument_is_named() -> None:
    """As FastAPI's "Field required"."""
    channel = await subscribed(Everything)
    with pytest.raises(RequestFailed, match="text: Field required"):
        await channel.port.perform("speak", {})


async def test_an_answer_about_many_errors_is_bounded() -> None:
    """A list of wrong values gives 20 errors, a long key is cut."""

    class Numbers(Channel):
        public = True

        async def add(self, numbers: list[int], names: dict[str, int]) -> None: ...

    channel = await subscribed(Numbers)
    with pytest.raises(RequestFailed) as caught:
        await channel.port.perform("add", {"numbers": ["x"] * 10_000, "names": {"k" * 10_000: "x"}})
    assert len(caught.value.details) == 20
    assert len(caught.value.message) <= 200
    with pytest.raises(RequestFailed) as caught:
        await channel.port.perform("add", {"numbers": [], "names": {"k" * 10_000: "x"}})
    assert len(str(caught.value.details)) < 1_000


async def test_a_parameter_called_data_takes_the_whole_message() -> None:
    """As Rails' ``receive(data)``; Action Cable's own key is not in it."""
    channel = await subscribed(Everything)
    assert await channel.port.perform("receive", {"action": "receive", "a": 1}) == {"a": 1}


class Message(BaseModel):
    text: str = Field(alias="body")
    secret: str = "s"


class MessageOut(BaseModel):
    text: str


@dataclass
class Row:
    text: str
    secret: str


class Models(Channel):
    public = True

    async def whole(self, data: Message) -> str:
        return data.text

    async def odd(
        self, schema: int, json: int, model_config: int, field: Annotated[int, Field(alias="x")]
    ) -> int:
        return schema + json + model_config + field

    async def shaped(self) -> MessageOut:
        return Row("shown", "hidden")  # type: ignore[return-value]


async def test_data_may_be_a_model() -> None:
    """Its errors name the fields of the message."""
    channel = await subscribed(Models)
    assert await channel.port.perform("whole", {"body": "hi"}) == "hi"
    with pytest.raises(RequestFailed) as caught:
        await channel.port.perform("whole", {"text": "hi"})
    assert caught.value.details[0]["loc"] == ["data", "body"]


async def test_a_parameter_may_have_any_name() -> None:
    """Names that pydantic's models have are no trouble; an alias is what the client writes."""
    channel = await subscribed(Models)
    assert await channel.port.perform("odd", {"schema": 1, "json": 2, "model_config": 3, "x": 4}) == 10


async def test_an_answer_is_shaped_by_the_return_annotation() -> None:
    """What the annotation does not name stays here, as with FastAPI's response models."""
    channel = await subscribed(Models)
    assert await channel.port.perform("shaped", {}) == {"text": "shown"}


async def test_a_plain_function_runs_in_a_thread_and_may_come_back() -> None:
    """`anyio.from_thread` reaches the loop; `transmit` goes there by itself."""
    loop_threads: list[int] = []

    class Blocking(Channel):
        public = True

        def work(self) -> None:
            self.transmit({"from": "a thread"})
            anyio.from_thread.run(self.broadcast, "s", {"n": 1})

    channel = await subscribed(Blocking)
    import threading

    transmit = channel.subscription.transmit

    def spying(message: Any) -> None:
        loop_threads.append(threading.get_ident())
        transmit(message)

    channel.subscription.transmit = spying  # type: ignore[method-assign]
    await channel.port.perform("work", {})
    assert loop_threads == [threading.get_ident()]
    assert channel.subscription.transmitted == [{"from": "a thread"}]
    assert channel.sent[0][:2] == ("s", {"n": 1})


def _with(action: Any) -> type[Channel]:
    return type("Odd", (Channel,), {"public": True, "act": action})


async def _args(self: Any, *names: str) -> None: ...
async def _kwargs(self: Any, **names: str) -> None: ...
async def _positional(self: Any, name: str, /) -> None: ...
async def _field(self: Any, name: str = Field(max_length=3)) -> None: ...
async def _unknown(self: Any, name: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def _unreadable(self: Any, name: Helpers) -> None: ...


@pytest.mark.parametrize("action", [_args, _kwargs, _positional, _field, _unknown, _unreadable])
def test_a_parameter_that_no_client_can_fill_fails_at_registration(action: Any) -> None:
    """The message names the channel and the action."""
    with pytest.raises(CableConfigurationError, match=r"Odd\.act"):
        ChannelRegistry([_with(action)])


def test_a_generator_is_no_action() -> None:
    """Nobody could call it: the class is refused."""

    async def act(self: Any) -> Any:
        yield 1

    with pytest.raises(CallbackError, match=r"Odd\.act is a generator"):
        _with(act)
