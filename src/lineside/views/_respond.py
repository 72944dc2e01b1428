"""One action, several formats: the client's ``Accept`` header chooses (as Rails' ``respond_to``)."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, ParamSpec, TypeVar, cast

from fastapi import Depends, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.routing import APIRoute, serialize_response
from starlette.concurrency import run_in_threadpool

from lineside._accept import best_match
from lineside.exceptions import NotAcceptableError, RoutingError
from lineside.problems import has_handler, to_http_exception
from lineside.views._render import (
    Renderer,
    html_response,
    require_xml,
    root_name,
    text_response,
    xml_response,
)

__all__ = ["Formats", "respond_to"]

Format = Literal["json", "xml", "text", "html"]

_MEDIA_TYPES: Final[dict[str, str]] = {
    "json": "application/json",
    "xml": "application/xml",
    "html": "text/html",
    "text": "text/plain",
}
_NEGOTIATION: Final = "lineside_negotiation"

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class _Negotiation:
    request: Request
    response: Response


async def _negotiation(request: Request, response: Response) -> _Negotiation:
    # A dependency of its own: FastAPI gives a function one request, and it may have asked for it.
    # Async, or FastAPI would send it through a worker thread.
    return _Negotiation(request, response)


@dataclass(frozen=True)
class Formats:
    """The formats that an action offers; made by :func:`respond_to`, and a decorator for actions.

    Attributes:
        names: The formats, the preferred one first.
        html: A template's name, or a function that makes the page.
        text: A function that makes the text; None for the default text.
    """

    names: tuple[Format, ...]
    html: str | Renderer | None = None
    text: Renderer | None = None

    @property
    def media_types(self) -> tuple[str, ...]:
        """The media types in the order of ``names``."""
        return tuple(_MEDIA_TYPES[name] for name in self.names)

    def openapi_content(self, schema: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the ``content`` of an OpenAPI response.

        Args:
            schema: The schema of the JSON and XML bodies, such as ``{"$ref": ...}``. None leaves
                JSON to FastAPI, which knows the response model.

        Returns:
            One entry for each media type.
        """
        content: dict[str, Any] = {}
        for name, media_type in zip(self.names, self.media_types, strict=True):
            if name in ("json", "xml"):
                content[media_type] = {"schema": schema} if schema else {}
            else:
                content[media_type] = {"schema": {"type": "string"}}
        return content

    def responses(self, status_code: int = 200) -> dict[int | str, dict[str, Any]]:
        """Return what a route's ``responses=`` takes: every format, and 406.

        Args:
            status_code: The status of the route's success.
        """
        return {
            status_code: {"content": self.openapi_content()},
            406: {"description": f"Not Acceptable: the formats are {', '.join(self.media_types)}"},
        }

    def choose(self, request: Request) -> Format:
        """Choose the format for a request; without ``Accept`` it is the first one.

        Raises:
            NotAcceptableError: The client accepts none of them (406).
        """
        accept = ",".join(request.headers.getlist("accept"))
        best = best_match(accept, self.media_types)
        if best is None:
            raise NotAcceptableError(accept, offered=self.media_types)
        return self.names[self.media_types.index(best)]

    async def render(self, request: Request, value: Any, *, response: Response | None = None) -> Any:
        """Render an action's value in the format that the client asked for.

        Every format but JSON gets what FastAPI would have sent: the value goes through the route's
        response model first, so a field that the model leaves out is in no format.

        Args:
            request: The request; its route knows the response model.
            value: What the action returned. A response is returned unchanged.
            response: The injected response, whose headers and status the result takes over.

        Returns:
            The value itself for JSON, which FastAPI serialises; otherwise a response.

        Raises:
            NotAcceptableError: The client accepts none of the formats (406).
            ConfigurationError: A template is named and the app has none.
        """
        return await self._render(self.choose(request), request, value, response)

    async def _render(self, name: Format, request: Request, value: Any, response: Response | None) -> Any:
        if isinstance(value, Response):
            return value
        if response is not None:
            response.headers.add_vary_header("Accept")
        if name == "json":
            return value
        route = request.scope.get("route")
        content = await _filtered(route, value)
        root = root_name(route.response_model if isinstance(route, APIRoute) else type(value))
        if name == "xml":
            result = xml_response(content, root=root)
        elif name == "text":
            result = await text_response(content, request, renderer=self.text)
        else:
            result = await html_response(
                content, request, renderer=cast("str | Renderer", self.html), root=root
            )
        _take_over(result, response, route)
        return result

    def __call__(self, action: Callable[_P, Any]) -> Callable[_P, Any]:
        """Make an action, a plain function or a controller's method, answer in these formats.

        The result carries the formats as ``__lineside_formats__``.

        Raises:
            RoutingError: The action is a generator: a stream has one format.
        """
        if inspect.isgeneratorfunction(action) or inspect.isasyncgenfunction(action):
            raise RoutingError(f"{action.__qualname__} streams; a stream has one format, remove respond_to")

        @functools.wraps(action)
        async def negotiated(*args: _P.args, **kwargs: _P.kwargs) -> Any:
            negotiation = cast("_Negotiation", kwargs.pop(_NEGOTIATION))
            request = negotiation.request
            # Before the action: a 406 must not come after its effects.
            try:
                name = self.choose(request)
            except NotAcceptableError as error:
                if has_handler(request, error):
                    raise
                raise to_http_exception(error) from error
            value = await _run(action, *args, **kwargs)
            return await self._render(name, request, value, negotiation.response)

        _add_negotiation(negotiated, inspect.signature(action))
        setattr(negotiated, "__lineside_formats__", self)  # noqa: B010 - a function's type has no such attribute
        return negotiated


