"""A subscription, as the client of a test has it."""

from collections.abc import Mapping
from typing import Any, Self

from lineside.cable.codecs import (
    Failure,
    HistoryConfirmation,
    HistoryRejection,
    Perform,
    PresenceChange,
    PresenceInfo,
    PresenceQuery,
    Rejection,
    Reply,
    Subscribe,
    Transmission,
    Unsubscribe,
    Unsubscription,
    Whisper,
)
from lineside.testing._cable_conversation import Conversation

__all__ = ["CableSubscription"]


class CableSubscription:
    """What `CableClient.subscribe` returns: confirmed, or rejected.

    Args:
        conversation: Its client's.
        channel: The channel's name.
        identifier: The subscription's name.

    Attributes:
        identifier: The subscription's name, as it goes over the wire.
        confirmed: The client is subscribed.
        rejected: The channel has refused it.
        reason: Why, where the protocol has a place for it.
        code: With which of `lineside.cable.ErrorCode`; None where the protocol has none.
        history: None when no history was asked for; True once all of it has come, False when it could not be.
    """

    def __init__(self, conversation: Conversation, channel: str, identifier: str) -> None:
        self._conversation = conversation
        self._channel = channel
        self._read = 0
        self.identifier = identifier
        self.confirmed: bool = False
        self.rejected: bool = False
        self.reason: str | None = None
        self.code: int | None = None
        self.history: bool | None = None

    @property
    def messages(self) -> list[Any]:
        """Everything that the channel has sent so far, oldest first: transmissions and broadcasts."""
        return [
            event.message
            for event in self._conversation.inbox.events
            if isinstance(event, Transmission) and event.identifier == self.identifier
        ]

    @property
    def presence_changes(self) -> list[tuple[str, str]]:
        """Who came and went, as far as this client was told: ``("join", id)`` or ``("leave", id)``."""
        return [
            (event.type, event.id)
            for event in self._conversation.inbox.events
            if isinstance(event, PresenceChange) and event.identifier == self.identifier
        ]

    async def receive(self) -> Any:
        """Return the next message that has not been received yet; waits for it.

        Raises:
            AssertionError: None comes within the client's deadline.
        """
        self._must_be_confirmed()
        number = self._read

        def look() -> list[Any] | None:
            messages = self.messages
            return messages[number:] or None

        found = await self._conversation.inbox.until(look, f"a message of {self._channel}")
        self._read = number + 1
        return found[0]

    async def assert_no_messages(self) -> None:
        """Fail if there is a message that has not been received; nothing is under way any more then.

        Raises:
            AssertionError: There is one.
        """
        await self._conversation.settle()
        left = self.messages[self._read :]
        if left:
            raise AssertionError(f"expected no message of {self._channel}, got {left!r:.600}")

    async def perform(self, action: str, /, **data: Any) -> Any:
        """Call an action, and wait until it has run.

        Args:
            action: Its name.
            data: Its arguments.

        Returns:
            What it returned, as JSON. Action Cable has no answers: None there, and over
            ``actioncable-v1-json`` the action may not have run yet.

        Raises:
            RequestFailed: It could not be done. Action Cable's clients are not told.
        """
        self._must_be_confirmed()
        answer = await self._conversation.ask(Perform(self.identifier, action, data))
        return answer.data if isinstance(answer, Reply) else None

    async def whisper(self, data: Any) -> None:
        """Tell the other subscribers something, past the channel.

        Args:
            data: A JSON value.
        """
        self._must_be_confirmed()
        await self._conversation.ask(Whisper(self.identifier, data))

    async def present(self) -> Mapping[str, Any]:
        """Return who is present on the subscription's streams: the info of each, by id.

        Raises:
            AssertionError: The channel has no presence for this client.
        """
        self._must_be_confirmed()
        answer = await self._conversation.ask(PresenceQuery(self.identifier))
        assert isinstance(answer, PresenceInfo), answer
        if answer.error is not None:
            raise AssertionError(f"{self._channel} does not tell who is present: {answer.error}")
        return {each["id"]: each["info"] for each in answer.records or ()}

    async def unsubscribe(self) -> None:
        """Give the subscription up; returns when it has ended, which Action Cable never says."""
        self._must_be_confirmed()
        self.confirmed = False
        answer = await self._conversation.ask(Unsubscribe(self.identifier))
        assert answer is None or isinstance(answer, Unsubscription), answer

    def assert_confirmed(self) -> Self:
        """Fail unless the client is subscribed."""
        self._must_be_confirmed()
        return self

    def assert_rejected(self, reason: str | None = None) -> Self:
        """Fail unless the channel has refused the subscription.

        Args:
            reason: A text that the reason must contain; Action Cable's clients are told none.
        """
        if not self.rejected:
            raise AssertionError(f"expected {self._channel} to reject {self.identifier}, and it did not")
        if reason is not None and reason not in (self.reason or ""):
            raise AssertionError(f"expected the rejection to say {reason!r}, got {self.reason!r}")
        return self

    async def begin(self, command: Subscribe) -> None:
        """Ask for the subscription; for `CableClient`.

        Args:
            command: With the history and presence that are wanted.
        """
        since = len(self._conversation.inbox.events)
        answer = await self._conversation.ask(command, fails=False)
        if isinstance(answer, Failure):
            self.rejected, self.reason, self.code = True, answer.message, answer.code
        elif isinstance(answer, Rejection):
            self.rejected = True
        else:
            self.confirmed = True
            if command.history is not None:
                self.history = await self._told_of_history(since)
            if command.presence is not None:
                await self.present()  # joining comes behind the confirmation; this question behind both

    async def _told_of_history(self, since: int) -> bool:
        told = await self._conversation.inbox.event(
            lambda event: (
                isinstance(event, HistoryConfirmation | HistoryRejection)
                and event.identifier == self.identifier
            ),
            f"the history of {self._channel}",
            since=since,
        )
        return isinstance(told, HistoryConfirmation)

    def _must_be_confirmed(self) -> None:
        if self.rejected:
            raise AssertionError(
                f"{self._channel} has rejected {self.identifier}: {self.reason or 'no reason'}"
            )
        if not self.confirmed:
            raise AssertionError(f"the client is not subscribed to {self.identifier} any more")

    def __repr__(self) -> str:
        state = "confirmed" if self.confirmed else "rejected" if self.rejected else "unsubscribed"
        return f"CableSubscription({self.identifier}: {state})"
