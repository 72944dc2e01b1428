"""Sending a subscription what its client has missed: all of it in order, or a clear no.

While this runs the live messages of the subscription wait (`Attachment.held`). What is replayed ends where
they begin, so that the client sees each message once and in order.
"""

from collections.abc import Mapping
from typing import Any

from lineside.bus import BusError, Message, Position
from lineside.cable._attachment import Attachment
from lineside.cable._commands import HistoryRequest
from lineside.cable._events import HistoryConfirmation, HistoryRejection
from lineside.cable._subscription import Subscription

__all__ = ["positions_from", "positions_of", "replay"]


class _Impossible(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def replay(
    subscription: Subscription, request: HistoryRequest, *, request_id: int | None = None
) -> None:
    """Answer a request for history: the messages and a confirmation, or a rejection and no message.

    Args:
        subscription: One that streams; its messages are held, unless it has been live before.
        request: From where on.
        request_id: What the client called its request.
    """
    connection = subscription.connection
    stats = connection.cable.stats
    missed: list[tuple[Attachment, list[Message]]] = []
    try:
        wanted = [attachment for attachment in subscription.attachments.values() if attachment.history]
        if not wanted:
            raise _Impossible("unavailable")
        for attachment in wanted:
            missed.append((attachment, await _missed(subscription, attachment, request)))
    except _Impossible as refusal:
        stats.rejected_history(refusal.reason)
        connection.send(HistoryRejection(subscription.identifier, refusal.reason, request_id))
        return
    for attachment, messages in missed:
        for message in messages:
            attachment.send(message)
    stats.history_confirmed += 1
    connection.send(HistoryConfirmation(subscription.identifier, request_id))


async def _missed(
    subscription: Subscription, attachment: Attachment, request: HistoryRequest
) -> list[Message]:
    position = request.positions.get(attachment.stream)
    since = request.since
    if position is None and since is None:
        return []
    bound = attachment.history_since
    if bound is not None and position is None and since is not None:
        since = max(since, bound)
    try:
        found = await subscription.connection.cable.bus.read(attachment.stream, after=position, since=since)
    except BusError:
        raise _Impossible("unavailable") from None
    if attachment.epoch and found.epoch != attachment.epoch:
        raise _Impossible("epoch")
    if position is not None and position.epoch != found.epoch:
        raise _Impossible("epoch")
    if not found.complete or (position is not None and position.offset > found.last_offset):
        raise _Impossible("evicted")
    if attachment.overflowed:
        raise _Impossible("evicted")
    messages = [
        message
        for message in found.messages
        if message.position is None or message.position.offset <= attachment.floor
    ]
    if bound is not None and any(message.published_at < bound for message in messages):
        raise _Impossible("forbidden")
    return messages


def positions_of(subscription: Subscription) -> dict[str, list[Any]]:
    """Return how far a subscription has been served, as JSON values, for a session that may be restored.

    Args:
        subscription: One whose connection has just ended.
    """
    positions: dict[str, list[Any]] = {}
    streams = subscription.connection.cable.hub.streams
    for name, attachment in subscription.attachments.items():
        stream = streams.get(name)
        if stream is not None and attachment.history and attachment.held is None and stream.epoch:
            positions[name] = [stream.epoch, stream.last]
    return positions


def positions_from(stored: Mapping[str, Any]) -> HistoryRequest:
    """Return the request that asks for what came after `positions_of`.

    Args:
        stored: Its result, which has been a JSON text meanwhile.
    """
    return HistoryRequest(
        positions={name: Position(str(epoch), int(offset)) for name, (epoch, offset) in stored.items()}
    )
