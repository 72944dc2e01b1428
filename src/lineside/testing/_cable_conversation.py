"""What a client says and hears: commands out, their answers in."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final

from lineside.cable import RequestFailed
from lineside.cable.codecs import (
    Command,
    Confirmation,
    Event,
    Failure,
    Perform,
    Ping,
    PongEvent,
    PresenceInfo,
    PresenceQuery,
    Rejection,
    Request,
    Subscribe,
    Welcome,
)
from lineside.exceptions import ConfigurationError
from lineside.strict_json import dumps
from lineside.testing._cable_dialect import Dialect
from lineside.testing._cable_direct_link import Link
from lineside.testing._cable_inbox import Inbox
from lineside.testing._cable_refusals import ConnectionRejected

__all__ = ["Conversation"]


class Conversation:
    """A client's half of a connection.

    Args:
        dialect: The protocol.
        deadline_seconds: How long an answer may take.

    Attributes:
        dialect: The protocol.
        inbox: All that has arrived.
        link: The way to the server; None before the client connects.
    """

    def __init__(self, dialect: Dialect, *, deadline_seconds: float) -> None:
        self.dialect = dialect
        self.inbox: Inbox = Inbox(deadline_seconds)
        self.link: Link | None = None
        self._numbers = count(1)

    def take(self, frame: str | bytes) -> None:
        """Take a frame of the server."""
        self.inbox.add(self.dialect.read(frame))

    async def begin(self) -> None:
        """Wait until the server has taken the client.

        Raises:
            ConnectionRejected: It has closed at once.
        """
        try:
            if self.dialect.welcomes:
                await self.inbox.event(lambda event: isinstance(event, Welcome), "a welcome", since=0)
            else:
                await self.settle()
        except AssertionError:
            if self.inbox.closed is None:
                raise
            code, reason = self.inbox.closed
            raise ConnectionRejected(None, code, reason) from None

    async def settle(self) -> None:
        """Return when all has arrived that the server has sent to this client until now."""
        if self.dialect.replies:
            await self.ask(Request("ping", {}), fails=False)
        elif self.dialect.barriers:
            await self.ask(Ping())
        else:
            # Rails' protocol answers nothing but this.
            await self.ask(Subscribe(dumps({"channel": f"settle {next(self._numbers)}"}).decode()))

    async def ask(self, command: Command, *, fails: bool = True) -> Event | None:
        """Send a command, and return its answer; None where the protocol has none.

        Args:
            command: What to ask for.
            fails: Raise a failure, in place of returning it.

        Raises:
            RequestFailed: It could not be done.
            AssertionError: No answer comes.
        """
        if self.dialect.replies:
            return await self._ask_by_number(command, fails=fails)
        since = len(self.inbox.events)
        await self.send(self.dialect.write(command))
        if isinstance(command, Perform) and self.dialect.barriers:
            # It waits behind the action, in the same lane; so does its answer.
            behind = PresenceQuery(command.identifier)
            await self.send(self.dialect.write(behind))
            await self._answer_to(behind, (PresenceInfo,), since)
            return None
        kinds = _ANSWERS.get(type(command))
        return None if kinds is None else await self._answer_to(command, kinds, since)

    async def send(self, frame: str) -> None:
        """Send a frame as it is.

        Args:
            frame: Its text.
        """
        if self.link is None:
            raise ConfigurationError("the client is not connected: write `async with CableClient(...)`")
        await self.link.send(frame)

    async def _ask_by_number(self, command: Any, *, fails: bool) -> Event:
        since, number = len(self.inbox.events), next(self._numbers)
        await self.send(self.dialect.write(replace(command, request_id=number)))
        answer = await self.inbox.event(
            lambda event: getattr(event, "request_id", None) == number,
            f"an answer to {command}",
            since=since,
        )
        if fails and isinstance(answer, Failure):
            raise RequestFailed(answer.code, answer.message, details=answer.details)
        return answer

    async def _answer_to(self, command: Command, kinds: tuple[type[Event], ...], since: int) -> Event:
        asked = getattr(command, "identifier", None)

        def matches(event: Event) -> bool:
            return isinstance(event, kinds) and getattr(event, "identifier", None) == asked

        return await self.inbox.event(matches, f"an answer to {command}", since=since)


_ANSWERS: Final[Mapping[type[Command], tuple[type[Event], ...]]] = {
    Subscribe: (Confirmation, Rejection),
    PresenceQuery: (PresenceInfo,),
    Ping: (PongEvent,),
}
