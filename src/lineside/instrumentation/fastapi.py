"""What instrumentation needs of FastAPI: the templates of routes, and a route for the metrics.

The figures are shown where you include the router:

    from fastapi import FastAPI

    from lineside.instrumentation import Metrics
    from lineside.instrumentation.fastapi import metrics_router

    metrics = Metrics()
    app = FastAPI()
    app.include_router(metrics_router(metrics))
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import iter_route_contexts
from starlette.convertors import CONVERTOR_TYPES
from starlette.routing import BaseRoute, Host, Mount
from starlette.types import Scope

from lineside.exceptions import MissingDependencyError
from lineside.instrumentation._metrics import Metrics

__all__ = ["UNLISTED", "UNMATCHED", "RouteTemplates", "metrics_router"]

UNMATCHED: Final = "(unmatched)"
"""The route of a request that no route was found for."""

UNLISTED: Final = "(unlisted)"
"""The route of a request that was served by something that is not among the app's routes."""

# How often the routes are read again for an endpoint that is not among them, in the life of an app.
_MAX_MISSES: Final = 1_000
_PARAMETER: Final = re.compile(r"\{\w+(?::(\w+))?\}")


# An endpoint, and its templates with what their paths look like.
_Entry = tuple[object, list[tuple[str, re.Pattern[str]]]]


class RouteTemplates:
    """Finds the full template of the route that served a request, without matching again.

    FastAPI leaves the endpoint in the scope, but not the prefixes of included routers. So the
    templates of all endpoints are written down once, with the first request and whenever the
    number of routes has changed; then finding one is a look into a dict.
    """

    __slots__ = ("_app", "_count", "_found", "_misses", "_routes")

    def __init__(self) -> None:
        self._app: object = None
        self._routes: Sequence[BaseRoute] = ()
        self._count = 0
        self._misses = 0
        # By identity: not every callable can be hashed. The endpoint is kept, so that no other
        # object gets its id.
        self._found: dict[int, _Entry] = {}

    def find(self, app: object, scope: Scope, *, root_path: str) -> str:
        """Return the template of the route, for instance ``"/v1/posts/{id}"``.

        Args:
            app: The app that routed the request, or a wrapper that hides it.
            scope: The scope of the request, after it was served.
            root_path: The root path of the app, before it was served.
        """
        endpoint: object = scope.get("endpoint")
        if endpoint is None or endpoint is app:
            return UNMATCHED
        if app is not self._app or len(self._routes) != self._count:
            self._write_down(app)
        entry = self._found.get(id(endpoint)) or self._look_again(endpoint)
        templates = entry[1]
        if len(templates) == 1:
            return templates[0][0]
        path: str = scope["path"].removeprefix(root_path)
        return next((template for template, pattern in templates if pattern.fullmatch(path)), UNLISTED)

    def _write_down(self, app: object) -> None:
        routes: Sequence[BaseRoute] = getattr(app, "routes", ())
        found: dict[int, _Entry] = {}
        for endpoint, path in _endpoints(routes, prefix="", above=()):
            template = re.sub(r"\{(\w+):\w+\}", r"{\1}", path) or "/"
            _, templates = found.setdefault(id(endpoint), (endpoint, []))
            if template not in [known for known, _ in templates]:
                templates.append((template, _pattern(path)))
        self._app, self._routes, self._count, self._found = app, routes, len(routes), found

    def _look_again(self, endpoint: object) -> _Entry:
        nowhere: _Entry = (endpoint, [(UNLISTED, _pattern(""))])
        if self._misses >= _MAX_MISSES:
            return nowhere
        # A router that was included may have got a route since.
        self._misses += 1
        self._write_down(self._app)
        return self._found.setdefault(id(endpoint), nowhere)


def _endpoints(
    routes: Sequence[BaseRoute], *, prefix: str, above: tuple[int, ...]
) -> Iterator[tuple[object, str]]:
    if id(routes) in above:  # an app that is mounted in itself
        return
    for context in iter_route_contexts(routes):
        original = context.original_route
        path = prefix + (context.path or "")
        if isinstance(original, Mount | Host):
            if isinstance(original, Mount):
                yield original.app, f"{path}/{{path:path}}"
            yield from _endpoints(context.routes, prefix=path, above=(*above, id(routes)))
        elif context.endpoint is not None:
            yield context.endpoint, path


def _pattern(path: str) -> re.Pattern[str]:
    """Return what the paths of a template look like; only to tell templates of one endpoint apart."""
    pieces: list[str] = []
    end = 0
    for match in _PARAMETER.finditer(path):
        pieces += re.escape(path[end : match.start()]), f"(?:{CONVERTOR_TYPES[match[1] or 'str'].regex})"
        end = match.end()
    return re.compile("".join(pieces) + re.escape(path[end:]))


def metrics_router(metrics: Metrics, *, path: str = "/metrics") -> APIRouter:
    """Return a router with one route that shows the metrics, for a Prometheus server to read.

    The figures are not secret from anybody who can reach the route: give ``include_router`` a
    dependency that checks who asks, or serve them on a port of their own.

    prometheus-fastapi-instrumentator's ``expose()`` shows the same registry, but only on an app
    and not on a router, and it offers no OpenMetrics. Its ``instrument()`` is not used: it
    matches all routes a second time for each request.

    Args:
        metrics: What to show.
        path: Where to show it.

    Returns:
        A router for ``app.include_router``. The route is not in the app's OpenAPI document.

    Raises:
        MissingDependencyError: prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, multiprocess
        from prometheus_client.exposition import choose_encoder
    except ImportError:
        raise MissingDependencyError("prometheus_client", extra="metrics") from None

    # A plain def: writing thousands of series takes milliseconds, which belong in a worker thread.
    def show_metrics(request: Request) -> Response:
        registry = metrics.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type})

    router = APIRouter()
    router.add_api_route(path, show_metrics, methods=["GET"], include_in_schema=False, response_model=None)
    return router
