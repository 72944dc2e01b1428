"""The AsyncAPI 3 document: everything that clients may send, from the annotations."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from annotated_types import MaxLen
from jsonschema_rs import Draft7Validator
from pydantic import BaseModel, Field

from lineside.cable import CableConfigurationError, Channel, ChannelRegistry, asyncapi_document


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Line(BaseModel):
    text: str
    at: datetime


class ChatChannel(Channel):
    """A room of people who talk."""

    message_types = (Line,)

    async def subscribed(self, room: int, since: datetime | None = None) -> None:
        """Join a room."""
        self.allow("a test")

    async def speak(self, text: Annotated[str, MaxLen(2000)], loud: bool = False) -> Line:
        """Say something."""
        raise NotImplementedError

    async def adopt(self, pet: Pet, pets: list[Pet] = []) -> None: ...  # noqa: B006

    async def receive(self, data: Mapping[str, Any]) -> None: ...

    async def write(self, data: Line, urgent: bool = False) -> None: ...


class Streams(Channel):
    channel_name = "Turbo::StreamsChannel"
    public = True


class Odd(Channel):
    channel_name = "Turbo//StreamsChannel"
    public = True


@dataclass
class Codec:
    subprotocol: str | None


def document(*channels: type[Channel]) -> dict[str, Any]:
    registry = ChannelRegistry(channels or (ChatChannel, Streams, Odd))
    codecs: Any = [Codec("actioncable-v1-json"), Codec(None)]
    return asyncapi_document(registry, title="Chat", version="1.2", server_path="/cable", codecs=codecs)


def resolved(made: dict[str, Any], reference: Mapping[str, str]) -> Any:
    found: Any = made
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def payload(made: dict[str, Any], message: str) -> dict[str, Any]:
    schema = made["channels"]["ChatChannel"]["messages"][message]["payload"]
    return {**schema, "components": made["components"]}


def test_it_says_where_clients_connect_and_how() -> None:
    """The server, its path and the subprotocols."""
    made = document()
    assert made["asyncapi"] == "3.0.0"
    assert made["info"] == {"title": "Chat", "version": "1.2"}
    assert made["servers"]["cable"] == {"host": "localhost:8000", "pathname": "/cable", "protocol": "ws"}
    headers = made["channels"]["ChatChannel"]["bindings"]["ws"]["headers"]
    assert headers["properties"]["Sec-WebSocket-Protocol"]["enum"] == ["actioncable-v1-json"]


def test_every_channel_is_in_it_under_its_own_name() -> None:
    """Its address is what clients write; its key is safe in references."""
    channels = document()["channels"]
    assert {key: each["address"] for key, each in channels.items()} == {
        "ChatChannel": "ChatChannel",
        "Turbo__StreamsChannel": "Turbo::StreamsChannel",
        "Turbo__StreamsChannel_2": "Turbo//StreamsChannel",
    }
    assert channels["ChatChannel"]["description"] == "A room of people who talk."


def test_every_reference_leads_somewhere() -> None:
    """Those of operations, messages and schemas."""
    made = document()
    references: list[Mapping[str, str]] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                references.append(value)
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)

    collect(made)
    assert len(references) > 10
    for each in references:
        assert resolved(made, each)


def test_every_action_is_an_operation() -> None:
    """The server receives what clients perform; what an action returns is its reply."""
    made = document()
    operations = made["operations"]
    mine = {key for key in operations if key.startswith("ChatChannel.")}
    actions = {f"ChatChannel.perform.{name}" for name in ("speak", "adopt", "receive", "write")}
    assert mine == {"ChatChannel.subscribe", "ChatChannel.send", *actions}
    speak = operations["ChatChannel.perform.speak"]
    assert speak["action"] == "receive"
    assert speak["description"] == "Say something."
    (reply,) = [resolved(made, each) for each in speak["reply"]["messages"]]
    assert reply["payload"] == {"$ref": "#/components/schemas/Line"}
    assert "reply" not in operations["ChatChannel.perform.adopt"]
    assert operations["ChatChannel.send"]["action"] == "send"


@pytest.mark.parametrize(
    ("message", "good", "bad"),
    [
        ("subscribe", {"channel": "ChatChannel", "room": 7}, {"channel": "ChatChannel"}),
        ("subscribe", {"channel": "ChatChannel", "room": 7, "since": None}, {"channel": "Other", "room": 7}),
        ("perform.speak", {"action": "speak", "text": "hi"}, {"action": "speak", "text": "x" * 2001}),
        ("perform.speak", {"action": "speak", "text": "hi", "loud": True}, {"text": "hi"}),
        (
            "perform.adopt",
            {"action": "adopt", "pet": {"kind": "cat"}},
            {"action": "adopt", "pet": 1},
        ),
        ("perform.receive", {"anything": 1}, [1]),
        ("perform.receive", {"action": "receive"}, {"action": "speak"}),
        (
            "perform.write",
            {"action": "write", "text": "a", "at": "2026-01-01T00:00:00Z"},
            {"action": "write"},
        ),
        ("message.Line", {"text": "a", "at": "2026-01-01T00:00:00Z"}, {"text": 1}),
    ],
)
def test_payloads_are_described(message: str, good: Any, bad: Any) -> None:
    """What the schema of a message takes is what the channel takes."""
    schema = payload(document(), message)
    # AsyncAPI's own keyword; JSON Schema has none of this name.
    validator = Draft7Validator(schema)
    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


def test_defaults_are_told() -> None:
    """As FastAPI does."""
    properties = payload(document(), "perform.speak")["properties"]
    assert properties["loud"]["default"] is False
    assert "default" not in properties["text"]


def test_a_discriminator_is_a_name() -> None:
    """AsyncAPI's is text, where OpenAPI's is an object."""
    made = document()
    assert payload(made, "perform.adopt")["properties"]["pet"]["discriminator"] == "kind"


def test_the_same_channels_give_the_same_document() -> None:
    """Byte for byte, whatever was registered in between: it can be kept under version control."""
    first = json.dumps(document())
    document(Streams)
    assert json.dumps(document()) == first


def test_a_type_without_a_schema_is_named() -> None:
    """Pydantic can check it and no schema can say it."""

    class Wild(Channel):
        public = True

        async def act(self, what: Callable[[], None]) -> None: ...

    with pytest.raises(CableConfigurationError, match=r"Wild\.act has no JSON schema"):
        document(Wild)
