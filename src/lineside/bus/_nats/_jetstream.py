"""JetStream's own requests, as JSON over NATS (its ``$JS.API``); answers are checked, never trusted."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lineside.bus._errors import BusUnavailable
from lineside.bus._nats._link import NatsLink
from lineside.bus._nats._session import NobodyAnswers, Session
from lineside.exceptions import InvalidJSONError, PayloadTooLargeError
from lineside.strict_json import dumps, loads

__all__ = ["JetStream", "JetStreamError", "Place", "Stored", "place_of", "seconds_of"]

_API: Final = "$JS.API."
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_MAX_SUBJECTS: Final = 100_000  # as many as JetStream lists at a time
NO_MESSAGE: Final = 10_037
NO_STREAM: Final = 10_059
STREAM_EXISTS: Final = 10_058
WRONG_LAST_SEQUENCE: Final = 10_071


class JetStreamError(BusUnavailable):
    """JetStream refuses.

    Attributes:
        code: Its ``err_code``.
    """

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"JetStream refuses: {description} (error {code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it lies in a JetStream stream.

    Attributes:
        sequence: Its sequence number.
        data: Its bytes.
        stored_at: Seconds since 1970 by the server's clock.
        headers: Its headers.
    """

    sequence: int
    data: bytes
    stored_at: float
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a delivered message stands, as its reply subject tells (``$JS.ACK....``).

    Attributes:
        sequence: Its number in the stream.
        delivery: Its number among what this consumer was sent.
        stored_at: Seconds since 1970 by the server's clock.
        pending: How many messages are still to come.
    """

    sequence: int
    delivery: int
    stored_at: float
    pending: int


class JetStream:
    """Asks JetStream, over whatever connection there is.

    Args:
        link: The connection.
        timeout_seconds: How long one answer may take.
    """

    def __init__(self, link: NatsLink, *, timeout_seconds: float = 2.0) -> None:
        self.link = link
        self.timeout_seconds = timeout_seconds

    async def call(
        self, operation: str, body: Mapping[str, Any] | None = None, *, session: Session | None = None
    ) -> dict[str, Any]:
        """Ask for something.

        Args:
            operation: What follows ``$JS.API.``.
            body: The request.
            session: Ask over this connection, which need not be live yet.

        Raises:
            JetStreamError: The answer is an error.
            NobodyAnswers: JetStream is off, or not ready.
            BusUnavailable: There is no answer in time.
        """
        data = dumps(dict(body)) if body is not None else b""
        return await self._ask(_API + operation, data, {}, session)

    async def append(self, subject: str, data: bytes, headers: Mapping[str, str]) -> tuple[int, bool]:
        """Append a message; return its sequence, and whether its ``Nats-Msg-Id`` was there already.

        Args:
            subject: A subject that a JetStream stream listens to.
            data: The message.
            headers: ``Nats-Msg-Id`` and other ``Nats-`` headers.
        """
        answer = await self._ask(subject, data, headers, None)
        return _number(answer, "seq"), answer.get("duplicate") is True

    async def message(
        self, stream: str, query: Mapping[str, Any], *, session: Session | None = None
    ) -> Stored | None:
        """Return one message of a JetStream stream, or None.

        Args:
            stream: The JetStream stream.
            query: ``seq``, ``last_by_subj`` or ``seq`` with ``next_by_subj``.
            session: Ask over this connection.
        """
        try:
            answer = await self.call(f"STREAM.MSG.GET.{stream}", query, session=session)
        except JetStreamError as error:
            if error.code == NO_MESSAGE:
                return None
            raise
        found = answer["message"]
        return Stored(
            _number(found, "seq"),
            base64.b64decode(found.get("data", "")),
            seconds_of(found["time"]),
            _headers(base64.b64decode(found.get("hdrs", ""))),
        )

    async def _ask(
        self, subject: str, data: bytes, headers: Mapping[str, str], session: Session | None
    ) -> dict[str, Any]:
        if session is None:
            until = asyncio.get_running_loop().time() + self.timeout_seconds
            session = await self.link.session(until=until)
        try:
            reply = await session.request(
                subject, data, headers=headers, timeout_seconds=self.timeout_seconds
            )
        except NobodyAnswers:
            raise NobodyAnswers(
                "JetStream does not answer: start nats-server with -js, or wait until it has started"
            ) from None
        return _answer(reply.data)


def _answer(data: bytes) -> dict[str, Any]:
    try:
        answer: Any = loads(data, max_bytes=_MAX_ANSWER_BYTES, max_keys=_MAX_SUBJECTS)
    except (InvalidJSONError, PayloadTooLargeError) as error:
        raise BusUnavailable(f"JetStream's answer cannot be read: {error}") from None
    if not isinstance(answer, dict):
        raise BusUnavailable("JetStream's answer is no object")
    problem = answer.get("error")
    if problem:
        raise JetStreamError(_number(problem, "err_code"), str(problem.get("description", "no reason given")))
    return answer


def _number(answer: Mapping[str, Any], key: str) -> int:
    value = answer.get(key, 0)
    if not isinstance(value, int):
        raise BusUnavailable(f"JetStream's answer has no number {key!r}")
    return value


def _headers(block: bytes) -> dict[str, str]:
    lines = block.decode(errors="replace").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name: value.strip() for name, _, value in pairs}


def place_of(reply: str) -> Place | None:
    """Read the reply subject of a delivered message; None for one that a log has not sent.

    Args:
        reply: ``$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivery>.<nanoseconds>.<pending>``, or the
            longer form with the domain and the account in front.
    """
    tokens = reply.split(".")
    if len(tokens) < 9 or tokens[0] != "$JS" or tokens[1] != "ACK":
        return None
    start = 2 if len(tokens) == 9 else 4
    try:
        sequence, delivery, nanoseconds, pending = (int(token) for token in tokens[start + 3 : start + 7])
    except ValueError:
        return None
    return Place(sequence, delivery, nanoseconds / 1e9, pending)


def seconds_of(stamp: str) -> float:
    """Return the seconds since 1970 of a time as JetStream writes it (RFC 3339, nanoseconds).

    Args:
        stamp: ``2026-11-21T19:15:20.109249507Z``.
    """
    whole, _, rest = stamp.partition(".")
    fraction, zone = rest[:-1], "+00:00"
    if not rest.endswith("Z"):
        digits = len(rest) - len(rest.lstrip("0123456789"))
        fraction, zone = rest[:digits], rest[digits:]
    if not rest:
        return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    return datetime.fromisoformat(whole + zone).timestamp() + float(f"0.{fraction or 0}")
