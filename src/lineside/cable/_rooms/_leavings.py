"""Leaving groups for certain: what the bus could not be told is told when it is back."""

import logging
from typing import TYPE_CHECKING, Final

from lineside.bus import BusError, Left

if TYPE_CHECKING:
    from lineside.bus import Bus

__all__ = ["Leavings"]

_MAX_OWED: Final = 100_000

_logger = logging.getLogger("lineside.cable")


class Leavings:
    """Takes sessions out of groups, now or when the bus can be reached again.

    A session that stayed behind would keep a room full, and a client reachable, as long as its node lives.

    Args:
        bus: Has the groups.
    """

    def __init__(self, bus: "Bus") -> None:
        self._bus = bus
        self._owed: dict[tuple[str, str, str], None] = {}

    async def leave(self, group: str, member: str, session: str) -> Left | None:
        """Take a session out of a group.

        Args:
            group: The group's name.
            member: The member's id.
            session: The session's id.

        Returns:
            What the bus says; None when it cannot be reached and the session leaves later.
        """
        if self._bus.connected:
            try:
                return await self._bus.require_presence().leave(group, member, session)
            except BusError:
                _logger.debug("a session leaves %r later: the bus does not answer", group)
        if len(self._owed) < _MAX_OWED:
            self._owed[group, member, session] = None
        else:
            _logger.error("a session stays in %r until this node ends: too many wait to leave", group)
        return None

    async def settle(self) -> None:
        """Take out whoever waits for it.

        Raises:
            BusUnavailable: The bus does not answer; the rest goes on waiting.
        """
        for group, member, session in list(self._owed):
            await self._bus.require_presence().leave(group, member, session)
            self._owed.pop((group, member, session), None)
