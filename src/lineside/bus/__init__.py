"""The cluster bus: named streams of bytes between processes.

    import asyncio

    from lineside.bus import Bus, HistoryLimits

    async def main() -> None:
        async with Bus("memory://") as bus, bus.messages("news", history=True) as messages:
            published = await bus.publish("news", b"hello", history=HistoryLimits())
            message = await anext(messages)
            assert message.data == b"hello"
            assert message.position == published.position
            assert (await bus.read("news")).messages == (message,)

    asyncio.run(main())

Change the URL to ``redis://``, ``nats://`` or ``postgres://`` and every process is on one bus.
"""

from lineside.bus._bus import Bus
from lineside.bus._checks import refuse_several_processes
from lineside.bus._contract import (
    Backend,
    Departed,
    History,
    Joined,
    Left,
    Member,
    Membership,
    Node,
    Presence,
    Receiver,
)
from lineside.bus._errors import (
    AlreadyJoinedError,
    BusClosedError,
    BusError,
    BusUnavailable,
    GroupFullError,
    InvalidStreamError,
    MessageTooLargeError,
    SlowConsumerError,
    UnsupportedByBackendError,
)
from lineside.bus._message import (
    NO_HISTORY,
    Discontinuity,
    HistoryLimits,
    Message,
    Position,
    Published,
    Slice,
)
from lineside.bus._options import BackendOptions
from lineside.bus._stats import BusStats
from lineside.bus._subscription import BusSubscription, Listener, MessageQueue, Registration

__all__ = [
    "NO_HISTORY",
    "AlreadyJoinedError",
    "Backend",
    "BackendOptions",
    "Bus",
    "BusClosedError",
    "BusError",
    "BusStats",
    "BusSubscription",
    "BusUnavailable",
    "Departed",
    "Discontinuity",
    "GroupFullError",
    "History",
    "HistoryLimits",
    "InvalidStreamError",
    "Joined",
    "Left",
    "Listener",
    "Member",
    "Membership",
    "Message",
    "MessageQueue",
    "MessageTooLargeError",
    "Node",
    "Position",
    "Presence",
    "Published",
    "Receiver",
    "Registration",
    "Slice",
    "SlowConsumerError",
    "UnsupportedByBackendError",
    "refuse_several_processes",
]
