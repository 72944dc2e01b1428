"""What the endpoint says through ASGI: refusals before the upgrade, goodbyes after it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from lineside.cable._auth._headers import Scope
from lineside.cable._server._handshake import Refused
from lineside.cable._server._send_wire import Send

__all__ = ["Receive", "ask_for_upgrade", "refuse", "say_goodbye"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""ASGI's ``receive``."""

_FAREWELL_SECONDS: Final = 1.0

_logger = logging.getLogger("lineside.cable")


async def say_goodbye(send: Send, code: int, reason: str, *, seconds: float) -> None:
    """Close a connection in good order, if its peer is still there.

    Args:
        send: The connection's.
        code: The close code.
        reason: At most 123 bytes.
        seconds: How long the server may wait for the peer to read.
    """
    try:
        async with asyncio.timeout(seconds):
            await send({"type": "websocket.close", "code": code, "reason": reason})
    except (OSError, RuntimeError, TimeoutError) as error:
        # uvicorn's words for a peer that has closed by itself in the meantime, or does not read.
        _logger.debug("a connection was closed before it could be: %r", error)


async def refuse(scope: Scope, receive: Receive, send: Send, refusal: Refused) -> None:
    """Answer one who is not let in: over HTTP where the server can, else by closing with the code.

    Args:
        scope: The connection's ASGI scope.
        receive: Its ``receive``.
        send: Its ``send``.
        refusal: Why.
    """
    with suppress(OSError, TimeoutError):  # the peer has gone: nobody is left to be told
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": refusal.close_code, "reason": ""})
            return
        await _answer(send, "websocket.http.response", refusal)
        async with asyncio.timeout(_FAREWELL_SECONDS):
            # uvicorn logs an error for a call that returns before the socket of a refused peer is gone;
            # it says so once when the answer is complete, and once more when the socket is closed.
            await receive()
            await receive()


async def ask_for_upgrade(send: Send) -> None:
    """Answer a plain request: 426, with what to upgrade to (RFC 9110 section 15.5.22).

    Args:
        send: The request's.
    """
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    message = "this is a WebSocket endpoint; connect with a WebSocket client"
    await _answer(send, "http.response", Refused(HTTPStatus.UPGRADE_REQUIRED, message, headers=headers))


async def _answer(send: Send, kind: str, refusal: Refused) -> None:
    await send({"type": f"{kind}.start", "status": refusal.status.value, "headers": refusal.raw_headers})
    await send({"type": f"{kind}.body", "body": refusal.body, "more_body": False})
