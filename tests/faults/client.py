"""A client of ``actioncable-v1-ext-json`` that comes back and goes on, as ``@anycable/core`` does.

It resumes by position, or by time for a stream of which it has seen nothing, and keeps no memory of what
it has shown: whatever the server sends twice is shown twice.
"""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.faults.app import PING_SECONDS, check_of
from tests.faults.sockets import ClientSocket, connect

_STALE_SECONDS = 2.5 * PING_SECONDS
_WELCOME_SECONDS = 3.0
_CONFIRM_SECONDS = 5.0
_SLEEPY_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Shown:
    """A message, as the application was shown it.

    Attributes:
        stream: Its stream.
        key: Its producer and number.
        epoch: The log's epoch.
        offset: Where it stands in the log.
        at: When, in this process' monotonic seconds.
    """

    stream: str
    key: tuple[str, int]
    epoch: str
    offset: int
    at: float


@dataclass(frozen=True, slots=True)
class Gap:
    """The server has said that messages are missing here."""

    stream: str
    at: float


class Client:
    """One client with its subscriptions, alive until it is closed.

    Args:
        name: Who it is, for presence.
        streams: What it subscribes to.
        port: Returns where to connect next.
        rng: Spreads its attempts.
        present: It joins those who are present on its streams.

    Attributes:
        log: What the application was shown, and where it was told that something is missing.
        away: It does not come back while this is set.
        reasons: Why the server has sent it away, each time.
        codes: With which close codes its connections ended; None without one.
        rejected: Subscriptions that the server has refused, which ends them for good.
        pings: How many pings have come.
        seen: What has been shown, by producer and number.
    """

    def __init__(
        self, name: str, streams: Sequence[str], port: Callable[[], int], rng: Random, *, present: bool = True
    ) -> None:
        self.name = name
        self.present = present
        self.log: list[Shown | Gap] = []
        self.seen: set[tuple[str, int]] = set()
        self.away = False
        self.reasons: list[str] = []
        self.codes: list[int | None] = []
        self.rejected: list[str] = []
        self.pings = 0
        self.connections = 0
        self.port = 0
        self._identifiers = {
            json.dumps({"channel": "Room", "name": stream, "me": name}): stream for stream in streams
        }
        self._choose = port
        self._rng = rng
        self._positions: dict[str, dict[str, Any]] = {}
        self._live: set[str] = set()
        self._session: str | None = None
        self._since = int(time.time())
        self._heard_at = 0.0
        self._socket: ClientSocket | None = None
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def live(self) -> bool:
        """Every subscription is there, and has what it missed."""
        return len(self._live) == len(self._identifiers)

    def last_shown(self) -> float:
        """Return when it was last shown a message."""
        return next((entry.at for entry in reversed(self.log) if isinstance(entry, Shown)), 0.0)

    def cut(self) -> None:
        """Lose the connection without a word."""
        if self._socket is not None:
            self._socket.abort()

    def sleep(self) -> None:
        """Read nothing any more; the connection stays open."""
        if self._socket is not None and self._socket.transport is not None:
            self._socket.transport.pause_reading()
            made: socket.socket = self._socket.transport.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLEEPY_BYTES)
            self._heard_at = float("inf")

    def wake(self) -> None:
        """Read again; what has been closed meanwhile is found out now."""
        if self._socket is not None and self._socket.transport is not None:
            self._heard_at = time.monotonic()
            with suppress(RuntimeError):
                self._socket.transport.resume_reading()

    def say(self, text: str) -> None:
        """Call an action with a text that its receiver can check."""
        for identifier in self._live:
            data = {"action": "say", "text": text, "check": check_of(text)}
            self._send({"command": "message", "identifier": identifier, "data": json.dumps(data)})

    async def close(self) -> None:
        """Be gone."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self.cut()

    # -- one connection after the other -----------------------------------------

    async def _run(self) -> None:
        while True:
            if not self.away:
                with suppress(OSError):
                    await self._connection()
            await asyncio.sleep(self._rng.uniform(0.02, 0.2))

    async def _connection(self) -> None:
        self._over.clear()
        self.port = self._choose()
        target = "/cable" if self._session is None else f"/cable?sid={self._session}"
        self._heard_at = time.monotonic() + _WELCOME_SECONDS - _STALE_SECONDS
        self._socket = await connect(self.port, target, self._take, self._ended)
        self.connections += 1
        asked = time.monotonic()
        while not self._over.is_set():
            # Not `wait_for`, which swallows a cancellation that comes with the end (before Python 3.12).
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_SECONDS):
                    await self._over.wait()
            if time.monotonic() - self._heard_at > _STALE_SECONDS:
                self._socket.abort()
                await self._over.wait()
            elif not self.live and time.monotonic() - asked > _CONFIRM_SECONDS:
                asked = time.monotonic()
                for identifier, stream in self._identifiers.items():
                    if identifier not in self._live and stream not in self.rejected:
                        self._subscribe(identifier)

    def _ended(self, code: int | None) -> None:
        self.codes.append(code)
        self._live.clear()
        self._socket = None
        self._over.set()

    # -- frames ---------------------------------------------------------------------

    def _take(self, text: bytes) -> None:
        self._heard_at = max(self._heard_at, time.monotonic())
        frame = json.loads(text)
        kind = frame.get("type")
        if kind is None:
            self._show(frame)
        elif kind == "ping":
            self.pings += 1
            self._since = frame["message"]
        elif kind == "welcome":
            self._welcomed(frame)
        elif kind == "disconnect":
            self.reasons.append(frame["reason"])
            self._session = None
        elif kind == "confirm_subscription":
            self._join(frame["identifier"])
        elif kind == "confirm_history":
            self._live.add(frame["identifier"])
        elif kind == "reject_history":
            self.log.append(Gap(self._identifiers[frame["identifier"]], time.monotonic()))
            self._live.add(frame["identifier"])
        elif kind == "reject_subscription":
            self.rejected.append(self._identifiers[frame["identifier"]])

    def _show(self, frame: dict[str, Any]) -> None:
        if "stream_id" not in frame:
            return
        message, stream = frame["message"], frame["stream_id"]
        key = (message["p"], message["n"])
        self.seen.add(key)
        self.log.append(Shown(stream, key, frame["epoch"], frame["offset"], time.monotonic()))
        self._positions[stream] = {"epoch": frame["epoch"], "offset": frame["offset"]}

    def _welcomed(self, frame: dict[str, Any]) -> None:
        self._session = frame["sid"]
        restored = set(frame.get("restored_ids", ()))
        for identifier, stream in self._identifiers.items():
            if identifier in restored:
                self._send({"command": "history", "identifier": identifier, "history": self._history(stream)})
                self._join(identifier)
            elif stream not in self.rejected:
                self._subscribe(identifier)

    def _subscribe(self, identifier: str) -> None:
        history = self._history(self._identifiers[identifier])
        self._send({"command": "subscribe", "identifier": identifier, "history": history})

    def _join(self, identifier: str) -> None:
        if self.present:
            self._send({"command": "join", "identifier": identifier})

    def _history(self, stream: str) -> dict[str, Any]:
        position = self._positions.get(stream)
        return {"since": self._since, "streams": {} if position is None else {stream: position}}

    def _send(self, command: dict[str, Any]) -> None:
        if self._socket is not None:
            self._socket.send(json.dumps(command))
