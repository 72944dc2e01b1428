"""Throw-away consumers of the log: pushed to an inbox of our own, nothing is acknowledged."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from lineside.bus._errors import BusUnavailable
from lineside.bus._nats._jetstream import JetStream, Stored, place_of
from lineside.bus._nats._session import Delivery, Session

__all__ = ["fetch", "open_consumer"]

_NANO: Final = 1_000_000_000
_BASIC: Final[Mapping[str, Any]] = {
    "ack_policy": "none",
    "max_deliver": -1,
    "replay_policy": "instant",
    "num_replicas": 1,
    "mem_storage": True,
}


async def open_consumer(
    jetstream: JetStream, session: Session, log: str, inbox: str, *, first: int
) -> tuple[str, int]:
    """Have everything from a sequence on pushed to an inbox; return the consumer's name and what is pending.

    The server forgets it 30 seconds after nobody listens to the inbox any more.

    Args:
        jetstream: Asks the server.
        session: The inbox' connection.
        log: The JetStream stream.
        inbox: Where to.
        first: The sequence to begin with.
    """
    config = {
        **_BASIC,
        "deliver_subject": inbox,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": first,
        "idle_heartbeat": _NANO,
        "flow_control": True,
        "inactive_threshold": 30 * _NANO,
    }
    return await _create(jetstream, session, log, config)


async def fetch(jetstream: JetStream, log: str, subject: str, *, first: int) -> list[Stored]:
    """Return what the log keeps of one subject.

    Args:
        jetstream: Asks the server.
        log: The JetStream stream.
        subject: The subject.
        first: The lowest sequence that is wanted.

    Raises:
        BusUnavailable: The messages did not come in time.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + jetstream.timeout_seconds
    session = await jetstream.link.session(until=until)
    found: list[Stored] = []
    done: asyncio.Future[None] = loop.create_future()

    def take(delivery: Delivery) -> None:
        place = place_of(delivery.reply)
        if place is None or done.done():
            return
        found.append(Stored(place.sequence, delivery.data, place.stored_at, delivery.headers))
        if place.pending == 0:
            done.set_result(None)

    inbox = session.new_inbox()
    stop = await session.listen(inbox, take)
    try:
        name, pending = await _create(jetstream, session, log, _reading(inbox, subject, first))
        if pending:
            async with asyncio.timeout_at(until):
                await done
            # What comes in after the consumer was made is not asked for, and may be incomplete.
            await session.publish(f"$JS.API.CONSUMER.DELETE.{log}.{name}", b"")
    except TimeoutError:
        raise BusUnavailable("the log's messages did not come in time") from None
    finally:
        await stop()
    return found


def _reading(inbox: str, subject: str, first: int) -> dict[str, Any]:
    return {
        **_BASIC,
        "deliver_subject": inbox,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": max(first, 1),
        "filter_subject": subject,
        "inactive_threshold": 5 * _NANO,
    }


async def _create(
    jetstream: JetStream, session: Session, log: str, config: Mapping[str, Any]
) -> tuple[str, int]:
    body = {"stream_name": log, "config": config}
    answer = await jetstream.call(f"CONSUMER.CREATE.{log}", body, session=session)
    name, pending = answer.get("name"), answer.get("num_pending", 0)
    if not isinstance(name, str) or not isinstance(pending, int):
        raise BusUnavailable("JetStream's answer describes no consumer")
    return name, pending
