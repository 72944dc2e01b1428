"""The way to a cable through an app's ASGI interface, with a real handshake."""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from lineside.cable import Connection
from lineside.exceptions import ConfigurationError
from lineside.strict_json import loads
from lineside.testing._cable_direct_link import Closed, Take
from lineside.testing._cable_refusals import ConnectionRejected
from lineside.testing._cable_target import cables_in

__all__ = ["AppLink", "request_headers", "websocket_scope"]

_MARK: Final = "lineside.testing.client"
_GONE: Final = {"type": "websocket.disconnect", "code": 1000}


class AppLink:
    """Over the ASGI interface of an app: the handshake is a real one.

    Args:
        app: The app, started.
        scope: The request; see `websocket_scope`.
        take: Is given each frame.
        closed: Is told that the server has closed.
        deadline_seconds: How long the handshake may take.
    """

    def __init__(
        self, app: Any, *, scope: dict[str, Any], take: Take, closed: Closed, deadline_seconds: float
    ) -> None:
        self._app = app
        self._deadline_seconds = deadline_seconds
        self._take = take
        self._closed = closed
        self._mark = object()
        self._scope = {**scope, _MARK: self._mark}
        self._said: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._status = 0
        self._body = b""
        self._task: asyncio.Task[None] | None = None

    @property
    def connection(self) -> Connection | None:
        """The server's side, in whichever cable of the app it is."""
        for cable in cables_in(self._app):
            for connection in cable.connections.values():
                handshake = connection.handshake
                if handshake is not None and handshake.scope.get(_MARK) is self._mark:
                    return connection
        return None

    async def open(self) -> None:
        """Shake hands."""
        self._said.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._app(self._scope, self._said.get, self._sent))
        done, _ = await asyncio.wait(
            (self._task, self._opened), timeout=self._deadline_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait((task,))
            raise AssertionError(f"the app did not answer the handshake in {self._deadline_seconds:g} s")
        if self._opened.done():
            await self._opened
            self._task.add_done_callback(self._ended)
            return
        await self._task  # an app that fails raises the reason
        raise ConfigurationError(f"the app does not answer a WebSocket at {self._scope['path']}")

    async def send(self, payload: str) -> None:
        """Give the app a frame."""
        self._said.put_nowait({"type": "websocket.receive", "text": payload})

    async def close(self) -> None:
        """Hang up; returns when the app's call has ended, and raises what it raised."""
        if self._task is not None:
            self._hang_up()
            await self._task

    async def _sent(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            text: str | None = message.get("text")
            self._take(message["bytes"] if text is None else text)
        elif kind == "websocket.accept":
            self._opened.set_result(None)
        elif kind == "websocket.close":
            self._close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.http.response.start":
            self._status = message["status"]
        elif kind == "websocket.http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                self._reject(_rejection(self._status, self._body))

    def _close(self, code: int, reason: str) -> None:
        if self._opened.done():
            self._closed(code, reason)
            self._hang_up()
        else:
            # As servers answer an app that closes before it has accepted.
            self._reject(ConnectionRejected(403, code, reason or f"no cable at {self._scope['path']}?"))

    def _reject(self, rejection: ConnectionRejected) -> None:
        self._opened.set_exception(rejection)
        self._hang_up()

    def _hang_up(self) -> None:
        # Twice: who refuses waits for the server's word and for the socket's end.
        for _ in range(2):
            self._said.put_nowait(_GONE)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._closed(1011, f"the app has raised {task.exception()!r}")


def request_headers(
    given: Mapping[str, str] | None,
    cookies: Mapping[str, str] | None,
    token: str | None,
    origin: str | None,
) -> dict[str, str]:
    """Return the headers of a request.

    Args:
        given: The test's own, which win.
        cookies: Sent as ``Cookie``.
        token: Sent as ``Authorization: Bearer``.
        origin: Sent as ``Origin``; None for none.
    """
    headers = {} if origin is None else {"Origin": origin}
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return headers | dict(given or {})


def websocket_scope(
    path: str,
    *,
    subprotocols: Sequence[str],
    headers: Mapping[str, str],
    state: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the ASGI scope of a request to connect, as a server makes it.

    Args:
        path: With its query.
        subprotocols: What the client offers.
        headers: The request's.
        state: What the lifespan gave.
    """
    raw_path, _, query = path.partition("?")
    lines = {"Host": "testserver", "Connection": "Upgrade", "Upgrade": "websocket", **headers}
    if subprotocols:
        lines["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()
        ],
        "client": ("testclient", 50000),
        "server": ("testserver", 80),
        "subprotocols": list(subprotocols),
        "extensions": {"websocket.http.response": {}},
        "state": dict(state),
    }


def _rejection(status: int, body: bytes) -> ConnectionRejected:
    try:
        said = loads(body)
    except ValueError:
        said = None
    if isinstance(said, dict) and "detail" in said:
        return ConnectionRejected(status, said.get("code"), str(said["detail"]))
    return ConnectionRejected(status, None, body[:600].decode(errors="replace"))
