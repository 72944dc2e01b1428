"""A real Chromium without a window, driven by its DevTools protocol."""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import websockets

from tests.services import missing

DEADLINE = 30.0
"""Seconds until a test that waits gives up."""

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SWITCHES = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A page of ours that asks another machine for anything fails here, with and without a network.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Page:
    """A tab, alone in its browser.

    Args:
        socket: The browser's DevTools connection.

    Attributes:
        faults: The exceptions that nothing in the page has caught, and what its policy has blocked.
    """

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._session: str | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._reading = asyncio.create_task(self._read())
        self.faults: list[str] = []

    async def attach(self) -> None:
        """Open the tab and listen to its faults."""
        target = await self._ask("Target.createTarget", url="about:blank")
        attached = await self._ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            await self._ask(f"{domain}.enable")

    async def detach(self) -> None:
        """End the browser."""
        with contextlib.suppress(websockets.ConnectionClosed):
            self._session = None
            await self._ask("Browser.close")
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def open(self, url: str) -> None:
        """Go to a page; returns when its scripts have run."""
        await self._ask("Page.navigate", url=url)
        await self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    async def run(self, script: str) -> Any:
        """Return what an expression is in the page, promises awaited."""
        found = await self._ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true in the page."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not await self.run(condition):  # noqa: ASYNC110 - nobody sets an event for it
                    await asyncio.sleep(0.02)
        except TimeoutError:
            text = await self.run("document.body.innerText")
            raise AssertionError(f"never: {condition}\n{self.faults}\n{text}") from None

    async def type(self, field: str, text: str) -> None:
        """Type into a field, after emptying it."""
        await self.run(f"{_element(field)}.focus(); {_element(field)}.select()")
        await self._ask("Input.insertText", text=text)

    async def click(self, button: str) -> None:
        """Click what a selector finds."""
        await self.run(f"{_element(button)}.click()")

    async def texts(self, selector: str) -> list[str]:
        """Return the text of every element that a selector finds."""
        found: list[str] = await self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.textContent)"
        )
        return found

    async def _ask(self, method: str, **params: Any) -> Any:
        self._last_id += 1
        asked = {"id": self._last_id, "method": method, "params": params}
        if self._session is not None:
            asked["sessionId"] = self._session
        answer = self._answers[self._last_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps(asked))
        return await asyncio.wait_for(answer, DEADLINE)

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                self._take(json.loads(frame))
        finally:
            for answer in self._answers.values():
                answer.cancel()

    def _take(self, said: Any) -> None:
        if "id" in said:
            answer = self._answers.pop(said["id"])
            if "error" in said:
                answer.set_exception(RuntimeError(str(said["error"])))
            else:
                answer.set_result(said["result"])
        elif said["method"] == "Runtime.exceptionThrown":
            self.faults.append(str(said["params"]["exceptionDetails"]))
        elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["source"] == "security":
            self.faults.append(said["params"]["entry"]["text"])


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """Start a browser of its own, with an empty profile, for a block."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        missing("Chromium", "install it (Debian: apt-get install chromium), or put it on PATH")
    with tempfile.TemporaryDirectory(prefix="lineside-chromium-", ignore_cleanup_errors=True) as folder:
        switches = [*_SWITCHES, f"--user-data-dir={folder}"]
        if os.geteuid() == 0:
            switches.append("--no-sandbox")  # it has none for root; the pages are our own
        process = await asyncio.create_subprocess_exec(
            program, *switches, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        drained: asyncio.Task[bytes] | None = None
        try:
            assert process.stderr is not None
            url = await asyncio.wait_for(_devtools(process.stderr), DEADLINE)
            drained = asyncio.create_task(process.stderr.read())
            async with websockets.connect(url, max_size=None, proxy=None) as socket:
                page = Page(socket)
                await page.attach()
                yield page
                await page.detach()
                await asyncio.wait_for(process.wait(), DEADLINE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if drained is not None:
                await drained


async def _devtools(log: asyncio.StreamReader) -> str:
    said = ""
    while line := (await log.readline()).decode(errors="replace"):
        said += line
        if "DevTools listening on " in line:
            return line.partition("DevTools listening on ")[2].strip()
    raise RuntimeError(f"Chromium did not start\n{said}")


def _element(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)})"
