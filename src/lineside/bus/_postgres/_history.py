"""The history of a PostgreSQL bus: a row for each message, numbered under the lock of its stream's row."""

import secrets
import sys
from typing import Any, Final

from lineside.bus._envelope import Envelope
from lineside.bus._message import HistoryLimits, Message, Position, Published, Slice
from lineside.bus._options import BackendOptions
from lineside.bus._postgres._channels import channel_of, token_of
from lineside.bus._postgres._pool import PostgresPool

__all__ = ["PostgresHistory"]

_APPEND: Final = "SELECT * FROM lineside_bus_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_BEGIN: Final = """
INSERT INTO lineside_bus_streams (namespace, stream, epoch) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
# One statement sees one state of the database: what it returns is a log as it was at one moment.
_READ: Final = """
SELECT s.epoch, s.last_seq, s.evicted_at, m.seq, m.published_at, m.envelope,
    m.expires_at <= clock_timestamp() AS expired
FROM lineside_bus_streams s LEFT JOIN lineside_bus_messages m
    ON m.namespace = s.namespace AND m.stream = s.stream AND m.seq > $3
WHERE s.namespace = $1 AND s.stream = $2 ORDER BY m.seq
"""


class PostgresHistory:
    """The logs of a namespace, as `History`.

    Args:
        pool: Asks the server.
        envelope: Writes and reads messages.
        options: The namespace.

    Attributes:
        contiguous: Offsets grow by exactly 1.
    """

    contiguous: bool = True

    def __init__(self, pool: PostgresPool, envelope: Envelope, options: BackendOptions) -> None:
        self._pool = pool
        self._envelope = envelope
        self._namespace = options.namespace

    async def append(
        self, message: Message, limits: HistoryLimits, *, idempotency_key: str | None = None
    ) -> Published:
        """Append a message and notify who listens, in one transaction."""
        keys = [f"id {message.id}", *([f"key {idempotency_key}"] if idempotency_key is not None else [])]
        rows, tries = await self._pool.try_fetch(
            _APPEND,
            self._namespace,
            message.stream,
            secrets.token_hex(8),
            keys,
            message.id,
            message.published_at,
            self._envelope.encode(message),
            limits.messages,
            limits.age_seconds,
            channel_of(self._namespace, message.stream),
            token_of(message.stream),
        )
        epoch, seq, id_, duplicate = rows[0]
        # A try whose answer was lost has published it: that is this publishing, not an earlier one.
        earlier = duplicate and (tries == 1 or id_ != message.id)
        return Published(id_, Position(epoch, seq), duplicate=earlier)

    async def read(
        self,
        stream: str,
        *,
        after: Position | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> Slice:
        """Return a piece of a stream's log."""
        behind = after.offset if after is not None else sys.maxsize if _only_end(since, limit) else 0
        rows = await self._rows(stream, behind)
        epoch, last = rows[0]["epoch"], rows[0]["last_seq"]
        there = [row for row in rows if row["seq"] is not None and not row["expired"]]
        if after is not None:
            complete = after.epoch == epoch and 0 <= after.offset <= last
            complete = complete and len(there) == last - after.offset
        elif since is not None:
            complete = not _evicted_since(rows, since)
            there = [row for row in there if row["published_at"] >= since]
        else:
            complete = True
            there = there if limit is None else there[-limit:] if limit else []
        if limit is not None and len(there) > limit:
            complete = False
        if not complete:
            return Slice(epoch, (), last, complete=False)
        return Slice(epoch, self._messages(stream, epoch, there), last)

    async def _rows(self, stream: str, behind: int) -> list[Any]:
        while True:
            rows = await self._pool.fetch(_READ, self._namespace, stream, behind)
            if rows:
                return rows
            # A position in front of the first message is a position: it needs an epoch.
            await self._pool.fetch(_BEGIN, self._namespace, stream, secrets.token_hex(8))

    def _messages(self, stream: str, epoch: str, rows: list[Any]) -> tuple[Message, ...]:
        read = (
            self._envelope.read(row["envelope"], Position(epoch, row["seq"]), stream=stream) for row in rows
        )
        return tuple(message for message in read if message is not None)


def _only_end(since: float | None, limit: int | None) -> bool:
    return since is None and limit == 0


def _evicted_since(rows: list[Any], since: float) -> bool:
    evicted_at = rows[0]["evicted_at"]
    if evicted_at is not None and evicted_at >= since:
        return True
    return any(row["expired"] and row["published_at"] >= since for row in rows if row["seq"] is not None)
