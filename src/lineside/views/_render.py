"""How one value becomes XML, text or HTML."""

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import BaseModel

from lineside.exceptions import ConfigurationError, MissingDependencyError

__all__ = ["Renderer", "html_response", "require_xml", "root_name", "text_response", "xml_response"]

Rendered = str | Response | Awaitable[str | Response]
# Not `Callable[..., Rendered]`: a type checker would know nothing about the parameter of a lambda.
Renderer = Callable[[Any], Rendered] | Callable[[Any, Request], Rendered]
"""Called with the value, and with the request when it takes two arguments."""

# The names that need no escaping; XML 1.0 allows more, nobody's field has them.
_XML_NAME = re.compile(r"(?!xml)[A-Za-z_][A-Za-z0-9_.-]*", re.IGNORECASE | re.ASCII)
# What XML 1.0 section 2.2 leaves out of its characters.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def root_name(response_type: Any) -> str:
    """Name the root element after the model: ``BlogPost`` is ``blog_post``, anything else ``response``."""
    if not (isinstance(response_type, type) and issubclass(response_type, BaseModel)):
        return "response"
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", response_type.__name__.split("[")[0]).lower()
    return name if _XML_NAME.fullmatch(name) else "response"


def require_xml() -> Callable[..., str]:
    """Return the XML writer.

    Raises:
        MissingDependencyError: The extra ``xml`` is not installed.
    """
    try:
        import xmltodict
    except ImportError:
        raise MissingDependencyError("xmltodict", extra="xml") from None
    return cast("Callable[..., str]", xmltodict.unparse)


def _xml_tree(value: Any) -> Any:
    """Return the tree in the writer's terms, so that no key and no text can break out of its element."""
    if isinstance(value, dict):
        mapping: dict[Any, Any] = value
        children: dict[str, Any] = {}
        entries: list[Any] = []
        for key, child in mapping.items():
            if _XML_NAME.fullmatch(str(key)):
                children[str(key)] = _xml_tree(child)
            else:
                # A key from outside is data: `<entry key="...">`, never a name or an attribute.
                inner = _xml_tree(child)
                entries.append(
                    {"@key": _xml_text(key), **(inner if isinstance(inner, dict) else {"#text": inner})}
                )
        if entries and "entry" in children:
            entries.insert(0, children["entry"])  # a field of that name stays, beside them
        return children | ({"entry": entries} if entries else {})
    if isinstance(value, list):
        items: list[Any] = value
        return {"item": [_xml_tree(item) for item in items]}
    return _xml_text(value) if isinstance(value, str) else value


def _xml_text(value: object) -> str:
    return _NOT_XML.sub("\ufffd", str(value))


def xml_response(value: Any, *, root: str) -> Response:
    """Write a JSON-like value as an XML document; the elements of a list are called ``item``."""
    document = require_xml()({root: _xml_tree(value)})
    return Response(document.encode("utf-8"), media_type="application/xml")


async def _called(renderer: Renderer, value: Any, request: Request) -> str | Response:
    takes_request = len(inspect.signature(renderer).parameters) > 1
    call = cast("Callable[..., Rendered]", renderer)
    result = call(value, request) if takes_request else call(value)
    return await result if inspect.isawaitable(result) else result


async def text_response(value: Any, request: Request, *, renderer: Renderer | None) -> Response:
    """Write a value as plain text: a string as it is, anything else as JSON, or what the renderer says."""
    if renderer is not None:
        text = await _called(renderer, value, request)
        return text if isinstance(text, Response) else PlainTextResponse(text)
    return PlainTextResponse(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    )


async def html_response(value: Any, request: Request, *, renderer: str | Renderer, root: str) -> Response:
    """Write a value as HTML, by a function or by a template of the app.

    Raises:
        ConfigurationError: A template is named and the app has none.
    """
    if not isinstance(renderer, str):
        page = await _called(renderer, value, request)
        return page if isinstance(page, Response) else HTMLResponse(page)
    templates = getattr(request.app.state, "lineside_templates", None)
    if templates is None:
        raise ConfigurationError(
            f"the template {renderer!r} needs templates: set "
            "app.state.lineside_templates = fastapi.templating.Jinja2Templates('templates')"
        )
    return cast("Response", templates.TemplateResponse(request, renderer, {"value": value, root: value}))
