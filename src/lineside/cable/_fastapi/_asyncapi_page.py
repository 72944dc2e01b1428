"""``/asyncapi.json``: what may be said over the socket; and ``/asyncapi``: the same for people."""

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from lineside.cable._cable import Cable
from lineside.cable._channel._asyncapi import asyncapi_document
from lineside.cable._channel._registry import ChannelRegistry

__all__ = ["add_asyncapi", "page_of"]

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;color:#111;padding:.7rem;overflow:auto}code{font-size:.9em}"
    "h2{border-top:1px solid #ccc;padding-top:1rem}"
)
_CSP: Final = "default-src 'none'; style-src 'unsafe-inline'"


def add_asyncapi(router: APIRouter, cable: Cable, registry: ChannelRegistry, path: Callable[[], str]) -> None:
    """Add both routes. They show what channels and actions there are, and no data.

    Args:
        router: The cable's router.
        cable: The cable.
        registry: Its channels.
        path: Returns the whole path of the WebSocket, once the app runs.
    """

    def document(request: Request) -> dict[str, Any]:
        return asyncapi_document(
            registry,
            title=request.app.title,
            version=request.app.version,
            server_path=f"{request.scope.get('root_path', '')}{path()}",
            codecs=[cable.codecs.by_name(name) for name in cable.codecs.names],
            host=request.url.netloc,
            secure=request.url.scheme == "https",
        )

    async def asyncapi(request: Request) -> Response:
        return JSONResponse(document(request))

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(page_of(document(request)), headers={"Content-Security-Policy": _CSP})

    for where, endpoint in (("/asyncapi.json", asyncapi), ("/asyncapi", page)):
        router.add_api_route(where, endpoint, methods=["GET"], include_in_schema=False)


def page_of(document: Mapping[str, Any]) -> str:
    """Return a document as a page that needs no script.

    Args:
        document: An AsyncAPI 3 document.
    """
    info = document["info"]
    title = escape(str(info["title"]))
    channels = "".join(_channel(key, each, document) for key, each in document["channels"].items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title} {escape(str(info['version']))}</h1>"
        f"<p>Channels over WebSockets. <a href='asyncapi.json'>The same as AsyncAPI</a>.</p>"
        f"{_details('Servers', document.get('servers', {}))}{channels}"
        f"{_details('Schemas', document.get('components', {}))}</body></html>"
    )


def _channel(key: str, channel: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    reference = f"#/channels/{key.replace('~', '~0').replace('/', '~1')}"
    operations = {
        name: operation
        for name, operation in document.get("operations", {}).items()
        if operation.get("channel", {}).get("$ref") == reference
    }
    said = escape(str(channel.get("description", "")))
    return (
        f"<h2>{escape(str(channel.get('address', key)))}</h2><p>{said}</p>"
        f"{_details('Operations', operations)}{_details('Messages', channel.get('messages', {}))}"
    )


def _details(summary: str, value: Any) -> str:
    if not value:
        return ""
    text = escape(json.dumps(value, indent=2, ensure_ascii=False))
    return f"<details><summary>{escape(summary)}</summary><pre>{text}</pre></details>"
