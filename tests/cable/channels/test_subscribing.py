"""Who may subscribe: nobody, unless the channel says so."""

import logging
from typing import Annotated, Any

import pytest
from pydantic import Field

from lineside.abilities import Ability, Rules
from lineside.cable import (
    CableConfigurationError,
    Channel,
    ChannelRegistry,
    Identity,
    RequestFailed,
    after_subscribe,
    after_unsubscribe,
    before_subscribe,
    before_unsubscribe,
    rescue_from,
)
from lineside.exceptions import RecordNotFound
from tests.cable.channels.fakes import FakeConnection, opened, subscribed

pytestmark = pytest.mark.anyio


class Room:
    def __init__(self, id: int) -> None:
        self.id = id

    @classmethod
    async def find(cls, id: int) -> "Room":
        if id > 9:
            raise RecordNotFound("Room", id)
        return cls(id)


def ability(connection: Any) -> Ability:
    def define(user: Any, rules: Rules) -> None:
        rules.can("read", Room, id=7)
        rules.define("chat", lambda user, _: user == "ann")

    return Ability(connection.identity.user, define)


class Rooms(Channel):
    async def subscribed(self, room: int) -> None:
        found = await self.authorize("read", await Room.find(room))
        await self.stream_for(found)

    async def unsubscribed(self) -> None:
        self.transmit("unsubscribed")


class Forgotten(Channel):
    async def subscribed(self) -> None:
        await self.stream_from("everything")
        await self.helper()

    async def helper(self) -> None: ...


async def test_an_ability_lets_a_client_in() -> None:
    """The subscription stands, with its streams."""
    channel = await subscribed(Rooms, params={"room": "7"}, ability=ability)
    assert not channel.subscription.rejected
    assert list(channel.subscription.streams) == [Rooms.broadcasting_for(Room(7))]


async def test_an_ability_refuses() -> None:
    """T4: another room is FORBIDDEN, in the words of the ability."""
    with pytest.raises(RequestFailed, match="you may not read Room") as caught:
        await subscribed(Rooms, params={"room": 8}, ability=ability)
    assert caught.value.code == 2001


async def test_what_does_not_exist_is_refused() -> None:
    """A public error of ours is an answer, with its own words."""
    with pytest.raises(RequestFailed, match="no Room with key 10"):
        await subscribed(Rooms, params={"room": 10}, ability=ability)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "room: Field required"),
        ({"room": "x"}, "room: Input should be a valid integer"),
        ({"room": None}, "room: Input should be a valid integer"),
        ({"room": {"$ne": 1}}, "room: Input should be a valid integer"),
    ],
)
async def test_wrong_parameters_are_refused_by_name(params: dict[str, Any], message: str) -> None:
    """T4: an identifier is read by its annotations; the refusal names the field."""
    with pytest.raises(RequestFailed, match=message) as caught:
        await subscribed(Rooms, params=params, ability=ability)
    assert caught.value.code == 1001
    assert caught.value.details[0]["loc"] == ["params", "room"]


async def test_unknown_parameters_are_ignored() -> None:
    """As Rails does: a newer client may say more."""
    channel = await subscribed(Rooms, params={"room": 7, "colour": "red"}, ability=ability)
    assert not channel.subscription.rejected


async def test_a_subscribed_that_decides_nothing_rejects(caplog: pytest.LogCaptureFixture) -> None:
    """T4: deny by default; the log says what to write."""
    with caplog.at_level(logging.WARNING, "lineside.cable"):
        channel = await subscribed(Forgotten)
    assert channel.subscription.rejected
    assert "Forgotten: nothing decided who may subscribe" in caplog.text
    assert "self.allow(" in caplog.text


async def test_forgetting_to_await_authorize_still_refuses() -> None:
    """The check is made when it is called."""

    class Careless(Channel):
        async def subscribed(self, room: int) -> None:
            self.authorize("read", Room(room))

    with pytest.raises(RequestFailed):
        await subscribed(Careless, params={"room": 8}, ability=ability)
    assert not (await subscribed(Careless, params={"room": 7}, ability=ability)).subscription.rejected


async def test_a_named_ability_needs_no_subject() -> None:
    """As `Ability.authorize`."""

    class Named(Channel):
        async def subscribed(self) -> None:
            await self.authorize("chat")

    assert not (await subscribed(Named, identity=Identity(user="ann"), ability=ability)).subscription.rejected
    with pytest.raises(RequestFailed):
        await subscribed(Named, identity=Identity(user="bob"), ability=ability)


