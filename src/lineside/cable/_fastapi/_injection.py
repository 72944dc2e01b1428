"""What channels and handlers are injected: resolved by FastAPI for each run, and closed behind it."""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from starlette.exceptions import HTTPException as StarletteHTTPException

from lineside.cable._channel._arguments import hints_of, is_dependency
from lineside.cable._channel._injection import dependencies_of
from lineside.cable._fastapi._dependencies import Dependencies
from lineside.cable._fastapi._state import IDENTITY
from lineside.cable._protocol._errors import CableConfigurationError, ErrorCode, RequestFailed
from lineside.cable._protocol._ports import ConnectionPort
from lineside.exceptions import LinesideError

__all__ = ["Injection"]

_CODES: Final = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.INVALID_FORMAT,
    422: ErrorCode.INVALID_FORMAT,
    429: ErrorCode.RATE_LIMITED,
}


class Injection:
    """Fills the attributes of channels and the parameters of handlers (`Inject` and `InjectHandler`).

    Dependencies see the request that the connection began with, without its cookies and Authorization:
    nothing that lives as long as a connection keeps them. Who is connected was decided then; wherever a
    dependency asks for the router's ``authenticate`` function, it is given that user again.

    Args:
        authenticate: The function that told who connects; None where there is none.
    """

    def __init__(self, authenticate: Callable[..., Any] | None = None) -> None:
        self._authenticate = authenticate
        self._known: dict[Callable[..., Any], Dependencies] = {}

    @asynccontextmanager
    async def __call__(
        self, target: Callable[..., Any], connection: ConnectionPort
    ) -> AsyncGenerator[Mapping[str, Any]]:
        """Resolve the attributes of a channel, or the parameters of a function.

        Args:
            target: The channel's class, or the function.
            connection: Whose subscription or message it is.
        """
        if connection.handshake is None:
            raise CableConfigurationError(
                f"{target.__name__} has dependencies, and the connection has no request to resolve them with"
            )
        dependencies = self._known.get(target)
        if dependencies is None:
            dependencies = self._known[target] = Dependencies(_collector(target))
        scope = {**connection.handshake.scope, IDENTITY: connection.identity}
        with _unanswered():
            async with dependencies.resolved(scope, replaced=self._replaced(connection)) as values:
                yield values

    def _replaced(self, connection: ConnectionPort) -> dict[Callable[..., Any], Callable[..., Any]]:
        if self._authenticate is None:
            return {}
        user = connection.identity.user

        async def authenticated() -> Any:
            return user

        return {self._authenticate: authenticated}


@contextmanager
def _unanswered() -> Generator[None]:
    """Undo what dependencies make of an error for HTTP: a channel answers in its own way."""
    try:
        yield
    except StarletteHTTPException as answer:
        if isinstance(answer.__cause__, LinesideError):
            raise answer.__cause__ from None
        code = _CODES.get(answer.status_code)
        if code is None:
            raise
        raise RequestFailed(code, str(answer.detail)) from answer


def _collector(target: Callable[..., Any]) -> Callable[..., Any]:
    async def collect(**_values: Any) -> None:
        """Stand for the parameters; it is never called."""

    injected = dependencies_of(target) if isinstance(target, type) else _parameters(target)
    signature = inspect.Signature(list(injected.values()))
    setattr(collect, "__signature__", signature)  # noqa: B010 - functions do not declare it
    return collect


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    hints = hints_of(function, name=function.__name__)
    return {
        name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints.get(name, Any))
        for name, parameter in inspect.signature(function).parameters.items()
        if is_dependency(hints.get(name, Any), parameter.default)
    }
