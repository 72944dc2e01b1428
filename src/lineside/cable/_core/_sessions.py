"""Going on after a cut: what a connection was subscribed to, kept for the client that comes back.

Nothing is trusted that was kept: each channel decides anew whether its client may subscribe, on whatever
node the client comes back to. Only the round trips are saved (AnyCable's ``sid``).
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import BusError
from lineside.cable._core._replay import positions_of, replay_restored
from lineside.cable._core._serve import open_subscription
from lineside.cable._protocol._errors import RequestFailed
from lineside.strict_json import dumps, loads

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["Sessions"]

_KEY: Final = "cable-session:"
_MAX_CHARS: Final = 64
_HISTORY_SECONDS: Final = 5.0

_logger = logging.getLogger("lineside.cable")


class Sessions:
    """The sessions of one cable that can be restored.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable
        self._waiting: deque[tuple[float, Connection]] = deque()
        self._watch: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()

    async def keep(self, connection: "Connection") -> None:
        """Keep what a connection is subscribed to; call it before its subscriptions end.

        Args:
            connection: One whose socket is gone.
        """
        membership = self._cable.bus.membership
        if membership is None or not connection.resumable or not connection.subscriptions:
            return
        kept = {
            "who": _owner(connection),
            "subscriptions": {
                identifier: positions_of(subscription)
                for identifier, subscription in connection.subscriptions.items()
                if subscription.confirmed
            },
        }
        try:
            seconds = self._cable.limits.session_seconds
            await membership.put(_KEY + connection.id, dumps(kept), ttl_seconds=seconds)
        except BusError:
            # The client is welcomed as a new one then, and subscribes by itself.
            _logger.warning("session %s could not be kept", connection.id, exc_info=True)

    async def restore(self, connection: "Connection", session: str) -> list[str] | None:
        """Subscribe a connection to what an earlier one was subscribed to.

        Args:
            connection: One that has not been welcomed yet.
            session: The earlier connection's id.

        Returns:
            The identifiers that are back, their live messages held; None when nothing was kept for this
            identity.
        """
        kept = await self._take(session, _owner(connection))
        if kept is None:
            return None
        restored: list[str] = []
        for identifier in kept["subscriptions"]:
            try:
                await open_subscription(connection, identifier)
            except RequestFailed as refused:
                # Not the identifier: a signed name, or a token among the parameters, is a secret.
                _logger.info("a subscription of connection %s was not restored: %s", connection.id, refused)
            else:
                restored.append(identifier)
        self._cable.stats.sessions_restored += 1
        connection.restored_positions = {each: kept["subscriptions"][each] for each in restored}
        return restored

    async def _take(self, session: str, owner: str) -> dict[str, Any] | None:
        membership = self._cable.bus.membership
        if membership is None or len(session) > _MAX_CHARS or not session.isalnum():
            return None
        key = _KEY + session
        try:
            # Looked at first: who merely knows the id must not use the session up.
            seen = await membership.get(key)
            if seen is None or loads(seen)["who"] != owner:
                return None
            value = await membership.take(key)
        except BusError:
            return None
        return None if value is None else loads(value)

    def await_history(self, connection: "Connection", identifiers: list[str]) -> None:
        """Go live by ourselves if the client does not say what it has; it is served from where we were.

        Args:
            connection: One that has just been restored.
            identifiers: Its subscriptions.
        """
        if not identifiers:
            return
        self._waiting.append((self._cable.monotonic() + _HISTORY_SECONDS, connection))
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._look_after())

    async def _look_after(self) -> None:
        # One look for all of them: thousands may come back in the same moment.
        while self._waiting:
            due, connection = self._waiting[0]
            await asyncio.sleep(max(0.0, due - self._cable.monotonic()))
            self._waiting.popleft()
            waiting = [each for each in connection.restored_positions if _is_held(connection, each)]
            if waiting:
                task = asyncio.get_running_loop().create_task(self._release_late(connection, waiting))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
        self._watch = None

    async def _release_late(self, connection: "Connection", identifiers: list[str]) -> None:
        for identifier in identifiers:
            # While the others were served, this one's client may have asked.
            if connection.restored_positions.get(identifier) is not None and _is_held(connection, identifier):
                subscription = connection.subscriptions[identifier]
                await replay_restored(subscription)
                subscription.release()

    async def close(self) -> None:
        """Stop waiting for clients."""
        self._waiting.clear()
        tasks = [*self._late, *([] if self._watch is None else [self._watch])]
        self._watch = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _is_held(connection: "Connection", identifier: str) -> bool:
    subscription = connection.subscriptions.get(identifier)
    return subscription is not None and any(
        attachment.held is not None for attachment in subscription.attachments.values()
    )


def _owner(connection: "Connection") -> str:
    identity = connection.identity
    # A guest is known by nothing but the session's id, which nobody can guess.
    return "guest" if identity.id is None else f"id:{identity.id}"
