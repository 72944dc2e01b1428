"""The logs of a broker in memory, bounded in number and in bytes."""

import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from lineside.bus._message import HistoryLimits, Message, Position, Published, Slice

__all__ = ["MemoryLogs"]

_KEY_SECONDS: Final = 300.0
_MESSAGE_OVERHEAD: Final = 400
_NO_LIMITS: Final = HistoryLimits(messages=0, age_seconds=0.0)


@dataclass(slots=True)
class _Log:
    epoch: str
    last: int = 0
    limits: HistoryLimits = _NO_LIMITS
    entries: deque[tuple[float, Message]] = field(default_factory=deque[tuple[float, Message]])
    size: int = 0
    evicted_at: float | None = None
    published: OrderedDict[tuple[str, str], tuple[float, Published]] = field(
        default_factory=OrderedDict[tuple[str, str], tuple[float, Published]]
    )


class MemoryLogs:
    """The streams' logs, the least recently used ones dropped first.

    Args:
        max_bytes: What all messages together may take, with what Python needs for them.
        max_streams: How many streams have a log.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, *, max_bytes: int, max_streams: int, clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._max_streams = max_streams
        self._clock = clock
        self._logs: OrderedDict[str, _Log] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._logs)

    @property
    def size(self) -> int:
        """How many bytes the messages take, about."""
        return self._size

    def append(
        self, message: Message, limits: HistoryLimits, idempotency_key: str | None
    ) -> tuple[Published, Message | None]:
        """Give a message its position and keep it; return it with the result unless it is a duplicate.

        Args:
            message: Without a position.
            limits: What to keep of its stream.
            idempotency_key: A second message with this key is a duplicate.
        """
        log, now = self._log(message.stream), self._clock()
        log.limits = limits
        self._trim(log, now)
        keys = [("id", message.id), *([("key", idempotency_key)] if idempotency_key is not None else [])]
        for key in keys:
            earlier = log.published.get(key)
            if earlier is not None:
                return replace(earlier[1], duplicate=True), None
        log.last += 1
        position = Position(log.epoch, log.last)
        kept = Message(
            message.stream,
            message.data,
            message.id,
            message.node,
            position,
            message.published_at,
            message.headers,
        )
        log.entries.append((now, kept))
        published = Published(message.id, position)
        for key in keys:
            log.published[key] = (now, published)
        self._resize(log, _size_of(kept) + len(keys) * _MESSAGE_OVERHEAD)
        while len(log.entries) > limits.messages:
            self._evict(log)
        self._bound(message.stream, now)
        return published, kept

    def read(self, stream: str, after: Position | None, since: float | None, limit: int | None) -> Slice:
        """Return a piece of a log, as `History.read`.

        Args:
            stream: The stream's name.
            after: The last message that is known.
            since: Messages published then or later.
            limit: The most messages to return.
        """
        log = self._log(stream)
        self._trim(log, self._clock())
        self._bound(stream, self._clock())
        messages = [message for _, message in log.entries]
        if after is not None:
            complete = after.epoch == log.epoch and log.last - len(messages) <= after.offset <= log.last
            messages = messages[after.offset - log.last :] if complete and after.offset < log.last else []
        elif since is not None:
            complete = log.evicted_at is None or log.evicted_at < since
            messages = [message for message in messages if message.published_at >= since]
        else:
            return _slice(log, messages[-limit:] if limit else [] if limit == 0 else messages)
        if limit is not None and len(messages) > limit:
            complete = False
        return _slice(log, messages if complete else [], complete=complete)

    def _log(self, stream: str) -> _Log:
        log = self._logs.get(stream)
        if log is None:
            log = self._logs[stream] = _Log(secrets.token_hex(4))
            self._size += _MESSAGE_OVERHEAD
        else:
            self._logs.move_to_end(stream)
        return log

    def _trim(self, log: _Log, now: float) -> None:
        entries, limits = log.entries, log.limits
        while entries and (len(entries) > limits.messages or now - entries[0][0] > limits.age_seconds):
            self._evict(log)
        while log.published:
            at, _ = next(iter(log.published.values()))
            if now - at <= _KEY_SECONDS:
                break
            self._forget(log)

    def _evict(self, log: _Log) -> None:
        message = log.entries.popleft()[1]
        log.evicted_at = max(log.evicted_at or 0.0, message.published_at)
        self._resize(log, -_size_of(message))

    def _forget(self, log: _Log) -> None:
        log.published.popitem(last=False)
        self._resize(log, -_MESSAGE_OVERHEAD)

    def _bound(self, current: str, now: float) -> None:
        # A stream that nobody uses any more is looked at when it is the oldest: others pay for it, a little.
        for stream in [stream for stream, _ in zip(self._logs, range(2), strict=False)]:
            if stream != current:
                self._trim(self._logs[stream], now)
        while self._size > self._max_bytes or len(self._logs) > self._max_streams:
            stream, log = next(iter(self._logs.items()))
            if stream == current:
                # What is known of messages long gone makes room for messages.
                if len(log.published) > len(log.entries):
                    self._forget(log)
                elif log.entries:
                    self._evict(log)
                else:
                    break
            else:
                del self._logs[stream]
                self._size -= log.size + _MESSAGE_OVERHEAD

    def _resize(self, log: _Log, by: int) -> None:
        log.size += by
        self._size += by


def _size_of(message: Message) -> int:
    return len(message.data) + _MESSAGE_OVERHEAD


def _slice(log: _Log, messages: list[Message], *, complete: bool = True) -> Slice:
    return Slice(log.epoch, tuple(messages), log.last, complete)