async def test_asking_the_ability_is_a_decision() -> None:
    """Loading through the ability, or branching on it, is a rule of its own."""

    class Asks(Channel):
        def subscribed(self) -> None:
            if self.ability.cannot("read", Room(7)):
                self.reject("no")

    assert not (await subscribed(Asks, ability=ability)).subscription.rejected


async def test_an_ability_that_was_asked_earlier_decides_nothing() -> None:
    """What somebody else asked is no rule of this channel's."""
    old = Ability(None)
    old.can("read", "x")

    class Uses(Channel):
        async def subscribed(self) -> None:
            self.ability  # noqa: B018 - it is only looked at

    assert (await subscribed(Uses, ability=lambda _: old)).subscription.rejected


async def test_allow_lets_a_client_in_with_a_reason() -> None:
    """For what no ability knows of; without a reason it is a mistake."""

    class Allows(Channel):
        async def subscribed(self, why: str = "") -> None:
            self.allow(why)

    assert not (await subscribed(Allows, params={"why": "the name is signed"})).subscription.rejected
    with pytest.raises(CableConfigurationError, match="say why"):
        await subscribed(Allows)


async def test_a_public_channel_lets_everybody_in() -> None:
    """`public` is the rule."""

    class News(Channel):
        public = True

        async def subscribed(self) -> None:
            await self.stream_from("news")

    assert not (await subscribed(News)).subscription.rejected


async def test_rejecting_wins_over_a_decision() -> None:
    """`reject` is the last word, and what comes after `subscribed` is skipped."""

    class Full(Channel):
        public = True

        async def subscribed(self) -> None:
            self.reject("the room is full")

        @after_subscribe()
        def welcome(self) -> None:
            self.transmit("welcome")

    channel = await subscribed(Full)
    assert channel.subscription.reason == "the room is full"
    assert channel.subscription.transmitted == []


class Nothing(Channel):
    async def speak(self) -> None: ...


class OnlyAfter(Channel):
    @after_subscribe()
    def welcome(self) -> None: ...


@pytest.mark.parametrize("channel", [Nothing, OnlyAfter])
def test_a_channel_without_a_rule_does_not_start(channel: type[Channel]) -> None:
    """T4: nobody could subscribe, so it is a mistake; the message says what to write."""
    with pytest.raises(CableConfigurationError, match=r"is a channel without a rule.*public = True"):
        ChannelRegistry([channel])


async def test_a_callback_may_be_the_rule() -> None:
    """A base class that guards is enough."""

    class Guarded(Channel):
        @before_subscribe()
        def require_user(self) -> None:
            if self.user is None:
                self.reject("sign in")
            else:
                self.allow("signed in")

    class Chat(Guarded):
        async def subscribed(self, room: int) -> None:
            self.transmit(room)

    channel = await subscribed(Chat, identity=Identity(user="ann"), params={"room": 1})
    assert channel.subscription.transmitted == [1]
    refused = await subscribed(Chat, params={})
    assert refused.subscription.reason == "sign in"
    assert refused.subscription.transmitted == []


class Told(Channel):
    public = True

    async def subscribed(self, fail: bool = False, reject: bool = False) -> None:
        self.told = ["subscribed"]
        if fail:
            raise KeyError("x")
        if reject:
            self.reject()

    async def unsubscribed(self) -> None:
        self.told.append("unsubscribed")

    @before_unsubscribe()
    async def before(self) -> None:
        self.told.append("before")

    @after_unsubscribe()
    def after(self) -> None:
        self.told.append("after")
        self.transmit(self.told)


async def test_unsubscribed_runs_with_its_callbacks() -> None:
    """On the same object: what `subscribed` kept is there."""
    channel = await subscribed(Told)
    await channel.port.unsubscribe()
    assert channel.subscription.transmitted == [["subscribed", "before", "unsubscribed", "after"]]


async def test_unsubscribed_runs_after_a_rejection() -> None:
    """As in Rails: what was begun is tidied up."""
    channel = await subscribed(Told, params={"reject": True})
    await channel.port.unsubscribe()
    assert channel.subscription.transmitted == [["subscribed", "before", "unsubscribed", "after"]]


