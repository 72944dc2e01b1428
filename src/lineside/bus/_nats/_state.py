"""The values of a NATS bus: its buckets, and how they are asked again when an answer is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lineside.bus._backoff import Backoff, persist
from lineside.bus._errors import BusUnavailable
from lineside.bus._nats._bucket import Bucket, Entry
from lineside.bus._nats._jetstream import JetStream, JetStreamError
from lineside.bus._options import BackendOptions

__all__ = ["NatsState"]

_T = TypeVar("_T")


class NatsState:
    """The buckets of a namespace, and how they are asked again.

    Args:
        jetstream: Asks the server.
        options: The namespace and the deadline.
        storage: ``"file"`` or ``"memory"``.
        replicas: On how many servers of a NATS cluster they lie.

    Attributes:
        groups: Who is where, and which nodes are alive: ``group.``, ``grace.`` and ``node.``.
        values: The small values.
    """

    def __init__(self, jetstream: JetStream, options: BackendOptions, *, storage: str, replicas: int) -> None:
        name = f"ls-{options.namespace}"
        self.groups = Bucket(jetstream, f"{name}-presence", storage=storage, replicas=replicas)
        self.values = Bucket(
            jetstream, f"{name}-values", storage=storage, replicas=replicas, age_seconds=600.0
        )
        self._deadline_seconds = options.deadline_seconds

    async def change(
        self, bucket: Bucket, key: str, change: Callable[[bytes | None, bool], bytes | None]
    ) -> None:
        """Change a value, whoever else changes it at the same time.

        Args:
            bucket: Where it is.
            key: The key.
            change: Gets the value, and whether an earlier try may have been written; returns the new value,
                the same object to change nothing, or None for no value.

        Raises:
            BusUnavailable: It could not be written within the deadline.
        """
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        backoff, again = Backoff(first=0.002, longest=0.1), False
        while True:
            try:
                entry = await bucket.get(key)
                value = change(entry.value, again)
                if value is entry.value or await self._written(bucket, entry, value):
                    return
            except BusUnavailable as error:
                if isinstance(error, JetStreamError) or asyncio.get_running_loop().time() >= until:
                    raise
                again = True
            if asyncio.get_running_loop().time() >= until:
                raise BusUnavailable(f"too many nodes change {key.partition('.')[0]!r} at the same time")
            await asyncio.sleep(backoff.next())

    async def retry(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do something that may be done twice, until it succeeds or the deadline has passed.

        Args:
            work: Returns what is awaited.
        """
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        result, _ = await persist(work, until=until)
        return result

    @staticmethod
    async def _written(bucket: Bucket, entry: Entry, value: bytes | None) -> bool:
        if value is None:
            return await bucket.delete(entry.key, entry.revision)
        return await bucket.put(entry.key, value, revision=entry.revision) is not None
