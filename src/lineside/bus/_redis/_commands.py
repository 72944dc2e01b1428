"""Calls to Redis, with a deadline for all their attempts together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from lineside.bus._backoff import Backoff
from lineside.bus._errors import BusUnavailable

__all__ = ["Errors", "RedisCommands"]

_T = TypeVar("_T")

_logger: Final = logging.getLogger("lineside.bus")


@dataclass(frozen=True, slots=True)
class Errors:
    """What the client raises, sorted by what to do about it.

    Attributes:
        refused: The server does not want us: trying again would change nothing.
        passing: The server is away, or will be another one soon.
        other: Everything else of the client.
    """

    refused: tuple[type[Exception], ...]
    passing: tuple[type[Exception], ...]
    other: tuple[type[Exception], ...]


class _LateError(Exception):
    """The deadline is over."""


class RedisCommands:
    """Runs scripts and commands.

    Args:
        client: A ``redis.asyncio.Redis``.
        prefix: In front of every key.
        errors: What the client raises.
        deadline_seconds: How long a call may take.
        until_connected: Waits while the server is known to be away, so that one connection alone knocks.

    Attributes:
        client: The client.
        prefix: In front of every key.
    """

    def __init__(
        self,
        client: Any,
        *,
        prefix: str,
        errors: Errors,
        deadline_seconds: float,
        until_connected: Callable[[], Awaitable[object]],
    ) -> None:
        self.client = client
        self.prefix = prefix
        self._errors = errors
        self._deadline_seconds = deadline_seconds
        self._until_connected = until_connected
        self._scripts: dict[str, Any] = {}

    async def run(self, script: str, arguments: Sequence[str | bytes | float]) -> Any:
        """Run a script.

        Args:
            script: Its text.
            arguments: Its ``ARGV``.

        Raises:
            BusUnavailable: There was no answer within the deadline, or the server refused.
        """
        answer, _ = await self.attempt(script, arguments)
        return answer

    async def attempt(self, script: str, arguments: Sequence[str | bytes | float]) -> tuple[Any, int]:
        """Run a script, and tell at which attempt it answered: 1 for the first.

        Args:
            script: Its text; it may run more than once.
            arguments: Its ``ARGV``.
        """
        prepared = self._scripts.get(script)
        if prepared is None:
            prepared = self._scripts[script] = self.client.register_script(script)
        return await self.call(lambda: prepared(keys=[self.prefix], args=arguments))

    async def call(self, work: Callable[[], Awaitable[_T]]) -> tuple[_T, int]:
        """Do something until it succeeds, within the deadline; tell at which attempt it did.

        Args:
            work: Does it once.

        Raises:
            BusUnavailable: It did not succeed.
        """
        errors, backoff = self._errors, Backoff()
        deadline = asyncio.get_running_loop().time() + self._deadline_seconds
        attempts, reason = 0, "it did not answer"
        try:
            while True:
                attempts += 1
                try:
                    return await self._in_time(work(), deadline), attempts
                except errors.refused:
                    raise
                except errors.passing as error:
                    reason = str(error)
                    _logger.debug("attempt %d failed: %s", attempts, reason)
                await self._in_time(asyncio.sleep(backoff.next()), deadline)
                await self._in_time(self._until_connected(), deadline)
        except _LateError:
            raise BusUnavailable(
                f"Redis could not be reached within {self._deadline_seconds:g} s ({reason}); try again later"
            ) from None
        except errors.other as error:
            raise BusUnavailable(f"Redis refused: {error}") from error

    @staticmethod
    async def _in_time(work: Awaitable[_T], deadline: float) -> _T:
        # Step by step: before Python 3.12, `asyncio.wait_for`, which the client uses, may swallow a
        # cancellation, and a timeout around everything cancels but once.
        try:
            async with asyncio.timeout_at(deadline):
                return await work
        except TimeoutError as error:
            if asyncio.get_running_loop().time() < deadline:
                raise
            raise _LateError from error
