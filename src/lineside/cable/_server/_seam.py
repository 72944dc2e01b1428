"""The seam between an ASGI server and the cable: where the transport behind ``send`` shows.

ASGI has one way out, ``await send({...})``: a dictionary, a coroutine and the server's framing for every
frame of every client. A frame that goes to a thousand clients is the same bytes a thousand times, so the
cable writes them to the transport itself wherever a server lets it:

1. A server class that offers its transport puts a `TransportDoor` at
   ``scope["extensions"]["lineside.transport"]``.
2. Under uvicorn's own classes `TransportSeam` finds it: ``send`` is a bound method there, and its object
   has the transport. Nothing is asked for by class or version; what an object can do decides.
3. Everywhere else the cable uses ``send``; what clients see is the same.

Only whole data frames are written past the server, which keeps no state on its outgoing side that they
could break: uncompressed frames are legal where permessage-deflate was negotiated (RFC 7692 section 6),
and TLS is below the transport. Pings, pongs and the closing handshake stay the server's.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

__all__ = ["EXTENSION", "TransportDoor", "TransportSeam", "install_seam"]

EXTENSION: Final = "lineside.transport"
"""The key in ``scope["extensions"]``."""

_NEEDED: Final = ("write", "get_write_buffer_size", "is_closing", "abort")

ASGIApp = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class TransportDoor:
    """The way to one connection's transport.

    Args:
        owner: The server's object for the connection.
    """

    __slots__ = ("_owner",)

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    async def open(self) -> asyncio.Transport | None:
        """Return the transport once the handshake's answer is on its way; None if it may not be written to.

        Call it after ``websocket.accept``: what is written before the answer would come before it.
        """
        owner = self._owner
        completed = getattr(owner, "handshake_completed_event", None)
        if isinstance(completed, asyncio.Event):
            # uvicorn's class on websockets' own protocol answers in a task of its own.
            await completed.wait()
        elif getattr(owner, "handshake_complete", None) is not True:
            return None
        _release_handshake(owner)
        transport = owner.transport
        return None if transport.is_closing() else transport


class TransportSeam:
    """An ASGI app around an app, which opens the door where it can.

    It stands outside every middleware: one that wraps ``send`` hides what is behind it.

    Args:
        app: The app.
    """

    __slots__ = ("app",)

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> Awaitable[None]:
        """Pass a request on; a plain function, so that no connection keeps a coroutine more."""
        if scope["type"] == "websocket":
            owner = getattr(send, "__self__", None)
            if owner is not None and _has_transport(owner):
                extensions = scope.setdefault("extensions", {})
                extensions.setdefault(EXTENSION, TransportDoor(owner))
        return self.app(scope, receive, send)


class HasMiddlewareStack(Protocol):
    """A Starlette or FastAPI app."""

    middleware_stack: Any


def install_seam(app: HasMiddlewareStack) -> None:
    """Put the seam around an app whose middleware is built: call it from a lifespan. Idempotent.

    Args:
        app: The app that the server calls. One that is mounted in another works too, without the seam.
    """
    stack = app.middleware_stack
    if stack is not None and not isinstance(stack, TransportSeam):
        app.middleware_stack = TransportSeam(stack)


def _release_handshake(owner: Any) -> None:
    """Empty the parsed request and answer: uvicorn keeps them, 6 KiB of every idle connection.

    Nothing reads them once the answer is written; what they said is in the scope. They are emptied and not
    only let go of, because websockets' parser holds them too.
    """
    for name in ("request", "response"):
        kept: Any = getattr(owner, name, None)
        if type(kept).__module__ == "websockets.http11":
            kept.headers.clear()
            setattr(owner, name, None)


def _has_transport(owner: Any) -> bool:
    transport = getattr(owner, "transport", None)
    knows_handshake = hasattr(owner, "handshake_complete") or hasattr(owner, "handshake_completed_event")
    return knows_handshake and all(callable(getattr(transport, name, None)) for name in _NEEDED)
