"""FastAPI's dependencies outside of a route: resolved for a connection, closed when their work is done."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final, get_origin

from fastapi import Request, WebSocket, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant, get_parameterless_sub_dependant, solve_dependencies
from fastapi.exceptions import RequestValidationError
from starlette.websockets import WebSocketState

from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["Dependencies", "call_of"]

_STACKS: Final = ("fastapi_inner_astack", "fastapi_function_astack")


def call_of(dependency: Any, *, argument: str) -> Callable[..., Any]:
    """Return the function of a dependency.

    Args:
        dependency: A function, ``Depends(function)`` or ``Annotated[..., Depends(function)]``.
        argument: How errors call it.

    Raises:
        CableConfigurationError: It is none of these.
    """
    marks = dependency.__metadata__ if get_origin(dependency) is Annotated else (dependency,)
    for mark in marks:
        if isinstance(mark, params.Depends) and mark.dependency is not None:
            return mark.dependency
    if get_origin(dependency) is None and callable(dependency):
        call: Callable[..., Any] = dependency
        return call
    raise CableConfigurationError(
        f"{argument}= takes a dependency: a function, or Annotated[..., Depends(function)]"
    )


class _Overrides:
    """What FastAPI looks replacements up in."""

    def __init__(self, replaced: Mapping[Callable[..., Any], Callable[..., Any]]) -> None:
        self.dependency_overrides = replaced


class Dependencies:
    """A function whose parameters FastAPI fills, as it fills those of a route.

    Args:
        call: The function. It is not called: its parameters are what is resolved.
        path: The route's path with its parameters.
        before: Dependencies that are resolved first and give nothing, as ``include_router`` takes them.
    """

    def __init__(
        self, call: Callable[..., Any], *, path: str = "/", before: Sequence[params.Depends] = ()
    ) -> None:
        self._dependant = get_dependant(path=path, call=call)
        for depends in reversed(before):
            self._dependant.dependencies.insert(
                0, get_parameterless_sub_dependant(depends=depends, path=path)
            )
        self._calls = frozenset(_calls(self._dependant))

    @asynccontextmanager
    async def resolved(
        self,
        scope: Mapping[str, Any],
        *,
        replaced: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
    ) -> AsyncGenerator[dict[str, Any]]:
        """Resolve the parameters; what was opened for them is closed with the block.

        An error in the block reaches the dependencies with ``yield``, so that a session rolls back.

        Args:
            scope: The connection's ASGI scope; it is copied, and what dependencies put into its state
                is gone with the block.
            replaced: Functions that stand in for others here; the app's ``dependency_overrides`` win.

        Raises:
            RequestValidationError: A parameter is missing or wrong.
        """
        async with AsyncExitStack() as request_stack, AsyncExitStack() as function_stack:
            own = {**scope, "state": dict(scope.get("state") or {})}
            own.update(zip(_STACKS, (request_stack, function_stack), strict=True))
            connection = _Handshake(own)
            solved = await solve_dependencies(
                request=connection,
                dependant=self._dependant,
                dependency_overrides_provider=self._provider(scope.get("app"), replaced or {}),
                async_exit_stack=request_stack,
                embed_body_fields=False,
            )
            if solved.errors:
                raise RequestValidationError(solved.errors)
            yield solved.values

    def _provider(
        self, app: Any, replaced: Mapping[Callable[..., Any], Callable[..., Any]]
    ) -> _Overrides | None:
        overrides = getattr(app, "dependency_overrides", None) or {}
        # FastAPI analyses every dependency anew where there are any overrides: only those that matter.
        found = {call: stand_in for call, stand_in in replaced.items() if call in self._calls}
        return _Overrides({**found, **overrides}) if found or overrides else None


async def _never() -> Any:
    raise RuntimeError("a dependency of the cable reads the request's body; a connection has none")


async def _silent(_message: Any) -> None:
    raise RuntimeError("a dependency of the cable answers the request; the cable does that")


class _Handshake(WebSocket, Request):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The request that a connection begins with: a GET (RFC 6455 section 4.1).

    FastAPI gives it to dependencies that ask for a WebSocket, and to those that ask for a Request, as its
    own security classes do.
    """

    def __init__(self, scope: dict[str, Any]) -> None:
        Request.__init__(self, {**scope, "type": "http", "method": "GET"}, _never, _silent)
        # The scope that dependencies change is the one that was given.
        self.scope = scope
        scope.update(type="http", method="GET")
        self.client_state = self.application_state = WebSocketState.CONNECTING


def _calls(dependant: Dependant) -> list[Callable[..., Any]]:
    found: list[Callable[..., Any]] = []
    for below in dependant.dependencies:
        if below.call is not None:
            found.append(below.call)
        found += _calls(below)
    return found
