"""Call an ASGI app in this process, without a client: only the app is timed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from benchmarks._harness import Round

App = Callable[[Any, Any, Any], Awaitable[None]]


def request(method: str, path: str, *, query: str = "", body: bytes = b"") -> dict[str, Any]:
    """Describe a request: its ASGI scope, and its body under ``"body"``."""
    headers = [(b"host", b"127.0.0.1"), (b"accept", b"*/*"), (b"user-agent", b"bench")]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "root_path": "",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
    }
    return {"scope": scope, "body": body}


def contender(
    runner: asyncio.Runner, app: App, requests: Sequence[dict[str, Any]], *, repeat: int, expected: bytes
) -> Round:
    """Make a contender that sends requests to an app.

    Args:
        runner: The event loop that all contenders share.
        app: The ASGI app.
        requests: From `request`; each is sent in turn.
        repeat: How often the requests are sent in one round.
        expected: What each answer must contain; a benchmark of errors would be fast and worthless.

    Returns:
        A round: microseconds of process time per request, threads included.
    """
    for sent in requests:
        answer = runner.run(_answer(app, sent))
        if expected not in answer:
            raise RuntimeError(f"{sent['scope']['path']} answered {answer!r}; expected {expected!r}")
    # Caches of FastAPI and pydantic fill on the first requests.
    runner.run(_send_all(app, requests, 50))

    def one_round() -> float:
        return runner.run(_timed(app, requests, repeat)) * 1e6 / (repeat * len(requests))

    return one_round


async def _answer(app: App, sent: dict[str, Any]) -> bytes:
    """Return the body of the answer, or its status when it is an error."""
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent["body"], "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(dict(sent["scope"]), receive, send)
    if messages[0]["status"] >= 400:
        return str(messages[0]["status"]).encode() + messages[1]["body"]
    return b"".join(message.get("body", b"") for message in messages)


async def _timed(app: App, requests: Sequence[dict[str, Any]], repeat: int) -> float:
    # Inside the loop: starting and stopping it is not the app's work.
    started = time.process_time()
    await _send_all(app, requests, repeat)
    return time.process_time() - started


async def _send_all(app: App, requests: Sequence[dict[str, Any]], repeat: int) -> None:
    for sent in requests:
        scope, message = sent["scope"], {"type": "http.request", "body": sent["body"], "more_body": False}

        async def receive(message: dict[str, Any] = message) -> dict[str, Any]:
            return message

        for _ in range(repeat):
            # The app writes into its scope: each request has its own.
            await app(dict(scope), receive, _discard)


async def _discard(message: Any) -> None:
    """Take what the app sends."""