async def test_unsubscribed_runs_after_a_failure() -> None:
    """A fault of the app is raised for the core to log; `unsubscribed` runs nevertheless."""
    channel = opened(Told, params={"fail": True})
    with pytest.raises(KeyError):
        await channel.port.subscribe()
    await channel.port.unsubscribe()
    assert channel.subscription.transmitted == [["subscribed", "before", "unsubscribed", "after"]]


async def test_unsubscribed_does_not_run_when_subscribed_never_did() -> None:
    """It would miss what `subscribed` sets up."""

    class Sets(Channel):
        async def subscribed(self, room: int) -> None:
            self.allow("a test")
            self.room = room

        async def unsubscribed(self) -> None:
            self.transmit(self.room)

    channel = opened(Sets)
    with pytest.raises(RequestFailed):
        await channel.port.subscribe()
    await channel.port.unsubscribe()
    assert channel.subscription.transmitted == []


async def test_a_rescued_subscription_stays_rejected() -> None:
    """Half a subscription is none, whatever the handler returns."""

    class Rescues(Channel):
        public = True

        async def subscribed(self) -> None:
            raise KeyError("x")

        @rescue_from(KeyError)
        def missing(self, error: KeyError) -> str:
            return "an answer"

    assert (await subscribed(Rescues)).subscription.rejected


async def test_streams_take_every_option() -> None:
    """They reach the subscription, with the presence as the server makes it."""

    def transform(message: Any) -> Any:
        return message

    class Streams(Channel):
        public = True

        async def subscribed(self, who: str) -> None:
            await self.stream_from("a", transform=transform, history=False, history_since=5.0, whisper=True)
            await self.stream_for(["room", 7], presence=who)
            await self.stream_from("me", presence=True)
            await self.stream_from("more", presence={"id": 5, "info": {"name": "Ann"}})
            await self.stop_stream_for(["room", 7])

        async def stop(self, all: bool = False) -> None:
            await (self.stop_all_streams() if all else self.stop_stream_from("a"))

    channel = await subscribed(Streams, params={"who": "ann"})
    streams = channel.subscription.streams
    assert streams["a"] == {
        "transform": transform,
        "history": False,
        "history_since": 5.0,
        "whisper": True,
        "presence": None,
    }
    assert streams["me"]["presence"] == {"id": "client-1"}
    assert streams["more"]["presence"] == {"id": "5", "info": {"name": "Ann"}}
    assert "Streams:room:7" not in streams
    await channel.port.perform("stop", {})
    assert list(streams) == ["me", "more"]
    await channel.port.perform("stop", {"all": True})
    assert not streams


async def test_a_transform_that_waits_is_refused() -> None:
    """It runs while messages go out; an async one would send coroutines."""

    class Waits(Channel):
        public = True

        async def subscribed(self) -> None:
            async def transform(message: Any) -> Any:
                return message

            await self.stream_from("a", transform=transform)

    with pytest.raises(CableConfigurationError, match="transform="):
        await subscribed(Waits)


async def test_a_channel_knows_where_it_is() -> None:
    """Connection, identity, user, parameters, cable."""

    class Knows(Channel):
        public = True

        async def tell(self) -> dict[str, Any]:
            same = (self.connection.identity is self.identity, self.cable is self.connection.cable)
            return {"i": self.identifier, "p": self.params, "u": self.user, "a": self.action_name, "s": same}

    channel = await subscribed(Knows, params={"x": 1}, identity=Identity(user="ann"))
    assert await channel.port.perform("tell", {}) == {
        "i": "Knows",
        "p": {"x": 1},
        "u": "ann",
        "a": "tell",
        "s": [True, True],
    }


async def test_broadcasts_reach_the_cable() -> None:
    """To a stream, to a record, and to everybody but this connection; models become JSON."""

    class Sends(Channel):
        public = True

        async def send(self, text: Annotated[str, Field(max_length=5)]) -> None:
            await self.broadcast("s", {"text": text}, history=False)
            await self.broadcast_to("room", {"text": text}, idempotency_key="k")
            await self.broadcast_from("s", Identity(id=text).id)

    channel = await subscribed(Sends)
    await channel.port.perform("send", {"text": "hi"})
    plain = {"history": True, "idempotency_key": None}
    assert channel.sent == [
        ("s", {"text": "hi"}, {"history": False, "idempotency_key": None}),
        ("Sends:room", {"text": "hi"}, {"history": True, "idempotency_key": "k"}),
        ("s", "hi", {**plain, "exclude": FakeConnection().id}),
    ]
