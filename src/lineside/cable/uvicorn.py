"""A protocol class for uvicorn that holds an idle client of a cable in a few kilobytes.

Optional: it changes nothing but memory and speed.

```console
$ uvicorn myapp:app --ws lineside.cable.uvicorn:LeanProtocol
```

And from Python:

    from uvicorn import Config

    config = Config("myapp:app", ws="lineside.cable.uvicorn:LeanProtocol", log_config=None)

On the paths of a cable it does the handshake and the frames itself and calls the cable's endpoint, the
same origin check, authentication and limits as everywhere, with no ASGI call, task or queue for each
connection. Every other WebSocket path is uvicorn's own class's, as if this one were not there.

What is different on a cable's path: the app's middlewares do not see the handshake (uvicorn's own for
proxy headers does its work), and permessage-deflate is not offered. ``ws_max_size`` does not matter
there: ``CableLimits.frame_bytes`` does. Silent peers are pinged about every ``ws_ping_interval`` and cut
off when they do not answer within another one.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol
from uvicorn.server import ServerState

from lineside.cable._server._handshake import Admission, Refused
from lineside.cable._server._keepalive import Keepalive
from lineside.cable._server._server_hooks import STATE_KEY, ServerHooks
from lineside.cable._server._socket import CableSocket
from lineside.cable._server._upgrade import UpgradeRequest, accepted, refused, websocket_scope
from lineside.cable.asgi import CableEndpoint

__all__ = ["LeanProtocol"]

_INTERNAL: Final = HTTPStatus.INTERNAL_SERVER_ERROR

_logger = logging.getLogger("lineside.cable")


class LeanProtocol(asyncio.Protocol):
    """Does the handshake of a WebSocket, and hands its transport on: to a cable, or to uvicorn's own class.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: What the app's lifespan has yielded; the cables are in it.
    """

    __slots__ = ("_app_state", "_config", "_server_state", "_stock", "_transport")

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._stock: Any = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a transport whose HTTP request asks for an upgrade; see `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take the request, which uvicorn's HTTP class hands over whole; see `asyncio.Protocol`."""
        transport = self._transport
        if self._stock is not None:
            self._stock.data_received(data)
        elif transport is not None:
            request = UpgradeRequest(data)
            hooks = self._app_state.get(STATE_KEY)
            endpoint = hooks.endpoint(request.path) if isinstance(hooks, ServerHooks) else None
            if endpoint is None or not isinstance(hooks, ServerHooks):
                self._step_aside(transport, data)
            else:
                # A client speaks only after the answer; one that does not wait for it has to.
                transport.pause_reading()
                task = asyncio.get_running_loop().create_task(self._open(transport, request, endpoint, hooks))
                self._server_state.tasks.add(task)
                task.add_done_callback(self._server_state.tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport; see `asyncio.Protocol`."""
        self._connections.discard(self)
        if self._stock is not None:
            self._stock.connection_lost(exc)
        self._transport = None

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._stock is not None:
            self._stock.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._stock is not None:
            self._stock.resume_writing()

    def shutdown(self) -> None:
        """Give up a handshake that is under way; uvicorn calls it when it stops."""
        if self._transport is not None:
            self._transport.close()

    @property
    def _connections(self) -> set[Any]:
        return cast("set[Any]", self._server_state.connections)

    def _step_aside(self, transport: asyncio.Transport, request: bytes) -> None:
        if AutoWebSocketsProtocol is None:
            _refuse(
                transport, Refused(_INTERNAL, "no WebSocket package is installed: pip install websockets")
            )
            return
        stock: Any = AutoWebSocketsProtocol(
            config=self._config, server_state=self._server_state, app_state=self._app_state
        )
        self._connections.discard(self)
        self._stock = stock
        stock.connection_made(transport)
        stock.data_received(request)
        # uvicorn makes this object the transport's protocol when it returns from here.
        asyncio.get_running_loop().call_soon(_make_protocol, transport, stock)

    async def _open(
        self,
        transport: asyncio.Transport,
        request: UpgradeRequest,
        endpoint: CableEndpoint,
        hooks: ServerHooks,
    ) -> None:
        headers = self._server_state.default_headers
        try:
            key = request.answer_key()
            admission = await endpoint.admit(await self._scope(transport, request, hooks))
        except Refused as refusal:
            _logger.info("%s is refused: %s", _path(request), refusal.status.value)
            _refuse(transport, refusal, headers)
            return
        except Exception:  # the app's authentication failed: the client is told that, and no more
            _logger.exception("the authentication of %s failed", _path(request))
            _refuse(transport, Refused(_INTERNAL, "Internal Server Error"), headers)
            return
        if transport.is_closing():
            endpoint.leave()
            return
        transport.write(accepted(key, admission.subprotocol, headers))
        await self._hand_on(transport, endpoint, admission, hooks)

    async def _hand_on(
        self, transport: asyncio.Transport, endpoint: CableEndpoint, admission: Admission, hooks: ServerHooks
    ) -> None:
        interval = self._config.ws_ping_interval
        if hooks.keepalive is None and interval:
            hooks.keepalive = Keepalive(interval)
        self._connections.discard(self)
        socket = CableSocket(
            transport,
            endpoint,
            keepalive=hooks.keepalive,
            connections=self._connections,
            tasks=self._server_state.tasks,
        )
        await socket.open(admission)

    async def _scope(
        self, transport: asyncio.Transport, request: UpgradeRequest, hooks: ServerHooks
    ) -> dict[str, Any]:
        scope = websocket_scope(
            request,
            scheme="wss" if is_ssl(transport) else "ws",
            server=get_local_addr(transport),
            client=get_remote_addr(transport),
            root_path=self._config.root_path,
            state=self._app_state.copy(),
            app=hooks.app,
        )
        if self._config.proxy_headers:
            trusted = self._config.forwarded_allow_ips
            middleware: Any = ProxyHeadersMiddleware(_end_of_the_stack, trusted_hosts=trusted)
            await middleware(scope, None, None)
        return scope


async def _end_of_the_stack(scope: Any, receive: Any, send: Any) -> None:
    """Stand behind uvicorn's middleware, which changes the scope that it is given."""


def _path(request: UpgradeRequest) -> bytes:
    """Return what a log may say of a request: its path, never its query.

    Args:
        request: The request.
    """
    return request.target.partition(b"?")[0]


def _make_protocol(transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
    if not transport.is_closing():
        transport.set_protocol(protocol)


def _refuse(
    transport: asyncio.Transport, refusal: Refused, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    if not transport.is_closing():
        transport.write(refused(refusal, headers or []))
        transport.close()
