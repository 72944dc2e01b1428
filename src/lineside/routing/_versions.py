"""API versions: the same paths for each, chosen by a header."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from starlette.requests import HTTPConnection

from lineside.exceptions import RoutingError, UnknownVersionError
from lineside.routing._checks import versions_of
from lineside.routing._constraints import Requirements
from lineside.routing._scope import RouteScope, Target, scope_of


class Versions:
    """The scopes of an API's versions, made by `versions`."""

    def __init__(self, scopes: dict[str, RouteScope]) -> None:
        self._scopes = scopes

    def __getitem__(self, version: str) -> RouteScope:
        try:
            return self._scopes[version]
        except KeyError:
            raise RoutingError(
                f"unknown version {version!r}; known: {sorted(self._scopes)}; "
                "use one of them, or add it to the list given to versions()"
            ) from None


def versions(target: Target, known: Iterable[str], *, header: str = "API-Version", default: str) -> Versions:
    """Choose between versions of the same paths by a request header.

    A version by path needs no tool of its own: ``namespace(app, "v1", path="/api/v1")``.

    Args:
        target: A FastAPI app, an ``APIRouter`` or a scope.
        known: The versions.
        header: The header that names one. A request that names an unknown one is answered 400 with the
            known ones.
        default: The version without that header. OpenAPI has one operation for a path and method: it
            describes this version.

    Returns:
        The scope of each version, by its name: ``api["2"]``.

    Raises:
        RoutingError: A version is no text, or the default is none of them.
    """
    outer = scope_of(target)
    names = versions_of(known)
    if default not in names:
        raise RoutingError(f"default version {default!r} is none of {names}; add it, or choose one of them")
    return Versions(
        {
            version: replace(
                outer.inside("", name=f"v{version.removeprefix('v')}_"),
                requirements=outer.requirements
                + Requirements(functions=(_asks_for(version, names, header, default),)),
                in_schema=outer.in_schema and version == default,
            )
            for version in names
        }
    )


def _asks_for(
    version: str, known: tuple[str, ...], header: str, default: str
) -> Callable[[HTTPConnection], bool]:
    def asks_for_version(connection: HTTPConnection) -> bool:
        asked = connection.headers.get(header, default)
        if asked not in known:
            raise UnknownVersionError(asked, known=known)
        return asked == version

    return asks_for_version
