"""Paths from route names: escaped, complete, and wrong loudly."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection

from lineside.exceptions import PathError

_CACHE = "lineside_paths"
_Index = dict[str, list[str]]


def path_for(
    target: FastAPI | APIRouter | HTTPConnection,
    name: str,
    /,
    *,
    query: Mapping[str, Any] | None = None,
    **params: Any,
) -> str:
    """Return the path of a named route, with its parameters escaped (as Rails' ``post_path``).

    Args:
        target: The request that is being answered, an app or a router. A request's ``root_path`` is put
            in front, so that links work behind a proxy or in a mounted app.
        name: The route's name, for instance ``"post"``; every FastAPI route has one.
        query: What to put behind ``?``.
        params: The path parameters, exactly those of the route.

    Returns:
        The path, for instance ``"/posts/1"``.

    Raises:
        PathError: No such name, a missing or unknown parameter, or a value that no path can carry.
    """
    if isinstance(target, HTTPConnection):
        prefix, routes_of = target.scope.get("root_path", ""), target.scope["app"]
    else:
        prefix, routes_of = "", target
    path = _path(routes_of, name, params)
    return f"{prefix.rstrip('/')}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")


def _path(app: Any, name: str, params: Mapping[str, Any]) -> str:
    """Fill in the path from the app's index, which is made once; and again before it says no.

    Routes may have come since, also to a router that was included long ago. Names come from code, so a
    wrong one is a bug to be told and not a load to be borne. Values come from clients, and cost no index.
    """
    state = getattr(app, "state", None)
    index: _Index = getattr(state, _CACHE, {})
    path_format = _format(name, index, params)
    if path_format is None:
        index = _index(app)
        if state is not None:
            setattr(state, _CACHE, index)
        path_format = _format(name, index, params)
        if path_format is None:
            raise _mismatch(name, index, params)
    return path_format.format(**{key: _escaped(name, key, value) for key, value in params.items()})


def _index(app: FastAPI | APIRouter) -> _Index:
    found: _Index = {}
    for context in iter_route_contexts(app.routes):
        if context.name and context.path_format and context.path_format not in found.get(context.name, ()):
            found.setdefault(context.name, []).append(context.path_format)
    return found


def _format(name: str, index: _Index, params: Mapping[str, Any]) -> str | None:
    wanted = set(params)
    return next((each for each in index.get(name, ()) if set(parameters_of(each)) == wanted), None)


def _mismatch(name: str, index: _Index, params: Mapping[str, Any]) -> PathError:
    formats = index.get(name)
    if not formats:
        return PathError(name, f"no route has this name; known names: {', '.join(sorted(index)) or 'none'}")
    wanted = [set(parameters_of(path_format)) for path_format in formats]
    nearest = max(wanted, key=lambda parameters: len(parameters & set(params)))
    missing, unknown = sorted(nearest - set(params)), sorted(set(params) - nearest)
    parts = [
        f"missing parameter {missing}" if missing else "",
        f"unknown parameter {unknown}" if unknown else "",
    ]
    return PathError(
        name, f"{' and '.join(filter(None, parts))}; {formats[0]} takes {sorted(nearest) or 'none'}"
    )


def _escaped(name: str, key: str, value: Any) -> str:
    # FastAPI reads an enum by its value; str() would write the name of its class.
    text = "" if value is None else str(value.value if isinstance(value, Enum) else value)
    # Browsers and proxies fold "." and ".." away, however they are written.
    if text in ("", ".", ".."):
        raise PathError(name, f"parameter {key!r} cannot be {value!r}; pass a value that a path can carry")
    return quote(text, safe="")


def parameters_of(path_format: str) -> Iterator[str]:
    """Name the parameters of a path format, as ``{id}`` in ``/posts/{id}``."""
    for part in path_format.split("{")[1:]:
        yield part.partition("}")[0].partition(":")[0]
