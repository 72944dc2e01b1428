"""The injected attributes of channels, resolved by FastAPI for each run and closed behind it."""

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from lineside.cable._channel_injection import dependencies_of
from lineside.cable._errors import CableConfigurationError
from lineside.cable._fastapi._dependencies import Dependencies
from lineside.cable._fastapi._state import IDENTITY
from lineside.cable._ports import ConnectionPort

__all__ = ["Injection"]


class Injection:
    """Fills the attributes of channels (`lineside.cable._channel_injection.Inject`).

    Dependencies see the request that the connection began with, without its cookies and Authorization:
    nothing that lives as long as a connection keeps them. Who is connected was decided then; wherever a
    dependency asks for the router's ``authenticate`` function, it is given that user again.

    Args:
        authenticate: The function that told who connects; None where there is none.
    """

    def __init__(self, authenticate: Callable[..., Any] | None = None) -> None:
        self._authenticate = authenticate
        self._known: dict[type, Dependencies] = {}

    @asynccontextmanager
    async def __call__(self, channel: type, connection: ConnectionPort) -> AsyncGenerator[Mapping[str, Any]]:
        """Resolve the attributes of a channel.

        Args:
            channel: Its class.
            connection: Whose subscription it is.
        """
        if connection.handshake is None:
            raise CableConfigurationError(
                f"{channel.__name__} has injected attributes, and the connection no request to resolve them"
            )
        dependencies = self._known.get(channel)
        if dependencies is None:
            dependencies = self._known[channel] = Dependencies(_collector(channel))
        scope = {**connection.handshake.scope, IDENTITY: connection.identity}
        async with dependencies.resolved(scope, replaced=self._replaced(connection)) as values:
            yield values

    def _replaced(self, connection: ConnectionPort) -> dict[Callable[..., Any], Callable[..., Any]]:
        if self._authenticate is None:
            return {}
        user = connection.identity.user

        async def authenticated() -> Any:
            return user

        return {self._authenticate: authenticated}


def _collector(channel: type) -> Callable[..., Any]:
    async def collect(**_values: Any) -> None:
        """Stand for the parameters of the attributes; it is never called."""

    signature = inspect.Signature(list(dependencies_of(channel).values()))
    setattr(collect, "__signature__", signature)  # noqa: B010 - functions do not declare it
    return collect
