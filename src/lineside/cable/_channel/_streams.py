"""What a channel does with streams: listen, broadcast, transmit."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lineside.bus import Published
from lineside.cable._channel._naming import broadcasting_name, presence_of
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._identity import Identity
from lineside.cable._protocol._ports import ConnectionPort, StreamTransform, SubscriptionPort
from lineside.cable._protocol._values import json_value, on_loop

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["ChannelState", "Streaming", "has_been_asked"]


@dataclass(slots=True)
class ChannelState:
    """What a channel's object knows of its subscription.

    Attributes:
        subscription: The subscription.
        new_ability: Makes the ability of one run; None when the registry has none.
        decided: Somebody said that the client may subscribe.
        asked_before: The run's ability had been asked something when the run got it.
        action: The name of the action that runs.
    """

    subscription: SubscriptionPort
    new_ability: Callable[[ConnectionPort], Any] | None = None
    decided: bool = False
    asked_before: bool = False
    action: str | None = None


def has_been_asked(ability: object) -> bool:
    """Tell whether an ability has been asked anything (`lineside.abilities.Ability.asked`)."""
    return bool(getattr(ability, "asked", False))


class Streaming:
    """The half of a channel that is about streams.

    Attributes:
        channel_name: What clients call the channel.
    """

    channel_name: ClassVar[str] = "Channel"

    __lineside_state__: ChannelState

    @property
    def identifier(self) -> str:
        """The subscription's name, as the client wrote it."""
        return self.__lineside_state__.subscription.identifier

    @property
    def params(self) -> Mapping[str, Any]:
        """The values of the identifier as they came, unchecked."""
        return self.__lineside_state__.subscription.params

    @property
    def connection(self) -> ConnectionPort:
        """The client's connection."""
        return self.__lineside_state__.subscription.connection

    @property
    def identity(self) -> Identity:
        """Who is connected."""
        return self.connection.identity

    @property
    def user(self) -> Any:
        """The app's own user object; None for a guest."""
        return self.identity.user

    @property
    def cable(self) -> "Cable":
        """The cable, to broadcast with."""
        return self.connection.cable

    @property
    def action_name(self) -> str | None:
        """The name of the action that runs; None in ``subscribed`` and ``unsubscribed``."""
        return self.__lineside_state__.action

    def transmit(self, message: Any) -> None:
        """Send something to this client alone.

        Args:
            message: A JSON value, or what pydantic makes one of: models, dates.
        """
        on_loop(self.__lineside_state__.subscription.transmit, json_value(message))

    async def stream_from(
        self,
        stream: str,
        *,
        transform: StreamTransform | None = None,
        history: bool = True,
        history_since: float | None = None,
        whisper: bool = False,
        presence: Mapping[str, Any] | str | bool | None = None,
    ) -> None:
        """Send the client what is broadcast to a stream; returns when the subscription is live.

        Args:
            stream: The stream's name.
            transform: Changes each message for this client; returns None to send nothing. It does not wait.
            history: The client may ask for what it has missed.
            history_since: It may not see what was published before (seconds since 1970).
            whisper: What the client whispers goes to this stream.
            presence: The client may be present on this stream: under this id, as ``{"id", "info"}``, or with
                True under its own id. The client's own words are never taken for who it is.

        Raises:
            CableConfigurationError: ``transform`` is async, or ``presence`` has no id.
        """
        if inspect.iscoroutinefunction(transform):
            raise CableConfigurationError(
                "transform= is a plain function: it runs while a message is sent out"
            )
        await self.__lineside_state__.subscription.stream_from(
            stream,
            transform=transform,
            history=history,
            history_since=history_since,
            whisper=whisper,
            presence=presence_of(given=presence, client_id=self.connection.client_id),
        )

    async def stream_for(
        self,
        target: Any,
        *,
        transform: StreamTransform | None = None,
        history: bool = True,
        history_since: float | None = None,
        whisper: bool = False,
        presence: Mapping[str, Any] | str | bool | None = None,
    ) -> None:
        """Send the client what is broadcast to a record: `stream_from` with `broadcasting_for`'s name.

        Args:
            target: As for `broadcasting_for`.
            transform: As for `stream_from`.
            history: As for `stream_from`.
            history_since: As for `stream_from`.
            whisper: As for `stream_from`.
            presence: As for `stream_from`.
        """
        await self.stream_from(
            self.broadcasting_for(target),
            transform=transform,
            history=history,
            history_since=history_since,
            whisper=whisper,
            presence=presence,
        )

    async def stop_stream_from(self, stream: str) -> None:
        """Stop sending a stream's messages."""
        await self.__lineside_state__.subscription.stop_stream_from(stream)

    async def stop_stream_for(self, target: Any) -> None:
        """Stop sending a record's messages."""
        await self.stop_stream_from(self.broadcasting_for(target))

    async def stop_all_streams(self) -> None:
        """Stop sending any stream's messages."""
        await self.__lineside_state__.subscription.stop_all_streams()

    @classmethod
    def broadcasting_for(cls, target: Any) -> str:
        """Return the stream of a record, for `Cable.broadcast` outside of the channel (as Rails).

        Args:
            target: A saved record, text, a number, a UUID, or several of them in a list.

        Returns:
            For instance ``"ChatChannel:rooms/7"``.
        """
        return broadcasting_name(cls.channel_name, target)

    async def broadcast(
        self, stream: str, message: Any, *, history: bool = True, idempotency_key: str | None = None
    ) -> Published:
        """Send something to everybody who streams from a stream, on every node.

        Args:
            stream: The stream's name.
            message: A JSON value, or what pydantic makes one of.
            history: Keep it for those who come back.
            idempotency_key: A second message with this key within 5 minutes is not sent.

        Returns:
            Where it stands in the stream's log.
        """
        return await self.cable.broadcast(stream, message, history=history, idempotency_key=idempotency_key)

    async def broadcast_to(
        self, target: Any, message: Any, *, history: bool = True, idempotency_key: str | None = None
    ) -> Published:
        """Send something to everybody who streams for a record (as Rails' ``broadcast_to``).

        Args:
            target: As for `broadcasting_for`.
            message: As for `broadcast`.
            history: As for `broadcast`.
            idempotency_key: As for `broadcast`.
        """
        return await self.broadcast(
            self.broadcasting_for(target), message, history=history, idempotency_key=idempotency_key
        )

    async def broadcast_from(
        self, stream: str, message: Any, *, history: bool = True, idempotency_key: str | None = None
    ) -> Published:
        """Send something to everybody but this client's connection (as Phoenix' ``broadcast_from``).

        Args:
            stream: The stream's name.
            message: As for `broadcast`.
            history: As for `broadcast`.
            idempotency_key: As for `broadcast`.
        """
        return await self.cable.broadcast(
            stream,
            message,
            exclude=self.connection.id,
            history=history,
            idempotency_key=idempotency_key,
        )
