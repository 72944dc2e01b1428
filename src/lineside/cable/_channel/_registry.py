"""The channels of a cable, found by the names that clients call them (`Channels` in the ports)."""

from collections.abc import Iterable, Mapping
from typing import Any

from lineside.cable._channel._channel import Channel
from lineside.cable._channel._injection import Inject, NewAbility
from lineside.cable._channel._plan import ChannelPlan, plan_channel
from lineside.cable._channel._run import OpenChannel
from lineside.cable._channel._stream_channels import PUBSUB
from lineside.cable._protocol._errors import (
    CableConfigurationError,
    ErrorCode,
    RequestFailed,
    UnknownChannelError,
)
from lineside.cable._protocol._limits import CableLimits
from lineside.cable._protocol._ports import SubscriptionPort
from lineside.exceptions import InvalidJSONError, PayloadTooLargeError
from lineside.strict_json import loads

__all__ = ["ChannelRegistry", "list_of_channels"]


class ChannelRegistry:
    """Reads identifiers and opens channels.

    Args:
        channels: The classes.
        inject: Resolves injected attributes; without it no channel may have any.
        ability: Makes the ability of who is connected, for `Channel.authorize`.
        limits: How long identifiers and names may be; default: `CableLimits`.

    Raises:
        CableConfigurationError: A class is no channel, has no rule, or has a name that another one has.
    """

    def __init__(
        self,
        channels: Iterable[type[Channel]],
        *,
        inject: Inject | None = None,
        ability: NewAbility | None = None,
        limits: CableLimits | None = None,
    ) -> None:
        self._limits = limits or CableLimits()
        self._plans: dict[str, ChannelPlan] = {}
        for channel in list_of_channels(channels):
            if not _is_channel(channel):
                raise CableConfigurationError(f"{channel!r:.80} is no channel; derive a class from Channel")
            plan = plan_channel(channel, inject=inject, new_ability=ability)
            earlier = self._plans.setdefault(channel.channel_name, plan)
            if earlier is not plan:
                raise CableConfigurationError(
                    f"{earlier.channel.__name__} and {channel.__name__} are both called "
                    f"{channel.channel_name!r}; give one of them another `channel_name`"
                )

    @property
    def plans(self) -> Mapping[str, ChannelPlan]:
        """What was registered, by name, in the order of registration."""
        return self._plans

    def parse(self, identifier: str) -> tuple[str, Mapping[str, Any]]:
        """Return the channel's name and the other values of an identifier.

        Args:
            identifier: A JSON object with ``"channel"``, as Rails' clients write it; any other text is the
                name itself, as Gor's clients write it.

        Raises:
            RequestFailed: It is no identifier.
        """
        if not identifier.lstrip(" \t\r\n").startswith("{"):
            return self._name(identifier), {}
        limits = self._limits
        try:
            read = loads(identifier, max_bytes=limits.identifier_bytes, max_depth=limits.json_depth)
        except (InvalidJSONError, PayloadTooLargeError) as error:
            raise RequestFailed(ErrorCode.INVALID_FORMAT, f"the identifier: {error.message}") from None
        return self._name(read.pop("channel", None)), read

    def _name(self, given: object) -> str:
        longest = self._limits.name_bytes
        if isinstance(given, str) and 0 < len(given.encode(errors="replace")) <= longest:
            return given
        raise RequestFailed(
            ErrorCode.INVALID_FORMAT,
            f'an identifier is the name of a channel, or a JSON object with "channel": 1 to {longest} bytes',
        )

    def open(self, subscription: SubscriptionPort) -> OpenChannel:
        """Make the channel's object for a subscription.

        Args:
            subscription: Names the channel.

        Raises:
            UnknownChannelError: No channel has this name.
        """
        plan = self._plans.get(subscription.channel)
        if plan is None:
            raise UnknownChannelError(_unknown(subscription.channel))
        return OpenChannel(plan, subscription)


def _unknown(channel: str) -> str:
    if channel == PUBSUB:  # nobody has written this name: who asks for a stream by its own means it
        return "streams cannot be named here: this cable has no public_streams, and no signed_streams"
    return f"there is no channel {channel[:64]!r}"


def list_of_channels(channels: Iterable[type[Channel]]) -> list[type[Channel]]:
    """Return channels as a list.

    Args:
        channels: What was given as such.

    Raises:
        CableConfigurationError: It is one channel.
    """
    if _is_channel(channels):
        raise CableConfigurationError(f"{channels!r:.80} is one channel; write a list of channels")
    return list(channels)


def _is_channel(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, Channel)
