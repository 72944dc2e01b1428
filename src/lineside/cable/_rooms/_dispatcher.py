"""Typed messages: which function answers which type. Every request gets an answer, whatever happens."""

import inspect
import logging
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import BusUnavailable
from lineside.cable._auth._permissions import REQUIRED_PERMISSIONS, require_permission
from lineside.cable._channel._errors import answer_of
from lineside.cable._protocol._commands import Request
from lineside.cable._protocol._errors import CableConfigurationError, ErrorCode, RequestFailed
from lineside.cable._protocol._events import ACK, Reply
from lineside.cable._rooms._handlers import Answer, Handler, InjectHandler

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["Messages"]

_MAX_TYPE_CHARS: Final = 255

_logger = logging.getLogger("lineside.cable")


class Messages:
    """The handlers of one cable, by message type (GoHub's dispatcher; each cable has its own).

    Several handlers of one type run in the order of their registration, and the first one that returns
    something answers. One that fails ends the row, and the client is answered with its error. A handler
    of the app's own for a built-in type stands in for the built-in one, as in GoHub; the permission that
    the type needs stays.

    Args:
        cable: The cable.

    Attributes:
        inject: Resolves the dependencies among the parameters of handlers; None where nothing can.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable
        self._handlers: dict[str, tuple[Handler, ...]] = {}
        self._built_in: dict[str, Handler] = {}
        self.inject: InjectHandler | None = None

    def register(
        self,
        type: str,  # noqa: A002 - GoHub's word
        function: Callable[..., Any],
        *,
        reply: str | None = None,
    ) -> None:
        """Answer messages of a type with a function.

        Args:
            type: The message's type.
            function: See `Handler`. What it returns is the answer's payload; None is answered with an
                acknowledgement of the type ``"ack"``.
            reply: The answer's type; default: the request's own.

        Raises:
            CableConfigurationError: The type is no text of 1 to 255 characters, or the function cannot
                be called with a message.
        """
        handler = self._planned(type, function, reply)
        self._handlers[type] = (*self._handlers.get(type, ()), handler)

    def remove(self, type: str, function: Callable[..., Any]) -> bool:  # noqa: A002 - GoHub's word
        """Stop answering messages of a type with a function; tell whether it did.

        Args:
            type: The message's type.
            function: The function that was registered.
        """
        known = self._handlers.get(type, ())
        left = tuple(handler for handler in known if handler.function != function)
        if left:
            self._handlers[type] = left
        else:
            self._handlers.pop(type, None)
        return len(left) < len(known)

    def register_built_in(
        self,
        type: str,  # noqa: A002 - GoHub's word
        function: Callable[..., Any],
        *,
        reply: str | None = None,
    ) -> None:
        """Answer messages of a type unless the app has a handler of its own; see `register`."""
        self._built_in[type] = self._planned(type, function, reply)

    @property
    def types(self) -> tuple[str, ...]:
        """Every type that is answered, sorted."""
        return tuple(sorted({*self._handlers, *self._built_in}))

    def check(self) -> None:
        """Refuse handlers whose dependencies nobody resolves, before the first message.

        Raises:
            CableConfigurationError: There is one.
        """
        for type_, handlers in self._handlers.items():
            for handler in handlers:
                if handler.dependencies and self.inject is None:
                    raise CableConfigurationError(
                        f"the handler of {type_!r} has dependencies ({', '.join(handler.dependencies)}), "
                        "which only the cable of `cable_router` can resolve"
                    )

    async def dispatch(self, connection: "Connection", request: Request) -> None:
        """Answer a typed message.

        Args:
            connection: The client's.
            request: The message.

        Raises:
            RequestFailed: It cannot be done; the connection answers so.
        """
        started = perf_counter()
        answer = await self._answer(connection, request)
        connection.send(Reply(answer.type, answer.data, request.request_id))
        if answer.after is not None:
            waiting = answer.after()
            if inspect.isawaitable(waiting):
                await waiting
        meter = self._cable.meter
        if meter is not None:
            meter.answered(perf_counter() - started)

    async def _answer(self, connection: "Connection", request: Request) -> Answer:
        handlers = self._handlers.get(request.type)
        if handlers is None:
            built_in = self._built_in.get(request.type)
            if built_in is None:
                raise RequestFailed(
                    ErrorCode.INVALID_FORMAT,
                    "unknown message type",
                    details={"message_type": request.type[:_MAX_TYPE_CHARS]},
                )
            handlers = (built_in,)
        answer: Answer | None = None
        for handler in handlers:
            found = await self._run(handler, connection, request)
            if answer is None and found is not None:
                answer = found if isinstance(found, Answer) else Answer(handler.reply, found)
        return answer or Answer(ACK)

    async def _run(self, handler: Handler, connection: "Connection", request: Request) -> Any:
        payload = handler.read(request.data)
        permission = REQUIRED_PERMISSIONS.get(request.type)
        if permission is not None:
            require_permission(connection.identity, permission)
        try:
            return await handler.run(connection, payload, self.inject)
        except BusUnavailable as error:
            _logger.warning("%r of connection %s: the bus does not answer", request.type[:64], connection.id)
            raise RequestFailed(ErrorCode.TIMEOUT, "the bus does not answer; try again") from error
        except RequestFailed:
            raise
        except Exception as error:
            shown = answer_of(error)
            if shown is None:
                raise
            raise shown from error

    def _planned(self, type_: str, function: Callable[..., Any], reply: str | None) -> Handler:
        if not 0 < len(type_) <= _MAX_TYPE_CHARS:
            raise CableConfigurationError(f"a message type has 1 to {_MAX_TYPE_CHARS} characters")
        if not callable(function):
            raise CableConfigurationError(f"{function!r} cannot answer {type_!r}: it is no function")
        return Handler(function, reply=reply or type_)
