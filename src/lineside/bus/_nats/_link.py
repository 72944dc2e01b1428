"""Keeps one connection to NATS alive: a new one takes the place of one that has ended or fallen silent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from lineside.bus._backoff import Backoff
from lineside.bus._errors import BusClosedError, BusUnavailable
from lineside.bus._nats._session import Dial, Session

__all__ = ["NatsLink"]

_PULSE_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 2.5
_CLOSE_SECONDS: Final = 1.0

_logger = logging.getLogger("lineside.bus")


class NatsLink:
    """The connection of one backend, over all its lives.

    The client's own reconnecting is not used: it keeps publishes of a lost connection and sends them
    later, although the caller has been told that they failed.

    Args:
        dial: Opens a connection.
        prepare: Makes a new connection live: subscribes, resumes the log. What it raises ends the attempt.
        lost: Is told once when the server cannot be reached.
        restored: Is told when it can again and everything is live.
    """

    def __init__(
        self,
        dial: Dial,
        *,
        prepare: Callable[[Session], Awaitable[None]],
        lost: Callable[[str], None],
        restored: Callable[[], None],
    ) -> None:
        self._dial = dial
        self._prepare = prepare
        self._lost = lost
        self._restored = restored
        self._session: Session | None = None
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self, *, deadline_seconds: float) -> None:
        """Reach the server for the first time.

        Args:
            deadline_seconds: How long to try.

        Raises:
            BusUnavailable: It does not answer.
        """
        session = await self._attempts(deadline_seconds)
        self._take(session)
        self._task = asyncio.get_running_loop().create_task(self._keep(session))

    async def close(self) -> None:
        """End the connection and make no other."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        session, self._session = self._session, None
        self._up.clear()
        if session is not None:
            await _end(session)

    @property
    def current(self) -> Session | None:
        """The connection, while it is live."""
        return self._session

    async def session(self, *, until: float) -> Session:
        """Return the connection, and wait for it while there is none.

        Args:
            until: When to give up, by the event loop's clock.

        Raises:
            BusUnavailable: There is none in time.
            BusClosedError: The backend is not connected.
        """
        if self._session is None:
            if self._task is None:
                raise BusClosedError("this backend is not connected")
            try:
                async with asyncio.timeout_at(until):
                    await self._up.wait()
            except TimeoutError:
                raise BusUnavailable("the NATS server cannot be reached; is it running?") from None
        if self._session is None:
            raise BusUnavailable("the connection to the NATS server ended again")
        return self._session

    async def _attempts(self, deadline_seconds: float) -> Session:
        backoff, reason = Backoff(), "the NATS server does not answer; is it running?"
        try:
            async with asyncio.timeout(deadline_seconds):
                while True:
                    try:
                        return await self._attempt()
                    except BusUnavailable as error:
                        reason = error.message
                    await asyncio.sleep(backoff.next())
        except TimeoutError:
            raise BusUnavailable(reason) from None

    async def _attempt(self) -> Session:
        session = await self._dial()
        try:
            await self._prepare(session)
            await session.settle(timeout_seconds=_SILENCE_SECONDS)
        except BaseException:
            await _end(session)
            raise
        return session

    async def _keep(self, session: Session) -> None:
        backoff = Backoff()
        while True:
            reason = await self._watch(session)
            self._session = None
            self._up.clear()
            self._lost(reason)
            await _end(session)
            backoff.reset()
            session = await self._again(backoff)
            self._take(session)
            self._restored()

    async def _again(self, backoff: Backoff) -> Session:
        while True:
            # Also in front of the first attempt: all nodes have lost the server in the same moment.
            await asyncio.sleep(backoff.next())
            try:
                return await self._attempt()
            except BusUnavailable as error:
                _logger.debug("NATS is still away: %s", error)
            except Exception:  # whatever it is, a later attempt may succeed
                _logger.exception("connecting to NATS again failed; trying on")

    async def _watch(self, session: Session) -> str:
        while True:
            with suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(session.ended), _PULSE_SECONDS)
            try:
                await session.settle(timeout_seconds=_SILENCE_SECONDS)
            except BusUnavailable as error:
                return error.message

    def _take(self, session: Session) -> None:
        self._session = session
        self._up.set()


async def _end(session: Session) -> None:
    # A connection whose peer is silent may not let itself be closed in order.
    with suppress(TimeoutError):
        await asyncio.wait_for(session.close(), _CLOSE_SECONDS)
