"""A client library in a process of its own, driven by lines of JSON."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

DEADLINE = 15.0
"""Seconds until a test that waits gives up."""

Event = Mapping[str, Any]


class DriverError(Exception):
    """The library has refused what it was asked for."""


class Driver:
    """One Node.js process.

    Attributes:
        events: What the library has told its application, in order.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[Event] = []
        self._process = process
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())
        self._last_id = 0

    async def do(self, op: str, **given: Any) -> Any:
        """Ask the program for something, and return its answer.

        Raises:
            DriverError: The library did not do it.
        """
        return await asyncio.wait_for(self.begin(op, **given), DEADLINE)

    def begin(self, op: str, **given: Any) -> "asyncio.Future[Any]":
        """Ask for something whose answer may be long in coming."""
        self._last_id += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._last_id] = answer
        assert self._process.stdin is not None
        line = json.dumps({"id": self._last_id, "op": op, **given})
        self._process.stdin.write(line.encode() + b"\n")
        return answer

    def seen(self, event: str, **given: Any) -> list[Event]:
        """Return the events of a kind, with these fields, in order."""
        wanted = {"event": event, **given}
        return [each for each in self.events if wanted.items() <= {k: each.get(k) for k in wanted}.items()]

    def messages(self, **given: Any) -> list[Any]:
        """Return the messages that a channel's application was shown, in order."""
        return [each["message"] for each in self.seen("message", **given)]

    async def event(self, event: str, *, times: int = 1, seconds: float = DEADLINE, **given: Any) -> Event:
        """Wait until events of a kind with these fields have come so many times; return the last of them."""
        await self.until(lambda: len(self.seen(event, **given)) >= times, seconds=seconds)
        return self.seen(event, **given)[times - 1]

    async def until(self, condition: Callable[[], Any], *, seconds: float = DEADLINE) -> None:
        """Wait until events have made a condition true."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: bool(condition())), seconds)
            except TimeoutError:
                raise AssertionError(f"it did not come; the last events were {self.events[-20:]}") from None

    async def close(self) -> None:
        """End the process; its library gets no chance to say goodbye."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "id" in said:
                self._answer(self._answers.pop(said["id"]), said)
            else:
                self.events.append(said)
                async with self._changed:
                    self._changed.notify_all()
        for answer in self._answers.values():
            answer.cancel()

    @staticmethod
    def _answer(answer: "asyncio.Future[Any]", said: Event) -> None:
        if answer.done():
            return
        if "error" in said:
            answer.set_exception(DriverError(said["error"]))
        else:
            answer.set_result(said["ok"])


@asynccontextmanager
async def driver(folder: Path, library: str) -> AsyncIterator[Driver]:
    """Run the driver of a library.

    Args:
        folder: Where the drivers are.
        library: The name of its file, without its ending.
    """
    program = shutil.which("node")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        str(folder / f"{library}.mjs"),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    made = Driver(process)
    try:
        await made.event("ready")
        yield made
    finally:
        await made.close()


async def eventually(condition: Callable[[], Any], *, seconds: float = DEADLINE) -> Any:
    """Return the first true value of something that has to be asked for, and that tells nobody."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            value = await value if asyncio.iscoroutine(value) else value
            if value:
                return value
            await asyncio.sleep(0.02)
