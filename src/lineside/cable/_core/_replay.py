"""Sending a subscription what its client has missed: all of it in order, or a clear no.

While this runs the live messages of the subscription wait (`Attachment.held`). What is replayed ends where
they begin, so that the client sees each message once and in order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lineside.bus import BusError, Message, Position
from lineside.cable._core._attachment import Attachment
from lineside.cable._core._subscription import Subscription
from lineside.cable._protocol._commands import HistoryRequest
from lineside.cable._protocol._events import HistoryConfirmation, HistoryRejection

__all__ = ["CLOSE_TRY_AGAIN", "positions_of", "replay", "replay_restored"]


CLOSE_TRY_AGAIN: Final = 1013
"""IANA's "Try Again Later" (the registry of RFC 6455 section 11.7)."""

_NOT_RESTORED: Final = object()


class _Impossible(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _NotNow(_Impossible):
    """Nobody knows what is missing until the bus answers again."""


async def replay(
    subscription: Subscription,
    request: HistoryRequest,
    *,
    request_id: int | None = None,
    paced: bool = True,
) -> None:
    """Answer a request for history: the messages and a confirmation, or a rejection and no message.

    A client whose protocol has no answer for it is sent away to come back, while the bus does not answer.

    Args:
        subscription: One that streams; its messages are held, unless it has been live before.
        request: From where on.
        request_id: What the client called its request.
        paced: Wait for the client to read when it is behind; a history may be larger than an outbox.
    """
    connection = subscription.connection
    if connection.restored_positions.pop(subscription.identifier, _NOT_RESTORED) is None:
        # It was served without asking. What it has of that, and what it lacks, nobody can tell any more.
        connection.cable.stats.rejected_history("late")
        connection.send(HistoryRejection(subscription.identifier, "late", request_id))
        return
    await _replay(subscription, request, request_id, paced=paced)


async def replay_restored(subscription: Subscription) -> None:
    """Serve a restored subscription from where it was, whose client does not say what it has.

    Args:
        subscription: Its messages are held.
    """
    positions = subscription.connection.restored_positions
    stored = positions[subscription.identifier]
    positions[subscription.identifier] = None
    await _replay(subscription, _positions_from(stored), None, paced=True)


async def _replay(
    subscription: Subscription, request: HistoryRequest, request_id: int | None, *, paced: bool
) -> None:
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
        if isinstance(refusal, _NotNow) and not connection.codec.replies:
            # A rejection would say that messages are lost, and they are not: it comes back and asks again.
            connection.disconnect("unavailable", reconnect=True, code=CLOSE_TRY_AGAIN)
            return
        stats.rejected_history(refusal.reason)
        connection.send(HistoryRejection(subscription.identifier, refusal.reason, request_id))
        return
    for attachment, messages in missed:
        await _send(attachment, messages, paced=paced)
    for attachment, _ in missed:
        await _send_held(attachment, paced=paced)
    if connection.outbox.closed:
        return
    if any(attachment.overflowed for attachment, _ in missed):
        # More was said meanwhile than it could be sent: it goes on from where it has come to.
        connection.disconnect("too_slow", reconnect=True, code=CLOSE_TRY_AGAIN)
        return
    stats.history_confirmed += 1
    connection.send(HistoryConfirmation(subscription.identifier, request_id))


async def _send(attachment: Attachment, messages: Sequence[Message], *, paced: bool) -> None:
    for message in messages:
        attachment.send(message)
        if paced and attachment.outbox.crowded:
            await attachment.outbox.room()


async def _send_held(attachment: Attachment, *, paced: bool) -> None:
    # While this waits for the client to read, the next ones are held in turn.
    while paced and attachment.held and attachment.outbox.crowded and not attachment.outbox.closed:
        held, attachment.held = attachment.held, []
        await _send(attachment, held, paced=True)


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
        raise _NotNow("unavailable") from None
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


def _positions_from(stored: Mapping[str, Any]) -> HistoryRequest:
    """Return the request that asks for what came after `positions_of`.

    Args:
        stored: Its result, which has been a JSON text meanwhile.
    """
    return HistoryRequest(
        positions={name: Position(str(epoch), int(offset)) for name, (epoch, offset) in stored.items()}
    )
