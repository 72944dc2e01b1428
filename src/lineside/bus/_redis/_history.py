"""The logs of a bus on Redis."""

import secrets
from collections.abc import Callable
from typing import Any

from lineside.bus._envelope import Envelope
from lineside.bus._message import HistoryLimits, Message, Position, Published, Slice
from lineside.bus._redis._commands import RedisCommands
from lineside.bus._redis._stream_scripts import APPEND, READ

__all__ = ["RedisHistory"]

_BY_ID = 1
_NEW = 0


class RedisHistory:
    """The logs: a Redis stream each, with offsets and epochs of our own.

    Args:
        commands: Runs the scripts.
        envelope: Writes and reads messages.
        channel_of: Names the channel of a stream.

    Attributes:
        contiguous: Offsets grow by exactly 1.
    """

    contiguous: bool = True

    def __init__(
        self, commands: RedisCommands, envelope: Envelope, channel_of: Callable[[str], bytes]
    ) -> None:
        self._commands = commands
        self._envelope = envelope
        self._channel_of = channel_of

    async def append(
        self, message: Message, limits: HistoryLimits, *, idempotency_key: str | None = None
    ) -> Published:
        """Give a message its offset, keep it, remember its id and key, and publish it: in one script."""
        arguments = (
            message.stream,
            secrets.token_hex(4),
            message.id,
            "0" if idempotency_key is None else "1",
            idempotency_key or "",
            self._envelope.encode(message),
            repr(message.published_at),
            limits.messages,
            max(1, round(limits.age_seconds * 1000)),
            self._channel_of(message.stream),
        )
        (epoch, offset, id_, outcome), attempts = await self._commands.attempt(APPEND, arguments)
        # An id that an earlier attempt of this very call has left is no duplicate.
        duplicate = outcome != _NEW and not (outcome == _BY_ID and attempts > 1)
        return Published(_text(id_), Position(_text(epoch), int(offset)), duplicate)

    async def read(
        self,
        stream: str,
        *,
        after: Position | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> Slice:
        """Return the messages behind a position, or from a time on."""
        how: tuple[Any, ...] = ("last", -1 if limit is None else limit)
        if after is not None:
            how = ("after", how[1], after.epoch, after.offset)
        elif since is not None:
            how = ("since", how[1], repr(float(since)))
        raw_epoch, last, complete, found = await self._commands.run(
            READ, (stream, secrets.token_hex(4), *how)
        )
        epoch = _text(raw_epoch)
        messages = (
            self._envelope.read(found[i + 1], Position(epoch, int(found[i])), stream=stream)
            for i in range(0, len(found), 2)
        )
        return Slice(epoch, tuple(m for m in messages if m is not None), int(last), bool(complete))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
