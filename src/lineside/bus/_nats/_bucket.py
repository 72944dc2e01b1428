"""A key-value bucket: a JetStream stream laid out as NATS' own buckets are.

A value is changed by comparing its revision (``Nats-Expected-Last-Subject-Sequence``), so that of several
nodes one succeeds and the others look again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lineside.bus._nats._jetstream import (
    NO_STREAM,
    STREAM_EXISTS,
    WRONG_LAST_SEQUENCE,
    JetStream,
    JetStreamError,
)
from lineside.bus._nats._session import NobodyAnswers

__all__ = ["Bucket", "Entry"]

_NANO: Final = 1_000_000_000
_CLOCK_SECONDS: Final = 30.0
_AT_A_TIME: Final = 32
_PAGE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What a key has.

    Attributes:
        key: The key.
        value: Its value; None when it has none.
        revision: Compares; 0 for a key that was never written.
        stored_at: When it was written, by the server's clock.
    """

    key: str
    value: bytes | None = None
    revision: int = 0
    stored_at: float = 0.0


class Bucket:
    """Keys and values.

    Args:
        jetstream: Asks the server.
        name: The bucket's name.
        storage: ``"file"`` or ``"memory"``.
        replicas: On how many servers of a NATS cluster it lies.
        age_seconds: How long a value may stay; 0 for ever.
    """

    def __init__(
        self, jetstream: JetStream, name: str, *, storage: str, replicas: int, age_seconds: float = 0.0
    ) -> None:
        self._jetstream = jetstream
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."
        self._storage = storage
        self._replicas = replicas
        self._age_seconds = age_seconds
        self._clock: tuple[float, float] | None = None

    async def get(self, key: str) -> Entry:
        """Return what a key has.

        Args:
            key: Letters, digits and dots.
        """
        try:
            found = await self._jetstream.message(self._stream, {"last_by_subj": self._prefix + key})
        except JetStreamError as error:
            if error.code == NO_STREAM:
                return Entry(key)
            raise
        if found is None:
            return Entry(key)
        value = None if "KV-Operation" in found.headers else found.data
        return Entry(key, value, found.sequence, found.stored_at)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int | None:
        """Write a value; return its revision, or None when somebody else was faster.

        Args:
            key: The key.
            value: The value.
            revision: Write only over this revision; None to write in any case.
        """
        headers = {} if revision is None else {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        return await self._write(key, value, headers)

    async def delete(self, key: str, revision: int) -> bool:
        """Take a value away; tell whether it was still this revision.

        Args:
            key: The key.
            revision: The revision that is taken away.
        """
        headers = {"Nats-Expected-Last-Subject-Sequence": str(revision), "KV-Operation": "DEL"}
        marker = await self._write(key, b"", headers)
        if marker is None:
            return False
        # Without this the marks of deleted keys would stay for ever.
        body = {"filter": self._prefix + key, "seq": marker + 1}
        await self._jetstream.call(f"STREAM.PURGE.{self._stream}", body)
        return True

    async def entries(self, pattern: str) -> Sequence[Entry]:
        """Return the keys that have a value.

        Args:
            pattern: ``node.*`` for all keys that begin with ``node.``.
        """
        keys = await self._keys(pattern)
        found: list[Entry] = []
        for start in range(0, len(keys), _AT_A_TIME):
            found += await asyncio.gather(*(self.get(key) for key in keys[start : start + _AT_A_TIME]))
        return [entry for entry in found if entry.value is not None]

    async def now(self) -> float:
        """Return the seconds since 1970 by the server's clock."""
        loop = asyncio.get_running_loop()
        if self._clock is None or loop.time() - self._clock[0] > _CLOCK_SECONDS:
            before = loop.time()
            await self.put("clock", b"")
            at = (before + loop.time()) / 2
            entry = await self.get("clock")
            self._clock = (at, entry.stored_at)
        at, stored_at = self._clock
        return stored_at + loop.time() - at

    async def widen(self, age_seconds: float) -> None:
        """Keep values for at least so long.

        Args:
            age_seconds: How long.
        """
        if age_seconds <= self._age_seconds:
            return
        self._age_seconds = age_seconds
        await self._make()
        answer = await self._jetstream.call(f"STREAM.INFO.{self._stream}")
        config: dict[str, Any] = answer["config"]
        if config.get("max_age", 0) < age_seconds * _NANO:
            config["max_age"] = int(age_seconds * _NANO)
            await self._jetstream.call(f"STREAM.UPDATE.{self._stream}", config)

    async def _write(self, key: str, value: bytes, headers: dict[str, str]) -> int | None:
        try:
            try:
                sequence, _ = await self._jetstream.append(self._prefix + key, value, headers)
            except NobodyAnswers:
                await self._make()
                sequence, _ = await self._jetstream.append(self._prefix + key, value, headers)
        except JetStreamError as error:
            if error.code == WRONG_LAST_SEQUENCE:
                return None
            raise
        return sequence

    async def _keys(self, pattern: str) -> list[str]:
        keys: list[str] = []
        while True:
            body = {"subjects_filter": self._prefix + pattern, "offset": len(keys)}
            try:
                answer = await self._jetstream.call(f"STREAM.INFO.{self._stream}", body)
            except JetStreamError as error:
                if error.code == NO_STREAM:
                    return []
                raise
            page = answer["state"].get("subjects") or {}
            keys += [subject.removeprefix(self._prefix) for subject in page]
            if len(page) < _PAGE:
                return keys

    async def _make(self) -> None:
        config: dict[str, Any] = {
            "name": self._stream,
            "subjects": [f"{self._prefix}>"],
            "retention": "limits",
            "discard": "new",
            "storage": self._storage,
            "num_replicas": self._replicas,
            "max_msgs_per_subject": 1,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_msg_size": -1,
            "max_consumers": -1,
            "allow_rollup_hdrs": True,
            "deny_delete": True,
            "max_age": int(self._age_seconds * _NANO),
        }
        try:
            await self._jetstream.call(f"STREAM.CREATE.{self._stream}", config)
        except JetStreamError as error:
            if error.code != STREAM_EXISTS:
                raise
