"""Which streams have lost messages in a hole of the log, and which are proven not to have.

A sequence that is missing was evicted, and does not say from which stream. JetStream evicts the oldest
messages of a subject when it has too many, and the oldest of the log when they are too old. So a stream
has lost nothing behind a position when it still has a message at or in front of it; and neither when it
has never had as many as are kept, and nothing behind the position was too old.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from lineside.bus._message import Discontinuity
from lineside.bus._nats._jetstream import JetStream
from lineside.bus._nats._log import NatsLog
from lineside.bus._nats._session import Session
from lineside.bus._nats._subjects import Subjects

__all__ = ["Gap", "oldest_sequence"]

_AT_A_TIME: Final = 32


class Gap:
    """Looks into holes of the log.

    Args:
        jetstream: Asks the server.
        log: The log.
        subjects: The namespace's subjects.
        streams: Returns the streams that somebody listens to here.
        interrupted: Is told of each stream that has lost messages.
    """

    def __init__(
        self,
        jetstream: JetStream,
        log: NatsLog,
        subjects: Subjects,
        *,
        streams: Callable[[], Sequence[str]],
        interrupted: Callable[[Discontinuity], None],
    ) -> None:
        self._jetstream = jetstream
        self._log = log
        self._subjects = subjects
        self._streams = streams
        self._interrupted = interrupted

    async def lost_streams(
        self, session: Session, epoch: str, after: int, *, taken_at: float | None, at: float | None
    ) -> Sequence[str]:
        """Return the streams for which nobody can prove that they lost nothing behind a position.

        Args:
            session: Ask over this connection.
            epoch: The log's epoch.
            after: The position.
            taken_at: When its message was stored, if that is known.
            at: When the message behind the hole was.
        """
        streams = self._streams()
        if not streams:
            return ()
        state = await self._log.look(self._subjects.log(epoch), session)
        young = taken_at is not None and at is not None and at - taken_at < state.age_seconds - 1.0
        if not young and state.first > after + 1:
            suspects = list(streams)
        else:
            suspects = [
                stream
                for stream in streams
                if not state.counted_all
                or state.counts.get(self._subjects.kept(stream, epoch), 0) >= state.least
            ]
        lost: list[str] = []
        for start in range(0, len(suspects), _AT_A_TIME):
            some = suspects[start : start + _AT_A_TIME]
            oldest = await asyncio.gather(*(self._oldest(session, stream, epoch) for stream in some))
            pairs = zip(some, oldest, strict=True)
            lost += [stream for stream, first in pairs if first is None or first > after]
        return lost

    def tell(self, streams: Sequence[str], epoch: str, last: int) -> None:
        """Tell that streams have lost messages.

        Args:
            streams: Their names.
            epoch: The log's epoch.
            last: The last sequence of the hole.
        """
        for stream in streams:
            self._interrupted(Discontinuity(stream, epoch, last, "evicted"))

    async def _oldest(self, session: Session, stream: str, epoch: str) -> int | None:
        subject = self._subjects.kept(stream, epoch)
        return await oldest_sequence(self._jetstream, self._log.name, subject, session=session)


async def oldest_sequence(
    jetstream: JetStream, log: str, subject: str, *, session: Session | None = None
) -> int | None:
    """Return the sequence of the oldest message that a log keeps of a subject, or None.

    Args:
        jetstream: Asks the server.
        log: The JetStream stream.
        subject: The subject.
        session: Ask over this connection.
    """
    found = await jetstream.message(log, {"seq": 1, "next_by_subj": subject}, session=session)
    return found.sequence if found is not None else None