async def _run(action: Callable[_P, Any], *args: _P.args, **kwargs: _P.kwargs) -> Any:
    if inspect.iscoroutinefunction(action):
        return await cast("Awaitable[Any]", action(*args, **kwargs))
    return await run_in_threadpool(action, *args, **kwargs)


def _add_negotiation(function: Callable[..., Any], signature: inspect.Signature) -> None:
    """Add the hidden parameter; the others keep their annotations, which FastAPI evaluates later."""
    annotation = Annotated[_Negotiation, Depends(_negotiation)]
    hidden = inspect.Parameter(_NEGOTIATION, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    parameters = [*signature.parameters.values(), hidden]
    function.__annotations__ = {**function.__annotations__, _NEGOTIATION: annotation}
    setattr(function, "__signature__", signature.replace(parameters=parameters))  # noqa: B010 - as above


async def _filtered(route: Any, value: Any) -> Any:
    """Return the value as JSON-like data, as the route's response model lets it through."""
    if not isinstance(route, APIRoute):
        return jsonable_encoder(value)
    return await serialize_response(
        field=route.response_field,
        response_content=value,
        include=route.response_model_include,
        exclude=route.response_model_exclude,
        by_alias=route.response_model_by_alias,
        exclude_unset=route.response_model_exclude_unset,
        exclude_defaults=route.response_model_exclude_defaults,
        exclude_none=route.response_model_exclude_none,
    )


def _take_over(result: Response, response: Response | None, route: Any) -> None:
    """Do for a rendered response what FastAPI does for a value: status, headers and cookies set elsewhere."""
    if response is None:
        result.headers.add_vary_header("Accept")
        return
    result.headers.raw.extend(response.headers.raw)
    declared = route.status_code if isinstance(route, APIRoute) else None
    status = response.status_code or declared
    if status is not None and result.status_code == 200:
        result.status_code = status


def respond_to(
    *names: Format,
    html: str | Renderer | None = None,
    text: Renderer | Literal[True] | None = None,
) -> Formats:
    """Declare the formats of an action (as Rails' ``respond_to``); ``Accept`` chooses among them.

    Args:
        names: ``"json"``, ``"xml"`` (extra ``xml``), ``"text"``; the first is the default.
        html: A template's name, found through ``app.state.lineside_templates``, or a function
            ``(value)`` or ``(value, request)`` that returns a string or a response. A template
            sees ``value``, and the same under the model's name.
        text: True for the default text, or a function as for ``html``.

    Returns:
        A decorator for the action. Its ``responses()`` go into a plain route's ``responses=``.

    Raises:
        RoutingError: A format is unknown or none is given.
        MissingDependencyError: The extra ``xml`` is not installed.
    """
    unknown = [name for name in names if name not in ("json", "xml", "text")]
    if unknown:
        raise RoutingError(
            f"respond_to does not know {unknown}; give 'json', 'xml', 'text', html=..., text=..."
        )
    chosen: list[Format] = list(names)
    if html is not None:
        chosen.append("html")
    if text is not None and "text" not in chosen:
        chosen.append("text")
    if not chosen:
        raise RoutingError("respond_to needs a format: 'json', 'xml', 'text', html=..., text=...")
    if "xml" in chosen:
        require_xml()
    return Formats(tuple(dict.fromkeys(chosen)), html=html, text=text if callable(text) else None)
