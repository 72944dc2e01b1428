"""What each command does to a connection. Those of one subscription arrive here one after the other."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lineside.bus import BusError
from lineside.cable._core._replay import CLOSE_TRY_AGAIN, replay
from lineside.cable._core._subscription import Subscription
from lineside.cable._protocol._commands import (
    Command,
    HistoryRequest,
    Join,
    Leave,
    Perform,
    PresenceQuery,
    ReadHistory,
    Request,
    Subscribe,
    Unsubscribe,
    Whisper,
)
from lineside.cable._protocol._errors import ErrorCode, RequestFailed, UnknownChannelError
from lineside.cable._protocol._events import (
    ACK,
    Confirmation,
    HistoryConfirmation,
    Rejection,
    Reply,
    Unsubscription,
)
from lineside.cable._protocol._message import EXCLUDE
from lineside.strict_json import dumps

if TYPE_CHECKING:
    from lineside.cable._core._connection import Connection

__all__ = ["end", "open_subscription", "serve"]

_logger = logging.getLogger("lineside.cable")


async def serve(connection: "Connection", command: Command) -> None:
    """Do what a client asks for.

    Args:
        connection: The client's.
        command: What it asks for.

    Raises:
        RequestFailed: It cannot be done; the connection answers so.
    """
    match command:
        case Subscribe():
            await _subscribe(connection, command)
        case Unsubscribe():
            await _unsubscribe(connection, command)
        case Perform():
            await _perform(connection, command)
        case Request():
            await connection.cable.dispatch(connection, command)
        case Whisper():
            await _whisper(_known(connection, command.identifier), command)
        case ReadHistory():
            await _read_history(_known(connection, command.identifier), command)
        case Join():
            await connection.cable.presence.join(_known(connection, command.identifier))
        case Leave():
            await connection.cable.presence.leave_all(_known(connection, command.identifier))
        case PresenceQuery():
            subscription = _known(connection, command.identifier)
            await connection.cable.presence.tell(
                subscription, records=command.records, request_id=command.request_id
            )
        case _:
            raise AssertionError(f"{command!r} never waits in a lane")


def _known(connection: "Connection", identifier: str) -> Subscription:
    subscription = connection.subscriptions.get(identifier)
    if subscription is None or not subscription.confirmed:
        raise RequestFailed(ErrorCode.NOT_IN_ROOM, "there is no such subscription; subscribe first")
    return subscription


async def _subscribe(connection: "Connection", command: Subscribe) -> None:
    identifier = command.identifier
    known = connection.subscriptions.get(identifier)
    if known is not None:
        await _subscribe_again(known, command)
        return
    try:
        subscription = await open_subscription(connection, identifier)
    except RequestFailed as failure:
        connection.cable.stats.failed(failure.code)
        # A rejection of Action Cable's has no place for the reason.
        _logger.debug("connection %s may not subscribe: %s", connection.id, failure.message)
        if failure.code == ErrorCode.TIMEOUT and not connection.codec.replies:
            # A rejection would be for good: the client comes back, and asks again.
            connection.disconnect("unavailable", reconnect=True, code=CLOSE_TRY_AGAIN)
        else:
            connection.send(Rejection(identifier, failure.message, failure.code, command.request_id))
        return
    await _confirm(subscription, command, command.history)


async def _subscribe_again(subscription: Subscription, command: Subscribe) -> None:
    connection = subscription.connection
    if not subscription.announced:
        # It was restored, and its client had left the channel and come back while it was away: it waits for
        # a confirmation. What it missed has been sent when it asked for the history of what was restored.
        sent_already = command.history is not None and not subscription.held
        await _confirm(subscription, command, None if sent_already else command.history)
        if sent_already:
            connection.send(HistoryConfirmation(subscription.identifier, command.request_id))
    elif connection.codec.replies:
        raise RequestFailed(ErrorCode.INVALID_FORMAT, "there is such a subscription already")
    # Otherwise nothing, as Rails: a second confirmation would make clients unsubscribe.


async def _confirm(subscription: Subscription, command: Subscribe, history: HistoryRequest | None) -> None:
    connection = subscription.connection
    subscription.announced = True
    connection.send(Confirmation(subscription.identifier, command.request_id))
    if command.presence is not None:
        await connection.cable.presence.join(subscription)
    if history is not None:
        await replay(subscription, history, request_id=command.request_id)
    subscription.release()


async def open_subscription(connection: "Connection", identifier: str) -> Subscription:
    """Subscribe, with everything that its channel decides; the client is not told yet.

    Args:
        connection: The client's.
        identifier: The subscription's name.

    Returns:
        A subscription whose live messages are held until it is released.

    Raises:
        RequestFailed: It is rejected, and nothing of it is left.
    """
    limits = connection.cable.limits
    if not connection.take_subscription() or len(connection.subscriptions) >= limits.subscriptions:
        raise RequestFailed(ErrorCode.RATE_LIMITED, "too many subscriptions; give one up, or wait a little")
    channel, params = connection.cable.channels.parse(identifier)
    subscription = Subscription(connection, identifier, channel, params)
    try:
        subscription.port = connection.cable.channels.open(subscription)
    except UnknownChannelError as error:
        raise RequestFailed(ErrorCode.INVALID_FORMAT, error.message) from None
    connection.subscriptions[identifier] = subscription
    try:
        await _run_subscribed(subscription)
    except BaseException:
        await end(subscription)
        raise
    subscription.confirmed = True
    return subscription


async def _run_subscribed(subscription: Subscription) -> None:
    assert subscription.port is not None
    try:
        await subscription.port.subscribe()
    except (RequestFailed, asyncio.CancelledError):
        raise
    except BusError as error:
        raise RequestFailed(ErrorCode.TIMEOUT, "the bus does not answer; try again") from error
    except Exception as error:  # the app's fault: the subscription is refused, and the log has the rest
        subscription.connection.cable.stats.faults += 1
        _logger.exception("the channel %r failed to subscribe", subscription.channel)
        raise RequestFailed(
            ErrorCode.SERVER_ERROR, "the server could not do this; it has been logged"
        ) from error
    if subscription.rejected:
        raise RequestFailed(ErrorCode.FORBIDDEN, subscription.rejection)


async def end(subscription: Subscription, *, grace_seconds: float = 0.0) -> None:
    """Stop a subscription's streams, then tell its channel; nothing of it is left.

    Args:
        subscription: One that was opened; whether it was confirmed does not matter.
        grace_seconds: How long its client stays present, in case it comes back.
    """
    connection = subscription.connection
    if connection.subscriptions.get(subscription.identifier) is not subscription:
        return
    subscription.confirmed, subscription.ended = False, True
    try:
        await _leave(subscription, grace_seconds)
    finally:
        connection.subscriptions.pop(subscription.identifier, None)
    try:
        if subscription.port is not None:
            await subscription.port.unsubscribe()
    except Exception:  # the app's fault must not keep the other subscriptions from ending
        connection.cable.stats.faults += 1
        _logger.exception("the channel %r failed to unsubscribe", subscription.channel)


async def _leave(subscription: Subscription, grace_seconds: float) -> None:
    presence = subscription.connection.cable.presence
    for leaving in (
        presence.leave_all(subscription, grace_seconds=grace_seconds),
        subscription.stop_all_streams(),
    ):
        try:
            await leaving
        except BusError:
            _logger.warning("the bus did not answer while %r was ended", subscription.channel, exc_info=True)


async def _unsubscribe(connection: "Connection", command: Unsubscribe) -> None:
    await end(_known(connection, command.identifier))
    connection.send(Unsubscription(command.identifier, command.request_id))


async def _perform(connection: "Connection", command: Perform) -> None:
    subscription = _known(connection, command.identifier)
    assert subscription.port is not None
    if connection.cable.events.wants("client_message"):
        said = {"type": command.action, "data": dict(command.data)}
        connection.cable.events.fire("client_message", connection=connection, message=said)
    answer: Any = await subscription.port.perform(command.action, command.data)
    if connection.codec.replies and command.request_id is not None:
        connection.send(Reply(command.action, answer, command.request_id))


async def _whisper(subscription: Subscription, command: Whisper) -> None:
    connection = subscription.connection
    # A list: a timer may begin or stop a stream while this one waits for the bus.
    streams = [each.stream for each in subscription.attachments.values() if each.whisper]
    for stream in streams:
        await connection.cable.bus.publish(stream, dumps(command.data), headers={EXCLUDE: connection.id})
    if connection.codec.replies and command.request_id is not None:
        connection.send(Reply(ACK, None, command.request_id))


async def _read_history(subscription: Subscription, command: ReadHistory) -> None:
    await replay(subscription, command.history, request_id=command.request_id)
    subscription.release()
