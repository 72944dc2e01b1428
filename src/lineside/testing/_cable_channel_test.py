"""A channel under test, and what may be asserted about it."""

from collections.abc import Mapping
from typing import Any, Generic, Self, TypeVar

from lineside.cable import Cable, Channel, RequestFailed
from lineside.cable._channel._run import OpenChannel
from lineside.cable._protocol._values import json_value
from lineside.strict_json import dumps, loads
from lineside.testing._cable_stubs import StubConnection, StubSubscription

__all__ = ["ChannelTest", "OpenForTest"]

_Channel = TypeVar("_Channel", bound=Channel)


class OpenForTest(OpenChannel):
    """A channel's object at work, which the test may look at."""

    @property
    def channel(self) -> Any:
        """The channel's object."""
        return self._channel


class ChannelTest(Generic[_Channel]):
    """A channel under test; made by `channel_test`.

    Attributes:
        instance: The channel's object.
        connection: A connection that only writes down: ``identity``, ``client_id``, ``metadata``.
        cable: A cable in memory, for `assert_broadcasts`.
        confirmed: The client is subscribed.
        code: With which of `lineside.cable.ErrorCode` it was refused; None when it was not, or by ``reject``.
        details: What the refusal says beside: the failing parameters.
    """

    def __init__(self, open_channel: OpenForTest, subscription: StubSubscription) -> None:
        self._open = open_channel
        self._subscription = subscription
        self.instance: _Channel = open_channel.channel
        self.connection: StubConnection = subscription.connection
        self.cable: Cable = subscription.connection.cable
        self.confirmed: bool = False
        self.code: int | None = None
        self.details: Any = None

    @property
    def rejected(self) -> bool:
        """The channel has refused the subscription."""
        return self._subscription.rejected

    @property
    def reason(self) -> str | None:
        """Why it has."""
        return self._subscription.reason

    @property
    def transmissions(self) -> list[Any]:
        """What the channel has transmitted to this client, oldest first; broadcasts are not among it."""
        return list(self._subscription.transmissions)

    @property
    def streams(self) -> list[str]:
        """To what the client listens."""
        return list(self._subscription.streams)

    async def perform(self, action: str, /, **data: Any) -> Any:
        """Call an action, as a client does: its arguments become JSON on the way.

        Args:
            action: Its name.
            data: Its arguments.

        Returns:
            What the client is answered, as JSON.

        Raises:
            RequestFailed: It could not be done: the client's answer.
            Exception: What the action has raised and nothing has rescued.
        """
        self.assert_subscribed()
        return await self._open.perform(action, _as_json(data))

    async def unsubscribe(self) -> None:
        """End the subscription: ``unsubscribed`` runs, once."""
        if self.confirmed:
            await self._end()

    def assert_subscribed(self) -> Self:
        """Fail unless the client is subscribed."""
        if self.rejected:
            raise AssertionError(
                f"expected {self._name} to let the client in, but it rejected: {self.reason}"
            )
        if not self.confirmed:
            raise AssertionError(f"the client is not subscribed to {self._name} any more")
        return self

    def assert_rejected(self, reason: str | None = None) -> Self:
        """Fail unless the channel has refused the subscription (Rails' ``assert subscription.rejected?``).

        Args:
            reason: A text that the reason must contain.
        """
        if not self.rejected:
            raise AssertionError(
                f"expected {self._name} to reject the subscription, and it let the client in"
            )
        if reason is not None and reason not in (self.reason or ""):
            raise AssertionError(f"expected the rejection to say {reason!r}, got {self.reason!r}")
        return self

    def assert_has_stream(self, stream: str) -> Self:
        """Fail unless the client listens to a stream (Rails' ``assert_has_stream``).

        Args:
            stream: The stream's name.
        """
        if stream not in self._subscription.streams:
            raise AssertionError(f"expected {self._name} to stream from {stream!r}, it has {self.streams}")
        return self

    def assert_has_stream_for(self, target: Any) -> Self:
        """Fail unless the client listens to a record's stream (Rails' ``assert_has_stream_for``).

        Args:
            target: As for `Channel.broadcasting_for`.
        """
        return self.assert_has_stream(self.instance.broadcasting_for(target))

    def assert_has_no_stream(self, stream: str) -> Self:
        """Fail if the client listens to a stream (Rails' ``assert_has_no_stream``).

        Args:
            stream: The stream's name.
        """
        if stream in self._subscription.streams:
            raise AssertionError(f"expected {self._name} not to stream from {stream!r}, and it does")
        return self

    def assert_no_streams(self) -> Self:
        """Fail if the client listens to anything (Rails' ``assert_no_streams``)."""
        if self.streams:
            raise AssertionError(f"expected {self._name} to have no streams, it has {self.streams}")
        return self

    async def begin(self) -> None:
        """Subscribe; for `channel_test`."""
        try:
            await self._open.subscribe()
        except RequestFailed as refusal:
            self.code, self.details = refusal.code, refusal.details
            self._subscription.reject(refusal.message)
        if self.rejected:
            await self._end()
        else:
            self.confirmed = True

    async def _end(self) -> None:
        self.confirmed = False
        self._subscription.streams.clear()
        await self._open.unsubscribe()

    @property
    def _name(self) -> str:
        return type(self.instance).__name__


def _as_json(data: Mapping[str, Any]) -> Mapping[str, Any]:
    read: Mapping[str, Any] = loads(dumps(json_value(dict(data))))
    return read
