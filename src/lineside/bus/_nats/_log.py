"""The one JetStream stream that keeps the history of a namespace: made, widened, named by its epoch."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lineside.bus._errors import BusError
from lineside.bus._message import HistoryLimits
from lineside.bus._nats._jetstream import NO_STREAM, STREAM_EXISTS, JetStream, JetStreamError, seconds_of
from lineside.bus._nats._session import Session
from lineside.bus._nats._subjects import Subjects
from lineside.exceptions import ConfigurationError

__all__ = ["LogState", "NatsLog"]

# JetStream wants messages to be kept at least as long as their ids are remembered.
_DUPLICATE_SECONDS: Final = 300.0
_NANO: Final = 1_000_000_000
_MARK: Final = re.compile(r"lineside history; epoch=([0-9a-f]{16}); least=([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class LogState:
    """What the log is now.

    Attributes:
        epoch: Names its life.
        messages: How many messages of each subject are kept.
        least: The fewest that ever were, in this life.
        age_seconds: How long messages are kept.
        first: The sequence of the oldest message, or one more than the last when there is none.
        last: The sequence of the newest message ever.
        last_at: When it was stored; None for never.
        counts: How many messages the subjects have that were asked for.
        counted_all: There are no more such subjects than the server lists.
    """

    epoch: str
    messages: int
    least: int
    age_seconds: float
    first: int
    last: int
    last_at: float | None
    counts: Mapping[str, int]
    counted_all: bool


class NatsLog:
    """The log of a namespace.

    Args:
        jetstream: Asks the server.
        subjects: The namespace's subjects.
        storage: ``"file"`` or ``"memory"``.
        replicas: On how many servers of a NATS cluster it lies.

    Attributes:
        name: The JetStream stream's name.
    """

    def __init__(self, jetstream: JetStream, subjects: Subjects, *, storage: str, replicas: int) -> None:
        self.name = f"ls-{subjects.namespace}-history"
        self._jetstream = jetstream
        self._subjects = subjects
        self._storage = storage
        self._replicas = replicas
        self._known: LogState | None = None
        self._lock = asyncio.Lock()

    async def ensure(self, limits: HistoryLimits, session: Session | None = None) -> LogState:
        """Return the log as last seen; make it if there is none, widen it if it keeps less than this.

        Args:
            limits: What a stream wants to be kept.
            session: Ask over this connection.
        """
        known = self._known
        if known is not None and _covers(known, limits):
            return known
        if session is None:
            # Not inside the lock: whoever brings the connection back needs the log for that.
            until = asyncio.get_running_loop().time() + self._jetstream.timeout_seconds
            session = await self._jetstream.link.session(until=until)
        async with self._lock:
            known = self._known
            if known is None:
                known = await self._find_or_make(limits, session)
            while not _covers(known, limits):
                # Another node may widen it at the same time, and the later one wins: look again.
                known = await self._widen(limits, session)
            self._known = known
            return known

    async def look(self, subject: str | None = None, session: Session | None = None) -> LogState:
        """Return the log as it is now.

        Args:
            subject: Count the messages of the subjects that this matches.
            session: Ask over this connection.

        Raises:
            JetStreamError: There is none.
        """
        state, _ = await self._info(subject, session)
        self._known = state
        return state

    def forget(self) -> None:
        """Look at the server again the next time."""
        self._known = None

    async def renew(self, epoch: str, session: Session | None = None) -> LogState:
        """Give the log another epoch, because its sequences have gone back: messages of this one are lost.

        Args:
            epoch: The epoch that is over. Every node that notices comes to the same next one.
            session: Ask over this connection.
        """
        state, config = await self._info(None, session)
        if state.epoch == epoch:
            following = hashlib.sha256(f"after {epoch}".encode()).hexdigest()[:16]
            config.update(self._named(following, state.messages))
            await self._jetstream.call(f"STREAM.UPDATE.{self.name}", config, session=session)
        return await self.look(session=session)

    async def _find_or_make(self, limits: HistoryLimits, session: Session | None) -> LogState:
        try:
            return await self.look(session=session)
        except JetStreamError as error:
            if error.code != NO_STREAM:
                raise
        config = {
            "name": self.name,
            **self._named(secrets.token_hex(8), limits.messages),
            "retention": "limits",
            "discard": "old",
            "storage": self._storage,
            "num_replicas": self._replicas,
            "max_msgs_per_subject": limits.messages,
            "max_age": _age_of(limits),
            "duplicate_window": int(_DUPLICATE_SECONDS * _NANO),
            "max_msgs": -1,
            "max_bytes": -1,
            "max_msg_size": -1,
            "max_consumers": -1,
        }
        try:
            await self._jetstream.call(f"STREAM.CREATE.{self.name}", config, session=session)
        except JetStreamError as error:
            if error.code != STREAM_EXISTS:  # another node was faster
                raise
        return await self.look(session=session)

    async def _widen(self, limits: HistoryLimits, session: Session | None) -> LogState:
        state, config = await self._info(None, session)
        if _covers(state, limits):
            return state
        config["max_msgs_per_subject"] = max(state.messages, limits.messages)
        config["max_age"] = max(int(config["max_age"]), _age_of(limits))
        await self._jetstream.call(f"STREAM.UPDATE.{self.name}", config, session=session)
        return await self.look(session=session)

    def _named(self, epoch: str, least: int) -> dict[str, Any]:
        return {
            "description": f"lineside history; epoch={epoch}; least={least}",
            "subjects": [self._subjects.log(epoch)],
        }

    async def _info(self, subject: str | None, session: Session | None) -> tuple[LogState, dict[str, Any]]:
        body: dict[str, Any] = {} if subject is None else {"subjects_filter": subject}
        answer = await self._jetstream.call(f"STREAM.INFO.{self.name}", body, session=session)
        try:
            config, state = answer["config"], answer["state"]
            mark = _MARK.fullmatch(config.get("description", ""))
            if mark is None:
                raise ConfigurationError(
                    f"the JetStream stream {self.name!r} was not made by lineside; choose another namespace"
                )
            found = LogState(
                epoch=mark[1],
                least=int(mark[2]),
                messages=int(config["max_msgs_per_subject"]),
                age_seconds=config["max_age"] / _NANO,
                first=int(state["first_seq"]) if state["messages"] else int(state["last_seq"]) + 1,
                last=int(state["last_seq"]),
                last_at=seconds_of(state["last_ts"]) if state["last_seq"] else None,
                counts=state.get("subjects") or {},
                counted_all=answer.get("total", 0) <= len(state.get("subjects") or {}),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BusError(f"JetStream describes {self.name!r} in a way that is not understood") from error
        return found, config


def _covers(state: LogState, limits: HistoryLimits) -> bool:
    return state.messages >= limits.messages and state.age_seconds >= limits.age_seconds


def _age_of(limits: HistoryLimits) -> int:
    return int(max(limits.age_seconds, _DUPLICATE_SECONDS) * _NANO)
