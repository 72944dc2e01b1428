"""A lock for each stream that is being changed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ["Locks"]


class Locks:
    """A lock per name, forgotten when nobody holds or wants it: names come from outside."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, list[None]]] = {}

    @asynccontextmanager
    async def holding(self, name: str) -> AsyncGenerator[None, None]:
        """Hold the lock of a name for a block.

        Args:
            name: The name; first come, first served.
        """
        lock, users = self._locks.setdefault(name, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._locks[name]

    def __len__(self) -> int:
        return len(self._locks)
