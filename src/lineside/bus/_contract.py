"""What a backend does, written out: the contract that the conformance suite checks.

A backend carries bytes between the nodes of one namespace. Every backend is a `Backend`; what else
it can do it shows by having an attribute that is not None: ``history``, ``presence``, ``membership``.

Order: messages that one node publishes to one stream, one after the other, arrive in that order
everywhere. Messages with history arrive everywhere in the order of their offsets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lineside.bus._message import Discontinuity, HistoryLimits, Message, Position, Published, Slice

__all__ = [
    "Backend",
    "Departed",
    "History",
    "Joined",
    "Left",
    "Member",
    "Membership",
    "Node",
    "Presence",
    "Receiver",
]


class Receiver(Protocol):
    """What a backend calls, on the event loop; none of these waits or raises."""

    def received(self, message: Message) -> None:
        """Take a message of a subscribed stream, this node's own included."""
        ...

    def interrupted(self, discontinuity: Discontinuity) -> None:
        """Take notice that a stream with history has lost messages."""
        ...

    def lost(self, reason: str) -> None:
        """Take notice that the server cannot be reached; called once until ``restored``."""
        ...

    def restored(self) -> None:
        """Take notice that every subscription is live again."""
        ...


class History(Protocol):
    """The log of each stream: at least its last messages, with their positions.

    Attributes:
        contiguous: Offsets of a stream grow by exactly 1, so that a hole shows by itself. Where this
            is False the backend itself delivers without holes, or calls ``Receiver.interrupted``.
    """

    contiguous: bool

    async def append(
        self, message: Message, limits: HistoryLimits, *, idempotency_key: str | None = None
    ) -> Published:
        """Give a message its offset, keep it, remember its id and key, and publish it: all or nothing.

        Args:
            message: Without a position.
            limits: What to keep of its stream.
            idempotency_key: A second message with this key within 5 minutes is not published.

        Raises:
            BusUnavailable: The server did not answer within the deadline. The message may or may not
                have been published; publishing it again with the same id publishes it once at most.
        """
        ...

    async def read(
        self,
        stream: str,
        *,
        after: Position | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> Slice:
        """Return the messages behind a position, or from a time on. A stream that has none has an epoch too.

        A message of the log that cannot be read as one is left out; that alone makes no slice incomplete.

        Args:
            stream: The stream's name.
            after: The last message that is known; wins over ``since``.
            since: Seconds since 1970; messages published then or later.
            limit: At most the last so many, when neither ``after`` nor ``since`` is given; with them,
                a slice that would be longer is not complete.
        """
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One who is in a group.

    Attributes:
        id: The member's id; one id may have several sessions, on several nodes.
        info: What the latest session says of itself; JSON values.
        sessions: The sessions' ids, each with its node: ``{session: node}``.
    """

    id: str
    info: Mapping[str, object] = field(default_factory=dict[str, object])
    sessions: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Joined:
    """The result of joining a group.

    Attributes:
        first: The member was not in the group before.
        count: How many members the group has now.
    """

    first: bool
    count: int


@dataclass(frozen=True, slots=True)
class Left:
    """The result of leaving a group.

    Attributes:
        existed: The session was there.
        last: With it the member has left the group; never while a grace period runs.
        count: How many members the group has now.
    """

    existed: bool
    last: bool
    count: int


@dataclass(frozen=True, slots=True)
class Departed:
    """A member whose last session has ended without saying so, or whose grace period is over."""

    group: str
    member: str
    info: Mapping[str, object] = field(default_factory=dict[str, object])


class Presence(Protocol):
    """Who is in which group, over all nodes. Changes are atomic: a limit holds across nodes.

    A session belongs to a node and is gone when that node's lease is (`Membership`): a node beats before
    its sessions join. The session of node ``""`` belongs to none and stays until it leaves.
    """

    async def join(
        self,
        group: str,
        member: str,
        session: str,
        *,
        node: str,
        info: Mapping[str, object] | None = None,
        limit: int | None = None,
        exclusive: bool = False,
    ) -> Joined:
        """Add a session of a member to a group. The same session again renews its info.

        Args:
            group: The group's name.
            member: The member's id.
            session: The session's id; unique over all nodes.
            node: The node whose end ends the session; ``""`` for none.
            info: What to show of the member; None keeps what is there.
            limit: The most members the group may have.
            exclusive: Refuse a member who has a session in the group already. One whose grace period runs
                has none, and may come back.

        Raises:
            AlreadyJoinedError: ``exclusive``, and the member is there. Checked before ``limit``.
            GroupFullError: The group has ``limit`` members, and this is not one of them.
        """
        ...

    async def leave(self, group: str, member: str, session: str, *, grace_seconds: float = 0.0) -> Left:
        """Take a session from a group.

        Args:
            group: The group's name.
            member: The member's id.
            session: The session's id.
            grace_seconds: Keep the member for so long, in case it comes back; `expire` tells when not.
        """
        ...

    async def members(self, group: str) -> Sequence[Member]:
        """Return who is in a group, sorted by id."""
        ...

    async def member(self, group: str, member: str) -> Member | None:
        """Return one member of a group, or None."""
        ...

    async def count(self, group: str) -> int:
        """Return how many members a group has."""
        ...

    async def remove(self, group: str) -> bool:
        """Drop a group with everybody in it; tell whether it had anybody."""
        ...

    async def expire(self) -> Sequence[Departed]:
        """Drop sessions of dead nodes and members whose grace is over; each is told to one caller only.

        Raises:
            BusUnavailable: The server did not answer within the deadline. Whom it has dropped all the same,
                the next call tells where the backend remembers its answers, as Redis and PostgreSQL do.
        """
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster that is alive.

    Attributes:
        id: The node's id.
        info: What it says of itself; JSON values.
    """

    id: str
    info: Mapping[str, object] = field(default_factory=dict[str, object])


class Membership(Protocol):
    """Which nodes are alive, and small values that outlive them.

    A node is alive as long as its lease, measured by the server's clock, is renewed.
    """

    async def beat(self, node: str, info: Mapping[str, object], *, ttl_seconds: float) -> None:
        """Renew a node's lease."""
        ...

    async def nodes(self) -> Sequence[Node]:
        """Return the living nodes, sorted by id."""
        ...

    async def depart(self, node: str) -> None:
        """End a node's lease now; its sessions are dropped by the next `Presence.expire`."""
        ...

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return a value that is kept."""
        ...

    async def take(self, key: str) -> bytes | None:
        """Return a value and drop it: of several callers, one gets it."""
        ...


class Backend(Protocol):
    """Carries messages between nodes.

    Attributes:
        scheme: The URL scheme that chooses it: ``"redis"``.
        local: It reaches this process only.
        history: The logs, or None.
        presence: The groups, or None.
        membership: The nodes, or None.
    """

    scheme: str
    local: bool
    history: History | None
    presence: Presence | None
    membership: Membership | None

    async def connect(self, receiver: Receiver) -> None:
        """Open the connections; from now on the backend reconnects by itself.

        Raises:
            BusUnavailable: The server does not answer within the deadline.
        """
        ...

    async def close(self) -> None:
        """Close everything; a second call does nothing."""
        ...

    async def subscribe(self, stream: str, *, history: bool) -> None:
        """Listen to a stream; returns when the subscription is live.

        Args:
            stream: The stream's name. A second call, with ``history`` where the first was without, adds
                the log's messages.
            history: Its messages are kept: they arrive through the log's order. Messages of the same
                stream that are published without history (`publish`) arrive as well, at once.
        """
        ...

    async def unsubscribe(self, stream: str) -> None:
        """Stop listening to a stream; one that is not listened to is ignored, as is a server that is away."""
        ...

    async def publish(self, message: Message) -> None:
        """Publish a message that is not kept.

        Raises:
            BusUnavailable: The server cannot be reached within the deadline: the message is not
                published, or nobody can tell.
        """
        ...

    async def ping(self) -> None:
        """Ask the server for an answer.

        Raises:
            BusUnavailable: There is none within the deadline.
        """
        ...
