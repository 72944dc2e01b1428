"""A few connections to PostgreSQL for everything but listening."""

import asyncio
from typing import Any, Final

from lineside.bus._backoff import persist
from lineside.bus._errors import BusClosedError, BusUnavailable
from lineside.bus._options import BackendOptions
from lineside.bus._postgres._client import Connection, connect, prepare, run

__all__ = ["PostgresPool"]

_ANSWER_SECONDS: Final = 2.0
_PREPARE_SECONDS: Final = 30.0


class PostgresPool:
    """Connections that are opened when they are needed, and dropped at the first doubt.

    Args:
        url: The database.
        options: The deadline.
        size: The most connections.

    Attributes:
        open: The backend is connected.
        up: Is set while the listening connection is there. Without it nobody else tries either: a server
            that is away is asked once in a second, and not by every call.
    """

    def __init__(self, url: str, options: BackendOptions, *, size: int) -> None:
        self._url = url
        self._deadline_seconds = options.deadline_seconds
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self.open = False
        self.up = asyncio.Event()

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        """Return the rows of a statement that may be run twice; it is tried until the deadline.

        Args:
            sql: The statement, with ``$1`` for the first argument.
            arguments: Its arguments.

        Raises:
            BusUnavailable: The server did not answer within the deadline.
        """
        rows, _ = await self.try_fetch(sql, *arguments)
        return rows

    async def try_fetch(self, sql: str, *arguments: object) -> tuple[list[Any], int]:
        """Return the rows of a statement, and how often it was tried.

        Args:
            sql: The statement.
            arguments: Its arguments.
        """
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        return await persist(lambda: self._fetch(sql, arguments, until), until=until)

    def drop(self) -> None:
        """Forget the idle connections: the server has gone, or is about to."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()

    async def _fetch(self, sql: str, arguments: tuple[object, ...], until: float) -> list[Any]:
        loop = asyncio.get_running_loop()
        if not self.open:
            raise BusClosedError("this backend is not connected")
        try:
            async with asyncio.timeout_at(until):
                await self.up.wait()
        except TimeoutError:
            raise BusUnavailable("PostgreSQL cannot be reached; is it running?") from None
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            raise BusUnavailable("all connections to PostgreSQL are busy; it is too slow, or away") from None
        try:
            connection = await self._take()
            seconds = min(_ANSWER_SECONDS, max(until - loop.time(), 0.05))
            try:
                rows: list[Any] = await run(connection, connection.fetch(sql, *arguments), seconds=seconds)
            except BusUnavailable:
                # The others are no better: they were opened to the same server.
                self.drop()
                raise
            except BaseException:
                self._give_back(connection)
                raise
            self._give_back(connection)
            return rows
        finally:
            self._slots.release()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        connection = await connect(self._url)
        # Not only when the listening begins: the database may be another one since then.
        await run(connection, prepare(connection), seconds=_PREPARE_SECONDS)
        return connection

    def _give_back(self, connection: Connection) -> None:
        if self.open and not connection.is_closed():
            self._idle.append(connection)
        else:
            connection.terminate()
