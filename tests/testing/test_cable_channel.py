"""One channel alone."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import Depends

from lineside.abilities import Ability, Rules
from lineside.cable import Channel, Identity, RequestFailed, before_subscribe
from lineside.exceptions import ConfigurationError
from lineside.testing import assert_broadcast_on, assert_no_broadcasts, channel_test

pytestmark = pytest.mark.anyio


@dataclass
class User:
    id: int


@dataclass
class Room:
    id: int
    owner_id: int


class ChatChannel(Channel):
    async def subscribed(self, room: int) -> None:
        if room == 0:
            self.reject("no such room")
            return
        self.allow("everybody")
        self.transmit({"room": room, "user": None if self.user is None else self.user.id})
        await self.stream_from(f"room:{room}")

    async def unsubscribed(self) -> None:
        self.connection.metadata["left"] = self.params["room"]

    async def speak(self, text: str) -> int:
        await self.broadcast(f"room:{self.params['room']}", {"text": text})
        return len(text)

    async def leave(self) -> None:
        await self.stop_all_streams()

    async def fail(self) -> None:
        raise ZeroDivisionError("a fault")


def define_abilities(user: User | None, rules: Rules) -> None:
    if user is not None:
        rules.can("read", Room, owner_id=user.id)


class RoomChannel(Channel):
    async def subscribed(self, owner: int) -> None:
        room = await self.authorize("read", Room(1, owner))
        await self.stream_for(room)


class AskingChannel(Channel):
    async def subscribed(self) -> None:
        self.ability.can("read", Room(1, 1))


async def test_a_channel_subscribes_and_streams() -> None:
    async with channel_test(ChatChannel, room=1) as chat:
        chat.assert_subscribed().assert_has_stream("room:1").assert_has_no_stream("room:2")
        assert chat.streams == ["room:1"]
        assert chat.transmissions == [{"room": 1, "user": None}]


async def test_a_channel_rejects() -> None:
    async with channel_test(ChatChannel, room=0) as chat:
        chat.assert_rejected("no such room").assert_no_streams()
        with pytest.raises(
            AssertionError, match="ChatChannel to let the client in, but it rejected: no such"
        ):
            chat.assert_subscribed()
        with pytest.raises(AssertionError, match="it rejected"):
            await chat.perform("speak", text="Hello")


async def test_parameters_are_validated_as_from_a_client() -> None:
    async with channel_test(ChatChannel, {"room": "7"}) as chat:
        chat.assert_has_stream("room:7")
    async with channel_test(ChatChannel) as chat:
        chat.assert_rejected("room")
        assert chat.code == 1001


async def test_an_action_answers_and_broadcasts() -> None:
    async with channel_test(ChatChannel, room=1) as chat:
        async with assert_broadcast_on(chat.cable, "room:1", {"text": "Hello"}):
            assert await chat.perform("speak", text="Hello") == 5
        async with assert_no_broadcasts(chat.cable, "room:1"):
            await chat.perform("leave")
        chat.assert_no_streams()


async def test_a_refused_action_raises_the_clients_answer() -> None:
    async with channel_test(ChatChannel, room=1) as chat:
        with pytest.raises(RequestFailed, match="text"):
            await chat.perform("speak")
        with pytest.raises(RequestFailed, match="no action 'shout'"):
            await chat.perform("shout")


async def test_a_fault_of_the_channel_is_raised_in_the_test() -> None:
    async with channel_test(ChatChannel, room=1) as chat:
        with pytest.raises(ZeroDivisionError, match="a fault"):
            await chat.perform("fail")


async def test_a_user_is_connected() -> None:
    async with channel_test(ChatChannel, room=1, user=User(7)) as chat:
        assert chat.transmissions == [{"room": 1, "user": 7}]
        assert chat.connection.client_id == "7"


async def test_an_identity_is_connected() -> None:
    async with channel_test(ChatChannel, room=1, identity=Identity(id="ada", user=User(7))) as chat:
        assert (chat.connection.client_id, chat.instance.user) == ("ada", User(7))


async def test_unsubscribed_runs_once_by_hand_or_at_the_end() -> None:
    async with channel_test(ChatChannel, room=1) as chat:
        await chat.unsubscribe()
        assert chat.connection.metadata == {"left": 1}
        chat.assert_no_streams()
        with pytest.raises(AssertionError, match="any more"):
            chat.assert_subscribed()
        chat.connection.metadata.clear()
    assert chat.connection.metadata == {}
    async with channel_test(ChatChannel, room=2) as chat:
        pass
    assert chat.connection.metadata == {"left": 2}


async def test_an_ability_decides() -> None:
    ability = Ability(User(7), define_abilities)
    async with channel_test(RoomChannel, owner=7, ability=ability) as channel:
        channel.assert_subscribed().assert_has_stream_for(Room(1, 7))
        with pytest.raises(AssertionError, match="expected RoomChannel to stream from"):
            channel.assert_has_stream_for(Room(2, 7))
    async with channel_test(RoomChannel, owner=8, ability=ability) as channel:
        channel.assert_rejected()
        assert channel.code == 2001


async def test_a_function_makes_the_ability_of_the_connection() -> None:
    def new_ability(connection: Any) -> Ability:
        return Ability(connection.identity.user, define_abilities)

    async with channel_test(AskingChannel, user=User(1), ability=new_ability) as channel:
        channel.assert_subscribed()


async def test_injected_attributes_are_given() -> None:
    async def get_greeting() -> str:
        raise AssertionError("the test gives it")

    class Greeter(Channel):
        public = True
        greeting: Annotated[str, Depends(get_greeting)]

        async def subscribed(self) -> None:
            self.transmit(self.greeting)

    async with channel_test(Greeter, injected={"greeting": "Hello"}) as greeter:
        assert greeter.transmissions == ["Hello"]
    with pytest.raises(
        ConfigurationError, match=r"Greeter is injected greeting: give channel_test injected="
    ):
        async with channel_test(Greeter):
            pass


async def test_an_injected_ability_is_the_given_one() -> None:
    async def get_ability() -> Ability:
        raise AssertionError("the test gives it")

    class Injected(RoomChannel):
        ability: Annotated[Ability, Depends(get_ability)]

    async with channel_test(Injected, owner=7, ability=Ability(User(7), define_abilities)) as channel:
        channel.assert_subscribed()


async def test_callbacks_run() -> None:
    class Guarded(Channel):
        @before_subscribe()
        async def members_only(self) -> None:
            if self.user is None:
                self.reject("members only")
            self.allow("members")

    async with channel_test(Guarded) as channel:
        channel.assert_rejected("members only")
    async with channel_test(Guarded, user=User(1)) as channel:
        channel.assert_subscribed()


async def test_the_assertions_say_what_there_is() -> None:
    async with channel_test(ChatChannel, room=1) as chat:
        with pytest.raises(AssertionError, match=r"to stream from 'room:2', it has \['room:1'\]"):
            chat.assert_has_stream("room:2")
        with pytest.raises(AssertionError, match="not to stream from 'room:1'"):
            chat.assert_has_no_stream("room:1")
        with pytest.raises(AssertionError, match=r"no streams, it has \['room:1'\]"):
            chat.assert_no_streams()
        with pytest.raises(AssertionError, match="it let the client in"):
            chat.assert_rejected()
