"""Leaving in order: clients are sent away one after the other, and nobody waits for ever for the last."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["drain"]


async def drain(cable: "Cable", *, seconds: float) -> None:
    """Tell every client to come back elsewhere, and wait until all are gone.

    They are told one after the other, so that the other nodes do not get them all at once. Who has not
    closed after ``close_seconds`` is cut off.

    Args:
        cable: It takes no new connections from now on.
        seconds: The time over which clients are told; 0 for all at once.
    """
    cable.accepting = False
    leaving = list(cable.connections.values())
    loop = asyncio.get_running_loop()
    began = loop.time()
    for index, connection in enumerate(leaving):
        # By the clock and not by equal pauses: a loop's timers cannot wait for parts of a millisecond.
        ahead = began + seconds * index / len(leaving) - loop.time()
        if ahead > 0:
            await asyncio.sleep(ahead)
        connection.disconnect("server_restart", reconnect=True, code=1012)
    try:
        await asyncio.wait_for(_all_gone(cable), cable.limits.close_seconds)
    except TimeoutError:
        for connection in list(cable.connections.values()):
            connection.wire.abort()
            await connection.closed()


async def _all_gone(cable: "Cable") -> None:
    while cable.connections:
        cable.emptied.clear()
        await cable.emptied.wait()
