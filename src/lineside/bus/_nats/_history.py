"""The history of a NATS bus: messages are appended to JetStream and read back with a proof."""

import asyncio
import hashlib
from typing import Final

from lineside.bus._backoff import persist
from lineside.bus._envelope import Envelope
from lineside.bus._errors import BusUnavailable, MessageTooLargeError
from lineside.bus._message import HistoryLimits, Message, Position, Published, Slice
from lineside.bus._nats._consumer import fetch
from lineside.bus._nats._gap import oldest_sequence
from lineside.bus._nats._jetstream import JetStream, Stored
from lineside.bus._nats._log import LogState, NatsLog
from lineside.bus._nats._reader import NatsReader
from lineside.bus._nats._subjects import Subjects, token_of
from lineside.bus._nats._view import KEEP, View, within_limits
from lineside.bus._options import BackendOptions

__all__ = ["NatsHistory"]

_CATCH_UP_SECONDS: Final = 1.0


class NatsHistory:
    """The logs of a namespace, as `History`.

    An offset is the sequence of the whole JetStream stream, so a stream's offsets have holes. What was
    evicted cannot be seen; a slice is complete only when it is proven that nothing was.

    Args:
        jetstream: Asks the server.
        log: The log.
        reader: Has read what this node knows beyond what the server still keeps.
        subjects: The namespace's subjects.
        envelope: Writes and reads messages.
        options: The deadline.

    Attributes:
        contiguous: Offsets have holes; the reader delivers without.
    """

    contiguous: bool = False

    def __init__(
        self,
        jetstream: JetStream,
        log: NatsLog,
        reader: NatsReader,
        subjects: Subjects,
        envelope: Envelope,
        options: BackendOptions,
    ) -> None:
        self._jetstream = jetstream
        self._log = log
        self._reader = reader
        self._subjects = subjects
        self._envelope = envelope
        self._deadline_seconds = options.deadline_seconds

    async def append(
        self, message: Message, limits: HistoryLimits, *, idempotency_key: str | None = None
    ) -> Published:
        """Append a message; JetStream's ``Nats-Msg-Id`` makes that happen once at most."""
        data = self._envelope.encode(message)
        headers = {
            "Nats-Msg-Id": _dedup_id(message, idempotency_key),
            KEEP: f"{limits.messages} {limits.age_seconds}",
        }
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        (epoch, sequence, duplicate), tries = await persist(
            lambda: self._append_once(message.stream, data, headers, limits, until),
            until=until,
            # The log may be another one now, or there may be none: look when trying again.
            failed=self._log.forget,
        )
        position = Position(epoch, sequence)
        if not duplicate:
            return Published(message.id, position)
        earlier = await self._id_at(sequence)
        # A try whose answer was lost has published it: that is this publishing, not an earlier one.
        same = earlier is None or earlier == message.id
        return Published(earlier or message.id, position, duplicate=tries == 1 or not same)

    async def read(
        self,
        stream: str,
        *,
        after: Position | None = None,
        since: float | None = None,
        limit: int | None = None,
    ) -> Slice:
        """Return a piece of a stream's log, with the proof that nothing of it is missing."""
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        found, _ = await persist(
            lambda: self._read_once(stream, after, since, limit), until=until, failed=self._log.forget
        )
        return found

    async def _append_once(
        self, stream: str, data: bytes, headers: dict[str, str], limits: HistoryLimits, until: float
    ) -> tuple[str, int, bool]:
        session = await self._jetstream.link.session(until=until)
        if len(data) > session.max_payload - 512:
            raise MessageTooLargeError(
                f"a message has {len(data)} bytes with its envelope, and this NATS server takes "
                f"{session.max_payload}; raise max_payload in its configuration"
            )
        epoch = (await self._log.ensure(limits)).epoch
        sequence, duplicate = await self._jetstream.append(self._subjects.kept(stream, epoch), data, headers)
        return epoch, sequence, duplicate

    async def _id_at(self, sequence: int) -> str | None:
        stored = await self._jetstream.message(self._log.name, {"seq": sequence})
        message = self._envelope.read(stored.data) if stored is not None else None
        return message.id if message is not None else None

    async def _read_once(
        self, stream: str, after: Position | None, since: float | None, limit: int | None
    ) -> Slice:
        await self._reader.start()
        epoch = (await self._log.ensure(HistoryLimits())).epoch
        subject = self._subjects.kept(stream, epoch)
        view = View(
            stream, epoch, known_up_to=self._reader.way.position, known_last=self._known_last(stream, epoch)
        )
        if after is None:
            newest_only = since is None and limit == 0
            view.found = await (self._newest(subject) if newest_only else self._fetch(subject, 1))
        elif after.epoch == epoch:
            view.found = await self._fetch(subject, after.offset + 1)
        wanted_from = len(view.found)
        view.found = within_limits(view.found)
        outdated = len(view.found) < wanted_from
        # Behind the reading: what is still there now was there while it was read.
        state = await self._log.look(subject)
        if state.epoch != epoch:
            raise BusUnavailable("the log was replaced while it was read; read again")
        if after is not None:
            return await self._slice_after(view, after, limit, state, outdated=outdated)
        messages = self._messages(view)
        if since is None:
            newest = messages[-limit:] if limit else () if limit == 0 else messages
            return Slice(epoch, newest, view.last)
        wanted = tuple(message for message in messages if message.published_at >= since)
        complete = not outdated or bool(messages and messages[0].published_at < since)
        complete = complete and self._all_since(view, since, messages, state)
        if not complete or (limit is not None and len(wanted) > limit):
            return Slice(epoch, (), view.last, complete=False)
        return Slice(epoch, wanted, view.last)

    async def _slice_after(
        self, view: View, after: Position, limit: int | None, state: LogState, *, outdated: bool
    ) -> Slice:
        if after.epoch != state.epoch or not 0 <= after.offset <= state.last:
            return Slice(state.epoch, (), view.last, complete=False)
        last = max(view.last, after.offset)
        longer = limit is not None and len(view.found) > limit
        if longer or outdated or not await self._all_behind(view, after.offset, state):
            return Slice(state.epoch, (), last, complete=False)
        return Slice(state.epoch, self._messages(view), last)

    async def _all_behind(self, view: View, offset: int, state: LogState) -> bool:
        subject = self._subjects.kept(view.stream, state.epoch)
        if state.first <= offset + 1 and state.counts.get(subject, 0) < state.least:
            return True
        if view.found and view.found[0].sequence == offset + 1:
            return True
        oldest = await oldest_sequence(self._jetstream, self._log.name, subject)
        if oldest is not None and oldest <= offset:
            return True
        # The rest only a node can tell that has read it all, up to the first that was found.
        needed = view.found[0].sequence - 1 if view.found else state.last
        if self._reader.way.epoch != state.epoch or not await self._reader.way.reach(
            needed, timeout_seconds=_CATCH_UP_SECONDS
        ):
            return False
        return view.has_all(self._reader.way.known.behind(token_of(view.stream), offset))

    def _all_since(self, view: View, since: float, messages: tuple[Message, ...], state: LogState) -> bool:
        if messages and messages[0].published_at < since:
            return True
        few = state.counts.get(self._subjects.kept(view.stream, state.epoch), 0) < state.least
        aged = state.last_at is not None and since < state.last_at - state.age_seconds
        if few and (state.first <= 1 or not aged):
            return True
        known = self._reader.way.known
        if self._reader.way.epoch != state.epoch or since < known.since:
            return False
        return view.has_all(known.behind(token_of(view.stream), known.began))

    async def _fetch(self, subject: str, first: int) -> list[Stored]:
        return await fetch(self._jetstream, self._log.name, subject, first=first)

    async def _newest(self, subject: str) -> list[Stored]:
        newest = await self._jetstream.message(self._log.name, {"last_by_subj": subject})
        return [newest] if newest is not None else []

    def _known_last(self, stream: str, epoch: str) -> int:
        return self._reader.way.known.last(token_of(stream)) if self._reader.way.epoch == epoch else 0

    def _messages(self, view: View) -> tuple[Message, ...]:
        read = (
            self._envelope.read(stored.data, Position(view.epoch, stored.sequence), stream=view.stream)
            for stored in view.found
        )
        return tuple(message for message in read if message is not None)


def _dedup_id(message: Message, key: str | None) -> str:
    # One JetStream stream remembers the ids of all streams: the stream's name is part of each.
    kind, name = ("id", message.id) if key is None else ("key", key)
    return hashlib.sha256(f"{kind}\n{message.stream}\n{name}".encode()).hexdigest()
