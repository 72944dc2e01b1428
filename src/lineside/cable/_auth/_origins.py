"""From which pages browsers may connect: the Origin header, checked before anything else runs.

A browser lets any page open a WebSocket to any host and sends the cookies along; the Origin is what
tells the pages apart (RFC 6455 section 10.2, OWASP ASVS 5.0 4.4.2).
"""

from collections.abc import Sequence
from typing import Final, Literal

from lineside.cable._auth._headers import Scope, header_values, single_header
from lineside.cable._auth._origin import Origin, OriginPattern, host_origin
from lineside.cable._auth._refusals import OriginRefused
from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["OriginPolicy"]

_HTTP_OF: Final = {"ws": "http", "wss": "https"}
_OWN_SITE: Final = frozenset({"same-origin", "none"})


class OriginPolicy:
    """Which Origins may connect.

    Without a list it is the request's own host, scheme and port. With a list it is the list alone, so
    the app's own origin belongs into it too. ``null`` (a sandboxed frame, a file) is never allowed. A
    request without an Origin comes from no browser and may pass, unless it carries cookies.

    Args:
        allowed: Origins such as ``"https://example.com"``, ``"http://localhost:3000"``,
            ``"https://*.example.com"`` (any depth, not the bare domain), or ``"capacitor://localhost"``;
            without a scheme ``https`` is meant. ``"*"`` allows every page. None for the same origin.
        trust_forwarded_host: Take the own origin from ``X-Forwarded-Host`` and ``X-Forwarded-Proto``:
            only behind a proxy that sets both.
        cookies: Connections are authenticated by cookies.

    Raises:
        CableConfigurationError: An entry is no origin, the list is empty, or ``"*"`` is combined with
            cookies: every page of the web could then act as whoever looks at it.
    """

    __slots__ = ("_any", "_patterns", "_trust_forwarded_host")

    def __init__(
        self,
        allowed: Sequence[str] | Literal["*"] | None = None,
        *,
        trust_forwarded_host: bool = False,
        cookies: bool = False,
    ) -> None:
        entries = [allowed] if isinstance(allowed, str) else allowed
        self._any = entries is not None and "*" in entries
        if self._any and cookies:
            raise CableConfigurationError(
                "origins='*' with cookie authentication lets every page act as its visitor: list the origins"
            )
        if entries is not None and not entries:
            raise CableConfigurationError(
                "an empty list of origins refuses every browser: list one, or leave it out"
            )
        self._patterns = (
            None if entries is None else tuple(OriginPattern(entry) for entry in entries if entry != "*")
        )
        self._trust_forwarded_host = trust_forwarded_host

    @property
    def allows_all(self) -> bool:
        """Every page may connect; none of them with cookies."""
        return self._any

    def check(self, scope: Scope) -> None:
        """Let a request pass, or refuse it.

        Args:
            scope: The request's ASGI scope, of type ``"websocket"`` or ``"http"``.

        Raises:
            OriginRefused: The page may not connect (403).
        """
        values = header_values(scope, b"origin")
        if len(values) > 1:
            raise OriginRefused("several Origin headers")
        if not values:
            self._check_without_origin(scope)
            return
        origin = Origin.parse(values[0])
        if origin is None:
            raise OriginRefused(f"no origin that a browser writes: {values[0][:100]!r}")
        if not self._allows(origin, scope):
            raise OriginRefused(f"{origin} is not allowed; {self._expectation(scope)}")

    def _check_without_origin(self, scope: Scope) -> None:
        if not header_values(scope, b"cookie"):
            return
        if scope.get("type") != "http":
            raise OriginRefused("cookies without an Origin: no browser opens a WebSocket like that")
        # A browser's GET to its own origin has no Origin. One from another site that can read the answer has.
        site = header_values(scope, b"sec-fetch-site")
        if site and not _OWN_SITE.issuperset(site):
            raise OriginRefused("cookies and no Origin from another site")

    def _allows(self, origin: Origin, scope: Scope) -> bool:
        if self._any:
            return True
        if self._patterns is None:
            return origin == self._own_origin(scope)
        return any(pattern.matches(origin) for pattern in self._patterns)

    def _own_origin(self, scope: Scope) -> Origin | None:
        scheme = str(scope.get("scheme") or "ws")
        host = single_header(scope, b"host")
        if self._trust_forwarded_host:
            host = _last(header_values(scope, b"x-forwarded-host")) or host
            scheme = _last(header_values(scope, b"x-forwarded-proto")) or scheme
        return host_origin(_HTTP_OF.get(scheme, scheme), host) if host else None

    def _expectation(self, scope: Scope) -> str:
        if self._patterns is not None:
            return "add it to the list of origins if it is yours"
        return (
            f"this server takes itself for {self._own_origin(scope)}: list the origin, or behind a proxy "
            "that sets X-Forwarded-Host and X-Forwarded-Proto use trust_forwarded_host=True"
        )

    def __repr__(self) -> str:
        if self._any:
            return "OriginPolicy('*')"
        return f"OriginPolicy({None if self._patterns is None else [str(each) for each in self._patterns]})"


def _last(values: Sequence[str]) -> str | None:
    # The nearest proxy writes last; what stands in front may be the client's own.
    return values[-1].rpartition(",")[2].strip().lower() if values else None
