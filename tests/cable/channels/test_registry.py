"""Names, identifiers and the streams of records."""

import abc
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from lineside.cable import (
    CableConfigurationError,
    CableLimits,
    Channel,
    ChannelRegistry,
    RequestFailed,
    UnknownChannelError,
    identified_by,
)
from tests.cable.channels.fakes import FakeSubscription


class Chat(Channel):
    public = True


class Turbo(Channel):
    channel_name = "Turbo::StreamsChannel"
    public = True


class Derived(Turbo): ...


registry = ChannelRegistry([Chat, Turbo, Derived])


def test_a_channel_is_called_as_its_class_unless_it_says_otherwise() -> None:
    """A subclass has a name of its own."""
    assert list(registry.plans) == ["Chat", "Turbo::StreamsChannel", "Derived"]


@pytest.mark.parametrize(
    ("identifier", "name", "params"),
    [
        ('{"channel":"Chat"}', "Chat", {}),
        ('{"channel":"Chat","room":7,"deep":{"a":[1]}}', "Chat", {"room": 7, "deep": {"a": [1]}}),
        (' \n{"room":1,"channel":"$pubsub"}', "$pubsub", {"room": 1}),
        ("Chat", "Chat", {}),
        ("room:7", "room:7", {}),
        ("[1]", "[1]", {}),
    ],
)
def test_identifiers_of_rails_and_of_gor_are_read(identifier: str, name: str, params: Any) -> None:
    """JSON objects name their channel, any other text is the name."""
    assert registry.parse(identifier) == (name, params)


@pytest.mark.parametrize(
    "identifier",
    [
        *("", "{", "{}", '{"channel":7}', '{"channel":""}', '{"channel":null}', '{"channel":["Chat"]}'),
        *('{"channel":"Chat","channel":"Admin"}', '{"channel":"Chat","a":NaN}', '{"channel":"Chat"} x'),
        *('{"channel":"' + "x" * 256 + '"}', "x" * 256, "é" * 128),
        '{"channel":"Chat","a":' + "[" * 33 + "]" * 33 + "}",
        '{"channel":"Chat","a":"' + "x" * 2_048 + '"}',
    ],
)
def test_what_is_no_identifier_is_answered(identifier: str) -> None:
    """T15: with INVALID_FORMAT, shortly."""
    with pytest.raises(RequestFailed) as caught:
        registry.parse(identifier)
    assert caught.value.code == 1001
    assert len(caught.value.message) < 300


@given(st.text())
def test_any_text_is_an_identifier_or_is_answered(text: str) -> None:
    """T15: no other error comes out, and a name is within its bound."""
    try:
        name, params = registry.parse(text)
    except RequestFailed:
        return
    assert 0 < len(name.encode(errors="replace")) <= CableLimits().name_bytes
    assert isinstance(params, dict)


@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
)
def test_any_json_object_is_an_identifier_or_is_answered(values: Any) -> None:
    """T15: the same for JSON."""
    with suppress(RequestFailed):
        name, params = registry.parse(json.dumps({"channel": "Chat", **values}))
        assert name
        assert "channel" not in params


def test_an_unknown_channel_is_told() -> None:
    """Shortly, and without listing what there is."""
    name = "x" * 200
    with pytest.raises(UnknownChannelError) as caught:
        registry.open(FakeSubscription(name, name, {}))
    assert len(caught.value.message) < 120
    assert "Chat" not in caught.value.message


def test_two_channels_of_one_name_do_not_start() -> None:
    """The message names both."""
    other = type("Chat", (Channel,), {"public": True})
    with pytest.raises(CableConfigurationError, match="are both called 'Chat'"):
        ChannelRegistry([Chat, other])


class Abstract(Channel, abc.ABC):
    public = True

    @abc.abstractmethod
    async def speak(self) -> None: ...


class Needy(Channel):
    public = True

    def __init__(self, room: int) -> None: ...


class Nameless(Channel):
    channel_name = ""
    public = True


class LongName(Channel):
    channel_name = "é" * 128
    public = True


@pytest.mark.parametrize("channel", [Channel, Abstract, Needy, Nameless, LongName, str, Chat(), "Chat"])
def test_what_is_no_channel_does_not_start(channel: Any) -> None:
    """The message says why."""
    with pytest.raises(CableConfigurationError):
        ChannelRegistry([channel])


class Base(DeclarativeBase): ...


class Room(Base):
    __tablename__ = "rooms"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "room"}


class Hall(Room):
    __mapper_args__ = {"polymorphic_identity": "hall"}


class Seat(Base):
    __tablename__ = "seats"
    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


@dataclass
class Plain:
    id: int | None


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("lobby", "Chat:lobby"),
        (7, "Chat:7"),
        (UUID(int=7), "Chat:00000000-0000-0000-0000-000000000007"),
        (["room", 7], "Chat:room:7"),
        (Room(id=7), "Chat:rooms/7"),
        (Hall(id=7), "Chat:rooms/7"),
        (Seat(row="a/b", number=3), "Chat:seats/a%2Fb/3"),
        ((Room(id=7), "de"), "Chat:rooms/7:de"),
    ],
)
def test_a_record_has_a_stream(target: Any, name: str) -> None:
    """Two classes of one table name the same row."""
    assert Chat.broadcasting_for(target) == name


def test_no_text_names_the_stream_of_a_record() -> None:
    """T4: what a client may choose is escaped."""
    names = {Chat.broadcasting_for(each) for each in (Room(id=7), "rooms/7", "rooms%2F7", ["a", "b"], "a:b")}
    assert len(names) == 5


@pytest.mark.parametrize("target", [Room(), Plain(None), None, True, object(), [], {"id": 1}])
def test_what_has_no_key_has_no_stream(target: Any) -> None:
    """An unsaved record's stream would be everybody's."""
    with pytest.raises(CableConfigurationError):
        Chat.broadcasting_for(target)


def test_records_of_other_kinds_are_named_by_their_class() -> None:
    """With its module: two classes of one name stay apart."""
    assert Chat.broadcasting_for(Plain(7)).endswith(".Plain/7")


def test_identifiers_are_read_from_a_user() -> None:
    """As JSON values, so that every node compares the same."""
    identifiers = identified_by("kind", user_id="id")
    assert identifiers(Room(id=7, kind="room")) == {"kind": "room", "user_id": 7}
    assert identified_by("sub")({"sub": UUID(int=7)}) == {"sub": str(UUID(int=7))}


@pytest.mark.parametrize("user", [None, Plain(None), {"name": "x"}])
def test_who_has_no_identifier_identifies_nobody(user: Any) -> None:
    """None would be found in every connection without one."""
    with pytest.raises(CableConfigurationError, match="identifies nobody"):
        identified_by("id")(user)


def test_identified_by_takes_names() -> None:
    """Without any, every connection would be meant."""
    with pytest.raises(CableConfigurationError):
        identified_by()


def test_one_channel_in_place_of_a_list_is_refused_with_what_to_write() -> None:
    class Alone(Channel):
        public = True

    with pytest.raises(CableConfigurationError, match="list of channels"):
        ChannelRegistry(Alone)  # type: ignore[arg-type]
