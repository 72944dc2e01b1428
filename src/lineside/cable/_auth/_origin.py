"""Origins as values: scheme, host and port (RFC 6454), and patterns of them."""

import re
from dataclasses import dataclass
from typing import Final

from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["Origin", "OriginPattern", "host_origin"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MAX_CHARS: Final = 300
_HOST: Final = r"(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?|\[[0-9A-Fa-f:.]+\]"
# Nothing but what a browser serialises: no user, path, query, blank, and no letter outside ASCII.
_ORIGIN: Final = re.compile(rf"([A-Za-z][A-Za-z0-9+.-]*)://({_HOST})(?::([0-9]{{1,5}}))?", re.ASCII)
_HOST_HEADER: Final = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?", re.ASCII)
_MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a page comes from, as RFC 6454 compares it.

    Attributes:
        scheme: In lower case.
        host: In lower case; an internationalised name in its ``xn--`` form.
        port: The scheme's own when none is written; None for schemes without one.
    """

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> "Origin | None":
        """Read an Origin header; None for anything that no browser writes, ``null`` included.

        Args:
            text: The header's value.
        """
        match = _ORIGIN.fullmatch(text) if len(text) <= _MAX_CHARS else None
        return None if match is None else _origin(match[1], match[2], match[3])

    def __str__(self) -> str:
        default = self.port is None or self.port == _DEFAULT_PORTS.get(self.scheme)
        return f"{self.scheme}://{self.host}" + ("" if default else f":{self.port}")


def host_origin(scheme: str, host: str) -> Origin | None:
    """Return the origin of a request's own host; None when the Host header is no host.

    Args:
        scheme: ``"http"`` or ``"https"``.
        host: The Host header: a name, and the port unless it is the scheme's own.
    """
    match = _HOST_HEADER.fullmatch(host)
    return None if match is None else _origin(scheme, match[1], match[2])


def _origin(scheme: str, host: str, port: str | None) -> Origin | None:
    scheme = scheme.lower()
    number = int(port) if port else _DEFAULT_PORTS.get(scheme)
    if number is not None and not 0 < number <= _MAX_PORT:
        return None
    return Origin(scheme, host.lower(), number)


class OriginPattern:
    """One entry of a list of origins: an origin, or all the subdomains of one.

    Args:
        entry: ``"https://example.com"``, ``"https://*.example.com"``; without a scheme ``https``.

    Raises:
        CableConfigurationError: It is neither.
    """

    __slots__ = ("_origin", "_subdomains")

    def __init__(self, entry: str) -> None:
        scheme, separator, rest = entry.rpartition("://")
        self._subdomains = rest.startswith("*.")
        origin = Origin.parse(f"{scheme if separator else 'https'}://{rest.removeprefix('*.')}")
        if origin is None or entry == "null":
            raise CableConfigurationError(_advice(entry))
        if self._subdomains and "." not in origin.host.strip("."):
            raise CableConfigurationError(
                f"{entry!r} allows a whole top-level domain: name a domain below it"
            )
        self._origin = origin

    def matches(self, origin: Origin) -> bool:
        """Tell whether an origin is meant.

        Args:
            origin: What a browser sent.
        """
        if not self._subdomains:
            return origin == self._origin
        own = self._origin
        return (origin.scheme, origin.port) == (own.scheme, own.port) and origin.host.endswith("." + own.host)

    def __str__(self) -> str:
        return str(self._origin).replace("://", "://*.", 1) if self._subdomains else str(self._origin)


def _advice(entry: str) -> str:
    if not entry.isascii():
        return f"{entry!r} has letters outside ASCII: write the host as browsers send it, in its xn-- form"
    return f"{entry!r} is no origin: write scheme, host and port alone, for instance 'https://example.com'"
