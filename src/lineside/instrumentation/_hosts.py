"""Which Host headers an app answers to."""

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from lineside.exceptions import ConfigurationError

_NAME: Final = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST: Final = rf"(?:{_NAME})(?:\.{_NAME})*"
_HEADER: Final = re.compile(rf"(?P<host>{_HOST}|\[[0-9a-f:.]{{2,45}}\])(?P<dot>\.?)(?P<port>:[0-9]{{1,5}})?")
# The longest name of RFC 1035 section 2.3.4, with brackets, dot and port to spare.
_MAX_CHARS: Final = 270
# Most clients send the same few headers: those that were right are not read again.
_MAX_SEEN: Final = 256


class AllowedHosts:
    """The hosts an app is known by: names, addresses and whole domains.

    Args:
        patterns: ``"example.com"``, ``"*.example.com"`` for all below it (not itself),
            ``"[::1]"``, each with a port or without (then any port is right), or ``"*"`` for
            any host that is well-formed.

    Raises:
        ConfigurationError: A pattern has none of these forms, or there is none at all.
    """

    __slots__ = ("_any", "_domains", "_exact", "_seen")

    def __init__(self, patterns: Iterable[str]) -> None:
        if isinstance(patterns, str):
            raise ConfigurationError(f"allowed_hosts takes a list: [{patterns!r}]")
        exact: set[tuple[str, str]] = set()
        domains: list[tuple[str, str]] = []
        self._any = False
        for pattern in patterns:
            if pattern == "*":
                self._any = True
                continue
            wild = pattern.startswith("*.")
            parsed = _parse(pattern[2:] if wild else pattern)
            if parsed is None or (wild and parsed[0].startswith("[")):
                raise ConfigurationError(
                    f"{pattern!r} is no host: write 'example.com', '*.example.com', '[::1]' or '*', "
                    "with ':8000' behind it for one port only, and other scripts as 'xn--...'"
                )
            if wild:
                domains.append((f".{parsed[0]}", parsed[1]))
            else:
                exact.add(parsed)
        if not (exact or domains or self._any):
            raise ConfigurationError("allowed_hosts is empty: name the hosts of the app, or leave it out")
        self._exact = frozenset(exact)
        self._domains = tuple(domains)
        self._seen: set[bytes] = set()

    def allow(self, header: bytes) -> bool:
        """Tell whether a ``Host`` header names one of the hosts (RFC 9110 section 7.2).

        Args:
            header: Its value as it came.
        """
        if header in self._seen:
            return True
        parsed = _parse(header.decode("latin-1"))
        if parsed is None or not self._names(*parsed):
            return False
        if len(self._seen) < _MAX_SEEN:
            self._seen.add(header)
        return True

    def _names(self, host: str, port: str) -> bool:
        if self._any or (host, "") in self._exact or (host, port) in self._exact:
            return True
        return any(host.endswith(domain) and wanted in ("", port) for domain, wanted in self._domains)


def _parse(text: str) -> tuple[str, str] | None:
    """Split into host and ":port"; None when it is no host."""
    match = _HEADER.fullmatch(text.lower()) if text.isascii() and len(text) <= _MAX_CHARS else None
    if match is None:
        return None
    host, port = match["host"], match["port"] or ""
    if port and int(port[1:]) > 65_535:
        return None
    if not host.startswith("["):
        return host, port
    try:
        # One spelling for all: ::1 and 0:0:0:0:0:0:0:1 are the same host.
        return (f"[{IPv6Address(host[1:-1])}]", port) if not match["dot"] else None
    except AddressValueError:
        return None
