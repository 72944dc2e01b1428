"""Connections of psycopg with a deadline: the driver itself waits for the server for ever."""

import asyncio
import math
import time
from collections.abc import Callable, Generator
from typing import Any, Final, NoReturn, TypeVar

import psycopg
from psycopg.errors import QueryCanceled

_Result = TypeVar("_Result")
_CANCEL_SECONDS: Final = 1.0


class _Expired(Exception):  # noqa: N818 - not an error that anybody sees
    """The deadline has passed while the driver waited."""


def _bounded(work: Generator[Any, Any, _Result], seconds: float) -> Generator[Any, Any, _Result]:
    """Pass on what a driver's generator waits for, until the deadline.

    psycopg resumes it at least every tenth of a second, also when the server says nothing.
    """
    until = time.monotonic() + seconds
    try:
        wanted = next(work)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:
                raise _Expired
            wanted = work.send(ready)
    except StopIteration as end:
        result: _Result = end.value
        return result


def _refuse(seconds: float) -> NoReturn:
    raise QueryCanceled(f"no answer within {seconds:g} s")


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server is silent for too long."""

    deadline_seconds: float = math.inf

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait for the server, as the base does, at most until the deadline."""
        try:
            return super().wait(_bounded(gen, self.deadline_seconds), *args, **options)
        except _Expired:
            self._ask_to_stop()
            self.close()
            _refuse(self.deadline_seconds)

    def _ask_to_stop(self) -> None:
        # Older versions of libpq can only ask without a deadline of their own, which is no help here.
        if psycopg.capabilities.has_cancel_safe():
            try:
                self.cancel_safe(timeout=_CANCEL_SECONDS)
            except psycopg.Error:
                return  # a silent server does not hear this either


class AsyncDeadlineConnection(psycopg.AsyncConnection[Any]):
    """The same for ``await``."""

    deadline_seconds: float = math.inf

    async def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait for the server, as the base does, at most until the deadline."""
        try:
            return await super().wait(_bounded(gen, self.deadline_seconds), *args, **options)
        except _Expired:
            await self._ask_to_stop()
            await self.close()
            _refuse(self.deadline_seconds)

    async def _ask_to_stop(self) -> None:
        if psycopg.capabilities.has_cancel_safe():
            try:
                await self.cancel_safe(timeout=_CANCEL_SECONDS)
            except psycopg.Error:
                return


def connect(*args: Any, connect_seconds: float, statement_seconds: float, **options: Any) -> Any:
    """Open a sync connection; libpq counts the time to connect in whole seconds, at least two."""
    options.setdefault("connect_timeout", max(2, math.ceil(connect_seconds)))
    connection = DeadlineConnection.connect(*args, **options)
    connection.deadline_seconds = statement_seconds
    return connection


def async_connect(connect_seconds: float, statement_seconds: float) -> Callable[..., Any]:
    """Return what opens an async connection."""

    async def opened(*args: Any, **options: Any) -> AsyncDeadlineConnection:
        async with asyncio.timeout(connect_seconds):
            connection = await AsyncDeadlineConnection.connect(*args, **options)
        connection.deadline_seconds = statement_seconds
        return connection

    return opened
