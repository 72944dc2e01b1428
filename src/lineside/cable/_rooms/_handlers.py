"""The handler of a typed message: what it takes is found once, when it is registered."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from lineside.cable._channel._arguments import adapter_of, hints_of, is_dependency
from lineside.cable._channel._errors import invalid
from lineside.cable._protocol._cancelling import app_code
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._ports import ConnectionPort
from lineside.callbacks import adapted

__all__ = ["Answer", "Handler", "InjectHandler"]

InjectHandler = Callable[[Callable[..., Any], ConnectionPort], AbstractAsyncContextManager[Mapping[str, Any]]]
"""Resolves the dependencies among a handler's parameters, for one call of it."""

_CONNECTION: Final = "connection"
_PLACE: Final = "data"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler may return instead of plain data.

    Attributes:
        type: The answer's type, instead of the one that the handler was registered with.
        data: Its payload, a JSON value.
        after: Called when the answer is on its way, before the client's next request is looked at.
    """

    type: str
    data: Any = None
    after: Callable[[], Any] | None = None


class Handler:
    """A function that answers typed messages.

    Args:
        function: Takes the connection, by the name ``connection`` or its annotation; the payload, by any
            other name; and dependencies. A plain ``def`` runs in a worker thread.
        reply: The type of its answers.

    Raises:
        CableConfigurationError: It takes more than one payload, or something that nobody could give it.

    Attributes:
        function: The function, as it was written.
        reply: The type of its answers.
        dependencies: The parameters that have to be injected.
    """

    __slots__ = ("_adapter", "_call", "_connection", "_payload", "dependencies", "function", "reply")

    def __init__(self, function: Callable[..., Any], *, reply: str) -> None:
        name = getattr(function, "__qualname__", repr(function))
        self.function = function
        self.reply = reply
        self.dependencies: tuple[str, ...] = ()
        self._call = adapted(function)
        self._connection: str | None = None
        self._payload: str | None = None
        self._adapter: TypeAdapter[Any] | None = None
        hints = hints_of(function, name=name)
        for parameter in inspect.signature(function).parameters.values():
            self._plan(parameter, hints.get(parameter.name, Any), name=name)

    def _plan(self, parameter: inspect.Parameter, hint: Any, *, name: str) -> None:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise CableConfigurationError(f"{name}: `{parameter}` takes anything; name each parameter")
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise CableConfigurationError(f"{name}: `{parameter.name}` must be callable by name")
        if is_dependency(hint, parameter.default):
            self.dependencies += (parameter.name,)
        elif parameter.name == _CONNECTION or _is_connection(hint):
            self._connection = parameter.name
        elif self._payload is None:
            self._payload = parameter.name
            self._adapter = None if hint is Any else adapter_of(hint, name=f"{name}({parameter.name})")
        else:
            raise CableConfigurationError(
                f"{name} takes `{self._payload}` and `{parameter.name}`, but a message has one payload: "
                "put both into one model"
            )

    def read(self, data: Any) -> Any:
        """Return the payload as the handler wants it.

        Args:
            data: What the client sent.

        Raises:
            RequestFailed: It is not what the annotation says (1001); the message names the fields.
        """
        if self._adapter is None:
            return data
        try:
            return self._adapter.validate_python(data)
        except ValidationError as error:
            raise invalid(error, place=_PLACE) from None

    async def run(self, connection: ConnectionPort, payload: Any, inject: InjectHandler | None) -> Any:
        """Call the function.

        Args:
            connection: The client's.
            payload: What `read` returned.
            inject: Resolves its dependencies.

        Returns:
            An `Answer`, or a JSON value; None when the function returned nothing.
        """
        values: dict[str, Any] = {}
        if self._connection is not None:
            values[self._connection] = connection
        if self._payload is not None:
            values[self._payload] = payload
        with app_code:
            return await self._run(values, connection, inject)

    async def _run(
        self, values: dict[str, Any], connection: ConnectionPort, inject: InjectHandler | None
    ) -> Any:
        if not self.dependencies:
            return _plain(await self._call(**values))
        if inject is None:
            raise CableConfigurationError(
                f"nothing resolves {', '.join(self.dependencies)}; use the cable of `cable_router`"
            )
        async with inject(self.function, connection) as injected:
            return _plain(await self._call(**values, **injected))


def _is_connection(hint: Any) -> bool:
    if hint is ConnectionPort:
        return True
    # The class itself imports the cable, which imports this.
    return isinstance(hint, type) and (hint.__module__, hint.__name__) == (
        "lineside.cable._core._connection",
        "Connection",
    )


def _plain(result: Any) -> Any:
    if isinstance(result, Answer):
        return Answer(result.type, to_jsonable_python(result.data), result.after)
    return to_jsonable_python(result)
