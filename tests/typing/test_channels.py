"""What type checkers infer about channels; an override takes the parameters it wants."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, assert_type

from fastapi import Depends

from lineside.abilities import Ability
from lineside.bus import Published
from lineside.cable import (
    Channel,
    Identity,
    around_command,
    before_command,
    before_subscribe,
    identified_by,
    periodically,
    rescue_from,
)


class Room:
    """A record."""

    id: int = 1


def get_ability() -> Ability:
    """Give the ability of who is connected."""
    return Ability(None)


class ChatChannel(Channel):
    """Overrides with parameters of its own, an injected ability, and every decorator."""

    channel_name = "chat"
    message_types = (Room,)
    ability: Annotated[Ability, Depends(get_ability)]

    async def subscribed(self, room: int, since: float | None = None) -> None:
        """Decide."""
        assert_type(await self.authorize("read", Room()), Room)
        assert_type(await self.authorize("chat"), None)
        assert_type(self.identity, Identity)
        assert_type(self.params, Mapping[str, Any])
        await self.stream_for(Room(), presence=True)

    def unsubscribed(self) -> None:
        """Tidy up, in a thread."""

    @before_subscribe()
    def limit(self) -> None:
        """Guard."""

    @before_command(only=["speak"])
    async def guard(self) -> None:
        """Guard."""

    @around_command()
    async def timed(self) -> AsyncIterator[None]:
        """Run around."""
        yield

    @periodically(5)
    async def tick(self) -> None:
        """Tick."""

    @rescue_from(KeyError)
    async def rescue(self, error: KeyError) -> str:
        """Answer."""
        return str(error)

    async def speak(self, text: str) -> dict[str, str]:
        """Say something."""
        assert_type(await self.broadcast("room", {"text": text}), Published)
        return {"text": text}


def test_a_decorated_method_keeps_its_type() -> None:
    """And a stream's name is text."""
    assert_type(ChatChannel.broadcasting_for(7), str)
    assert_type(identified_by("id")(Room()), dict[str, Any])
