"""A lock for each name, forgotten when nobody wants it: names come from clients."""

import asyncio

__all__ = ["Locks"]


class Locks:
    """The locks of a set of names that may be any."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}

    def holding(self, name: str) -> "_Lock":
        """Return what holds a name's lock for an ``async with`` block.

        Args:
            name: The name.
        """
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = _Lock(self._locks, name)
        return lock


class _Lock:
    __slots__ = ("_lock", "_locks", "_name", "_wanted")

    def __init__(self, locks: "dict[str, _Lock]", name: str) -> None:
        self._lock = asyncio.Lock()
        self._locks = locks
        self._name = name
        self._wanted = 0

    async def __aenter__(self) -> None:
        self._wanted += 1
        try:
            await self._lock.acquire()
        except BaseException:
            self._forget()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
        self._forget()

    def _forget(self) -> None:
        self._wanted -= 1
        if not self._wanted:
            self._locks.pop(self._name, None)
